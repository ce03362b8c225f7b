"""What the model-free planner understands of a task's words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.robot_planner.colours import COLOUR_WORDS
from apps.robot_planner.tabletop import make_scene
from apps.robot_planner.task import SHAPE_WORDS, Task, describe, read_task


def read(text: str) -> Task:
    task = read_task(text)
    assert isinstance(task, Task), f"{text}: {task}"
    return task


@pytest.mark.parametrize(
    ("text", "thing", "kind", "towards", "anchors"),
    [
        ("push the red block to the left edge of the table", "red block", "edge", (-1, 0), ()),
        ("Please push the red block to the left side.", "red block", "edge", (-1, 0), ()),
        ("slide the box to the far right corner", "box", "edge", (1, -1), ()),
        ("move the can to the near edge", "can", "edge", (0, 1), ()),
        ("push the ball to the centre of the table", "ball", "centre", (0, 0), ()),
        ("move the ball into the middle of the picture", "ball", "centre", (0, 0), ()),
        ("put the yellow box down on the table", "yellow box", "centre", (0, 0), ()),
        ("push the cup on the table to the left edge", "cup", "edge", (-1, 0), ()),
        ("lower the box onto the table", "box", "centre", (0, 0), ()),
        ("put the cup on the table next to the can", "cup", "beside", (0, 0), ("can",)),
        ("put the red block on the left of the table", "red block", "edge", (-1, 0), ()),
        ("move the cup to the left", "cup", "direction", (-1, 0), ()),
        ("push the cup backwards", "cup", "direction", (0, 1), ()),
        ("pick up the green cylinder", "green cylinder", "lift", (0, 0), ()),
        ("pick the green cylinder up", "green cylinder", "lift", (0, 0), ()),
        ("lift the apple from the table", "apple", "lift", (0, 0), ()),
        ("put the blue cup next to the yellow box", "blue cup", "beside", (0, 0), ("yellow box",)),
        ("put the blue cup to the left of the yellow box", "blue cup", "left of", (0, 0), ("yellow box",)),
        ("put the cup on the right side of the yellow box", "cup", "right of", (0, 0), ("yellow box",)),
        ("place the cube behind the can", "cube", "behind", (0, 0), ("can",)),
        ("place the cube in front of the can", "cube", "in front of", (0, 0), ("can",)),
        ("stack the red block on the green one", "red block", "on", (0, 0), ("green one",)),
        ("drop the ball into the bowl", "ball", "in", (0, 0), ("bowl",)),
        ("push the ball away from the cup", "ball", "away from", (0, 0), ("cup",)),
        ("push the ball towards the cup", "ball", "towards", (0, 0), ("cup",)),
        ("put the ball between the cup and the can", "ball", "between", (0, 0), ("cup", "can")),
        ("pick up the red cube and put it onto the blue plate", "red cube", "on", (0, 0), ("blue plate",)),
        ("pick up the red cube, then move it to the left edge", "red cube", "edge", (-1, 0), ()),
    ],
)
def test_a_task_is_read_as_its_thing_and_its_goal(text, thing, kind, towards, anchors):
    task = read(text)
    assert (task.thing.words, task.goal.kind, task.goal.towards) == (thing, kind, towards)
    assert tuple(anchor.words for anchor in task.goal.anchors) == anchors


def test_what_is_put_is_carried_and_what_is_pushed_slides():
    assert read("put the cup next to the can").carried and read("pick up the cup").carried
    assert read("pick up the cup and push it to the left edge").carried
    assert not read("push the cup next to the can").carried


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no motion"),
        ("the red block", "no motion"),
        ("open the drawer", "no motion"),
        ("push", "what to move"),
        ("push to the left edge", "what to move"),
        ("push the red block", "where to move it"),
        ("\u628a\u7ea2\u8272\u7684\u79ef\u6728\u63a8\u5230\u5de6\u8fb9", "no motion"),
    ],
)
def test_what_cannot_be_understood_is_said(text, reason):
    assert reason in read_task(text)


def test_a_description_names_colour_shape_size_and_place():
    described = describe("the small dark-red leftmost cube")
    assert (described.size, described.colour, described.shape, described.place) == (-1, "red", "box", (-1, 0))
    assert describe("the navy mug").colour == "blue" and describe("the orange").shape == "ball"
    assert describe("the orange cup").colour == "orange"
    assert describe("the spanner").unknown == "spanner" and not describe("the spanner").says_something


def test_the_simulated_scenes_tasks_are_all_understood():
    for seed in range(200):
        scene = make_scene(seed)
        task = read(scene.task)
        subject = scene.things[scene.task_given.subject]
        assert task.thing.colour == subject.colour and task.thing.words == subject.name
        assert (task.goal.kind == "lift") == (scene.task_given.kind == "pick up")


words = st.sampled_from(
    [*COLOUR_WORDS, *SHAPE_WORDS, "push", "put", "pick up", "to", "the", "left", "of", "edge", "next to", "and", "it"]
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(words, max_size=20).map(" ".join)))
def test_any_text_is_a_task_or_a_reason(text):
    task = read_task(text)
    assert task if isinstance(task, str) else task.thing.words and task.goal
