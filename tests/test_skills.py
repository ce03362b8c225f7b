from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from core import skills
from core.geometry import GRID, Box, Point
from core.robot_actions import RobotAction
from core.skills import Answer, Click, Marks, Move, Refusal, Trace, Traces

PICTURE = Image.new("RGB", (640, 480))
PARSERS = {
    "click": skills.parse_click,
    "answer": skills.parse_answer,
    "move": skills.parse_move,
    "traces": lambda reply: skills.parse_traces(reply, range(10)),
    "marks": skills.parse_marks,
}
VALUES = (Click, Answer, Move, Traces, Marks)

cells = st.tuples(st.integers(0, GRID - 1), st.integers(0, GRID - 1))
mark_numbers = st.integers(1, 9999)
FRAGMENTS = [
    *("Coordinates:", "Mark", "Mark: ", "(", ")", "[", "]", ",", ".", "<box>", "</box>", "0.53", "1", "12", "999", "-"),
    *("nan", "inf", "1e400", "9" * 400, " ", "\n\n", '"', ":", " at ", "²", "٣", "\ud800", "\x00", "[3,4]"),
    *("should be moved, and their future positions are:", '"Mark 3": "[[1,2]]"', "Mark 3 at [1,2]"),
]
almost_replies = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def test_prompts_are_word_for_word_those_of_training():
    assert skills.click_prompt(PICTURE, "sign in").text == (
        'In this view I need to click a button to "sign in"? Provide the coordinates and the mark index of the '
        "containing bounding box if applicable."
    )
    assert skills.answer_prompt(PICTURE, "What is this?").text == "What is this? Answer the question briefly."
    assert skills.move_prompt(PICTURE).text == "Which mark is closer to green block? Answer with a single number."
    assert skills.locate_prompt(PICTURE).text == "Please locate all the numerical marks in the image."
    assert skills.robot_action_prompt(PICTURE, "open the door").text == (
        "What action should the robot take to open the door?"
    )
    move = (
        "The robot is doing: push. To finish the task, how to move the numerical marks in the image with speed 8 for "
        "the next 4 steps?\n"
    )
    assert skills.trace_prompt(PICTURE, "push", [1, 2], speed=8, steps=4).text == (
        f"The image is split into 256x256 grids and is labeled with numeric marks [1, 2].\n{move}"
    )
    assert skills.trace_prompt(PICTURE, "push", (1, 2), speed=8, steps=4, training=True).text == (
        f"The image is split into 256x256 grids, and labeled with numeric marks: [1, 2].\n{move}"
    )


def test_only_the_robot_action_skill_allows_action_tokens():
    assert skills.robot_action_prompt(PICTURE, "push").actions
    text_skills = [
        skills.click_prompt(PICTURE, "push"),
        skills.answer_prompt(PICTURE, "push?"),
        skills.move_prompt(PICTURE),
        skills.trace_prompt(PICTURE, "push", [1], 8, 4),
        skills.locate_prompt(PICTURE),
    ]
    assert not any(conversation.actions for conversation in text_skills)


def test_trace_shows_the_picture_at_the_grids_size():
    (shown,) = skills.trace_prompt(PICTURE, "push", [1], 8, 4).images
    assert shown.size == (GRID, GRID)


