"""The agent's step with stand-ins for model and parser: what is asked, what is understood, what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apps.ui_agent.agent import MAX_INSTRUCTION, WITHOUT_MODEL, Step, UIAgent, resolve_click
from apps.ui_agent.cards import ranking, verdict
from apps.ui_agent.exports import to_csv
from apps.ui_agent.run import summary
from core.conversation import Reply
from core.errors import UserError
from core.generators import finish
from core.geometry import Box, Point
from core.screen import Element, ParseOptions, Screen
from core.skills import Click

PICTURE = Image.new("RGB", (800, 400), "white")
SCREEN = Screen(
    PICTURE.size,
    (
        Element(1, Box(10, 10, 110, 40), "button", "Sign in", True),
        Element(2, Box(10, 60, 400, 90), "text", "Terms apply to every order"),
        Element(3, Box(500, 200, 780, 380), "image"),
        Element(4, Box(700, 300, 740, 340), "icon", clickable=True),
    ),
    "stand-in",
)


class StandInParser:
    name = "stand-in"

    def __init__(self, screen: Screen = SCREEN) -> None:
        self.screen = screen
        self.calls: list[ParseOptions] = []

    def parse(self, image, options=ParseOptions()):
        self.calls.append(options)
        yield "reading text"
        return self.screen


class StandInEngine:
    """Says what it is told to, and remembers what it was asked."""

    name = "stand-in engine"
    note = ""

    def __init__(self, says: str, skills: frozenset[str] = frozenset({"click", "answer"})) -> None:
        self.says, self.skills = says, skills
        self.asked = []
        self.closed = False

    def stream(self, conversation):
        self.asked.append(conversation)
        try:
            yield from self.says
            return Reply(self.says, tuple(range(len(self.says))), {})
        finally:
            self.closed = True


def agent(says: str | None = None, parser: StandInParser | None = None, **engine) -> UIAgent:
    made = UIAgent()
    made._loaded = (None if says is None else StandInEngine(says, **engine)), parser or StandInParser()
    return made


def act(agent: UIAgent, instruction: str, picture: Image.Image = PICTURE) -> Step:
    return finish(agent.act(picture, instruction))


def test_empty_text_only_parses():
    step = act(agent("never asked"), "  ")
    assert step.kind == "parse" and step.screen == SCREEN and step.point is None and not step.reply


def test_the_model_sees_the_marks_and_its_mark_is_clicked():
    acting = agent("Mark: 1.")
    step = act(acting, "Log me in")
    (asked,) = acting._loaded[0].asked
    assert "Log me in" in asked.text and asked.images[0].tobytes() != PICTURE.tobytes()
    assert (step.mark, step.point, step.reply, step.prompt) == (1, Point(60, 25), "Mark: 1.", asked.text)
    assert step.sure and step.model == "stand-in engine" and step.top[0].element_id == 1
    assert step.top[0].confidence is None and summary(step) and verdict(step) and ranking(step)


def test_coordinates_inside_the_mark_are_kept():
    assert act(agent("Coordinates: (0.1,0.05). Mark: 1."), "x").point == Point(80, 20)


def test_coordinates_outside_the_mark_give_way_and_it_says_so():
    step = act(agent("Coordinates: (0.9,0.9). Mark: 1."), "x")
    assert step.point == Point(60, 25) and not step.sure and "outside mark 1" in step.reason


def test_coordinates_alone_fall_on_the_smallest_element_there():
    step = act(agent("(0.9,0.8)"), "x")
    assert (step.point, step.mark) == (Point(720, 320), 4)


@pytest.mark.parametrize("says", ["", "I would rather not.", "Mark: 99.", "Coordinates: (7,9999).", "\x00<|eot_id|>"])
def test_a_reply_that_cannot_be_read_clicks_nothing_and_shows_itself(says):
    step = act(agent(says), "Sign in")
    assert step.point is None and step.mark is None and not step.sure and step.reason and step.reply == says


def test_a_question_goes_to_a_model_that_sees_without_parsing_and_without_marks():
    parser = StandInParser()
    acting = agent("Two.", parser)
    step = act(acting, "Q: How many buttons?")
    assert (step.kind, step.answer, parser.calls) == ("answer", "Two.", [])
    assert acting._loaded[0].asked[0].images == (PICTURE,)
    assert acting._loaded[0].asked[0].text.startswith("How many buttons?")


def test_without_the_skills_the_model_is_not_asked():
    acting = agent("Mark: 2.", skills=frozenset({"move"}))
    step = act(acting, "Click Sign in")
    assert step.model == WITHOUT_MODEL and step.mark == 1 and acting._loaded[0].asked == []
    quoted = act(acting, "Q: What applies to every order?")
    assert quoted.model == WITHOUT_MODEL and "Terms apply" in quoted.answer


def test_an_empty_question_asks_for_one():
    with pytest.raises(UserError, match="Ask something"):
        act(agent(), "Q:  ")


def test_a_long_instruction_is_refused_with_its_length():
    with pytest.raises(UserError, match="10,000"):
        act(agent(), "a" * 10_000)
    act(agent(), "a" * MAX_INSTRUCTION)


def test_a_screen_without_elements_clicks_nothing():
    step = act(agent("Mark: 1.", StandInParser(Screen(PICTURE.size, (), "stand-in"))), "Sign in")
    assert step.point is None and not step.sure and "nothing to click" in step.reason


def test_an_unchanged_screenshot_is_parsed_once_and_a_changed_one_again():
    parser = StandInParser()
    acting = agent(parser=parser)
    for _ in range(3):
        act(acting, "Sign in", PICTURE.copy())
    assert len(parser.calls) == 1
    changed = PICTURE.copy()
    changed.putpixel((799, 399), (0, 0, 0))
    act(acting, "Sign in", changed)
    finish(acting.act(PICTURE, "Sign in", ParseOptions(box_threshold=0.5)))
    act(
        acting,
        "Sign in",
        PICTURE.reshape((400, 800)) if hasattr(PICTURE, "reshape") else PICTURE.rotate(90, expand=True),
    )
    assert len(parser.calls) == 4


def test_stopping_while_the_model_speaks_stops_the_model():
    acting = agent("Mark: 1. and so on, for a long time")
    step = acting.act(PICTURE, "Sign in")
    for stage in step:
        if stage.startswith("choosing a mark "):
            break
    step.close()
    assert acting._loaded[0].closed


def test_the_record_is_json_in_pixels_and_shares():
    record = act(agent("Mark: 1."), "x").record()
    assert record["point"] == [60, 25] and record["point_unit"] == [0.075, 0.0625] and record["size"] == [800, 400]
    assert [element["mark"] for element in record["elements"]] == [1, 2, 3, 4]
    assert record["seconds"]["total"] >= 0 and list(record["seconds"])[-1] == "total"


points = st.builds(Point, st.floats(0, 1), st.floats(0, 1))


@settings(deadline=None)
@given(
    st.one_of(st.none(), points),
    st.one_of(st.none(), st.integers(1, 4)),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_every_click_resolves_to_a_point_on_the_picture(point, mark, size):
    if point is None and mark is None:
        return
    screen = Screen(size, tuple(Element(i, Box(0, 0, size[0] / i, size[1] / i), "text") for i in range(1, 5)), "")
    clicked, on, _ = resolve_click(Click(point, mark), screen, size)
    assert 0 <= clicked.x <= size[0] - 1 and 0 <= clicked.y <= size[1] - 1
    assert mark is None or on == mark


def test_text_off_a_screen_is_no_formula_in_a_spreadsheet():
    assert "'=HYPERLINK" in to_csv(["text"], [['=HYPERLINK("http://evil.example")']])
    assert to_csv(["n"], [[-5]]) == "n\r\n-5\r\n"