@pytest.mark.parametrize(
    ("reply", "click"),
    [
        ("Coordinates: (0.53,0.21). Mark: 12.", Click(Point(0.53, 0.21), 12)),
        ("Mark: 12. Coordinates: (0.53,0.21).", Click(Point(0.53, 0.21), 12)),
        ("Mark: 12, Coordinates: (0.53, 0.21)", Click(Point(0.53, 0.21), 12)),
        ("coordinates: (0.53,0.21), mark index: 12", Click(Point(0.53, 0.21), 12)),
        ("(0.53,0.21)", Click(Point(0.53, 0.21))),
        ("0.53, 0.21.", Click(Point(0.53, 0.21))),
        ("(.5,1.0)", Click(Point(0.5, 1.0))),
        ("(0, 0.25)", Click(Point(0.0, 0.25))),
        ("(530,210)", Click(Point(0.53, 0.21))),
        ("(0,0)", Click(Point(0, 0))),
        ("Mark: 7", Click(mark=7)),
        ("Coordinates: (0.53,0.21). Mark: None.", Click(Point(0.53, 0.21))),
        ("(0.53,0.21) (0.53,0.21) Mark: 3. Mark: 3.", Click(Point(0.53, 0.21), 3)),
        ("[0.25,0.5,0.75,1.0]", Click(Point(0.5, 0.75), None, Box(0.25, 0.5, 0.75, 1.0))),
        ("<box>(250,500),(750,1000)</box>", Click(Point(0.5, 0.75), None, Box(0.25, 0.5, 0.75, 1.0))),
        ("<box>(0,0),(1,1)</box> Mark: 2", Click(Point(0.0005, 0.0005), 2, Box(0, 0, 0.001, 0.001))),
    ],
)
def test_click_replies_that_are_read(reply: str, click: Click):
    assert skills.parse_click(reply, marks=[2, 3, 7, 12]) == click


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "neither"),
        ("I cannot see such a button.", "neither"),
        ("Coordinates: (nan,0.5). Mark: 12.", "plain numbers"),
        ("Coordinates: (nan, nan). Mark: 12.", "plain numbers"),
        ("Coordinates: (inf,-Infinity). Mark: 12.", "plain numbers"),
        ("(1e1,0.5)", "plain numbers"),
        ("(-0.1,0.5)", "plain numbers"),
        ("(0x5,0.5)", "plain numbers"),
        ("(٣,٤)", "plain numbers"),
        (f"({'9' * 5000},0.5)", "plain numbers"),
        (f"(0.{'9' * 5000},0.5)", "plain numbers"),
        ("(1.2,0.5)", "off the picture"),
        ("(0.5,300)", "off the picture"),
        ("(1200,300)", "off the picture"),
        ("<box>(250,500),(750,1001)</box>", "off the picture"),
        ("(1,1)", "unclear"),
        ("(0,1)", "unclear"),
        ("<box>(0.25,0.5),(0.75,1.0)</box>", "whole numbers"),
        ("<box>(250,500)</box>", "neither coordinates nor a mark"),
        ("<box>(750,500),(250,1000)</box>", "wrong way round"),
        ("<box>(250,500),(750,1000)", "more than one place"),
        ("(0.5,0.2) or (0.6,0.2)", "more than one place"),
        ("(0.1,0.2,0.3)", "neither coordinates nor a mark"),
        ("(0.1;0.2)", "neither coordinates nor a mark"),
        ("(x0.1,y0.2)", "neither coordinates nor a mark"),
        ("(0.5-0.6,0.2)", "neither coordinates nor a mark"),
        ("Coordinates: (0.5,0.2). Mark: 12 or 3.", "neither coordinates nor a mark"),
        ("Coordinates: (0.5,0.2). Mark: 12. Mark: 3.", "more than one mark"),
        ("Mark: 12,5", "no plain number"),
        ("Mark: 12.5", "no plain number"),
        ("Mark: -12", "no plain number"),
        (f"Mark: {'1' * 5000}", "no plain number"),
        ("Coordinates: (0.5,0.2). Mark: 99.", "not on the picture"),
    ],
)
def test_click_replies_that_are_refused(reply: str, reason: str):
    refusal = skills.parse_click(reply, marks=[3, 5, 12])
    assert isinstance(refusal, Refusal) and reason in refusal.reason


def test_any_mark_passes_where_the_drawn_ones_are_not_known():
    assert skills.parse_click("Mark: 99") == Click(mark=99)


@given(st.integers(0, 1000), st.integers(0, 1000), st.none() | mark_numbers)
def test_formatted_clicks_parse_back(x: int, y: int, mark: int | None):
    click = Click(Point(x / 1000, y / 1000), mark)
    assert skills.parse_click(skills.format_click(click)) == click


@given(st.floats() | st.floats(-0.5, 1.5), st.floats() | st.floats(-0.5, 1.5))
def test_a_click_is_on_the_picture_or_refused(x: float, y: float):
    written = f"{x:.4f}", f"{y:.4f}"
    click = skills.parse_click(f"({','.join(written)})")
    if all(0 <= float(number) <= 1 and number[0] != "-" for number in written):
        assert click == Click(Point(*map(float, written)))
    else:
        assert isinstance(click, Refusal)


@pytest.mark.parametrize(
    ("reply", "direction"),
    [("1", "up"), ("2.", "down"), (" 3\n", "left"), ("Mark 4", "right"), ("The answer is (4).", "right")],
)
def test_moves(reply: str, direction: str):
    assert skills.parse_move(reply) == Move(direction)


@pytest.mark.parametrize(
    "reply", ["", "up", "5", "0", "12", "-1", "1.5", "1/2", "1 or 2", "1 1", "²", "٢", "1st", "one"]
)
def test_moves_that_are_refused(reply: str):
    assert isinstance(skills.parse_move(reply), Refusal)


@given(st.sampled_from([*skills.DIRECTIONS.values()]), st.permutations([*skills.DIRECTIONS.values()]))
def test_formatted_moves_parse_back_under_any_numbering(direction: skills.Direction, permuted: list):
    move = Move(direction)
    assert skills.parse_move(skills.format_move(move)) == move
    marks = dict(enumerate(permuted, 1))
    assert skills.parse_move(skills.format_move(move, marks), marks) == move


def test_a_move_goes_where_its_mark_is():
    marks = {3: "up", 1: "right"}
    assert skills.parse_move("3", marks) == Move("up")
    refusal = skills.parse_move("2", marks)
    assert isinstance(refusal, Refusal) and "none of the marks 1, 3" in refusal.reason


def test_an_answer_is_the_reply_without_the_space_around_it():
    assert skills.parse_answer(" A form. \n") == Answer("A form.")
    assert isinstance(skills.parse_answer(" \n"), Refusal)


GOOD_TRACES = (
    "Mark 3 at [10,20], Mark 5 at [0,255] should be moved, and their future positions are:\n\n"
    '"Mark 3": "[[11,21],[12,22]]"\n\n"Mark 5": "[[1,254]]"\n\n'
)


def test_trace_replies_follow_the_grammar_of_training():
    traces = Traces((Trace(3, (10, 20), ((11, 21), (12, 22))), Trace(5, (0, 255), ((1, 254),))))
    assert skills.format_traces(traces) == GOOD_TRACES
    assert skills.parse_traces(GOOD_TRACES, [3, 4, 5]) == traces
    assert skills.parse_traces(GOOD_TRACES.replace("],", "] ,\t").replace("\n\n", "\n"), [3, 4, 5]) == traces


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("should be moved", "moves", "which marks"),
        ("[[11,21],[12,22]]", "[[11,21],[12,256]]", "off the 256"),
        ("[0,255]", "[0,300]", "off the 256"),
        ("[[11,21],[12,22]]", "[[11,21],[12", "no path"),
        ("[[11,21],[12,22]]", "[]", "no path"),
        ("[[11,21],[12,22]]", "[[11,-1]]", "no path"),
        ("[[11,21],[12,22]]", "[[1.5,2]]", "no path"),
        ("[[11,21],[12,22]]", "__import__('os')", "no path"),
        ("[[11,21],[12,22]]", f"[[{'9' * 5000},1]]", "no path"),
        ('"Mark 5": ', '"Mark 3": ', "two paths"),
        ('"Mark 5": "[[1,254]]"', "", "differ"),
        ("Mark 5 at [0,255]", "Mark 6 at [0,255]", "differ"),
        ("Mark 5 at [0,255]", "Mark 3 at [0,255]", "two places"),
        ("Mark 5 at [0,255]", "and so on", "no mark with its position"),
        ("Mark 5", "Mark 7", "not asked"),
        ("\n\n", "\n\nwell, ", "no path"),
    ],
)
def test_trace_replies_that_are_refused(old: str, new: str, reason: str):
    refusal = skills.parse_traces(GOOD_TRACES.replace(old, new), [3, 4, 5, 6])
    assert isinstance(refusal, Refusal) and reason in refusal.reason


@given(
    st.dictionaries(mark_numbers, st.tuples(cells, st.lists(cells, min_size=1, max_size=16)), min_size=1, max_size=6)
)
def test_formatted_traces_parse_back(paths: dict):
    traces = Traces(tuple(Trace(mark, start, tuple(future)) for mark, (start, future) in paths.items()))
    assert skills.parse_traces(skills.format_traces(traces), list(paths)) == traces


def test_a_reply_that_breaks_off_anywhere_is_refused():
    complete = GOOD_TRACES.rstrip()
    for end in range(len(complete)):
        assert isinstance(skills.parse_traces(complete[:end], [3, 5]), Refusal)


@pytest.mark.parametrize("reply", ["Mark 1 at [3,4]. Mark 2 at [5,6]", "Mark 1 at [3, 4]. Mark 2 at [5,6].\n"])
def test_located_marks(reply: str):
    assert skills.parse_marks(reply) == Marks({1: (3, 4), 2: (5, 6)})


@pytest.mark.parametrize(
    "reply",
    ["", "none", "Mark 1 at [3,4]. Mark 1 at [5,6]", "Mark 1 at [3,256]", "Mark 1 at [3,4]. Mark 2 at [5", "1: 3"],
)
def test_located_marks_that_are_refused(reply: str):
    assert isinstance(skills.parse_marks(reply), Refusal)


@given(st.dictionaries(mark_numbers, cells, min_size=1, max_size=20))
def test_formatted_marks_parse_back(marks: dict):
    assert skills.parse_marks(skills.format_marks(Marks(marks))) == Marks(marks)


@pytest.mark.parametrize("skill", PARSERS)
@given(reply=st.text() | almost_replies)
@example(reply="\ud800")
@example(reply="(1," * 1000)
def test_any_text_gives_a_value_or_a_reason(skill: str, reply: str):
    value = PARSERS[skill](reply)
    assert isinstance(value, VALUES) or (isinstance(value, Refusal) and value.reason)


REPEATED = [
    *("0", " ", "(", "[", "a", "0.", "1,", "0.5 ", "Mark", "Mark ", "Mark 1", "mark\n", "<box>", "<box>(", "nan", "-"),
    *("1 , ", '"', '"Mark 1', "Mark 1 at [1,1], ", "[1,1],", ", ", ". ", "\n", "Mark: 1. ", "x.", "+0"),
]


@pytest.mark.parametrize("skill", PARSERS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_a_million_characters_are_parsed_in_linear_time(skill: str, repeated: str):
    """Anything slower than linear would not end within the run: 1e6 characters squared are hours."""
    reply = repeated * (1_000_000 // len(repeated))
    head, tail = "Mark 1 at [1,1] should be moved, and their future positions are:\n", "\x00"
    for text in (reply + tail, head + '"Mark 1": "[' + reply):
        assert isinstance(PARSERS[skill](text), (*VALUES, Refusal))


GOLDEN_IDS = [127857, 127873, 127868, 127904, 127861, 127874, 127744]


def test_robot_actions_are_seven_action_tokens():
    action = skills.parse_robot_action(GOLDEN_IDS)
    assert isinstance(action, RobotAction) and all(-1 <= value <= 1 for value in action.values)


@given(st.lists(st.integers(-10, 200_000)) | st.permutations([*GOLDEN_IDS[:-1], 128009]))
def test_any_tokens_give_an_action_or_a_reason(token_ids: list[int]):
    action = skills.parse_robot_action(token_ids)
    if isinstance(action, RobotAction):
        assert len(action.values) == 7 and all(math.isfinite(value) for value in action.values)
    else:
        assert action.reason


@pytest.mark.parametrize("token_ids", [[], GOLDEN_IDS[:-1], [*GOLDEN_IDS, 127744], [*GOLDEN_IDS[:-1], 128000]])
def test_other_tokens_are_refused(token_ids: list[int]):
    assert isinstance(skills.parse_robot_action(token_ids), Refusal)
