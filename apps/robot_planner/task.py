"""Reads a task such as "push the small red block to the left edge" into its parts, by rules alone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from apps.robot_planner.colours import COLOUR_WORDS

Shape = Literal["box", "cylinder", "ball", "cone", "cup", "flat"]
Relation = Literal["beside", "left of", "right of", "behind", "in front of", "on", "in", "towards", "away from"]
GoalKind = Literal["lift", "edge", "centre", "direction", "between"] | Relation
Direction = tuple[int, int]
"""A way in the picture, each of x and y -1, 0 or 1. The back of a table is up, its front is down."""

SHAPE_WORDS: dict[str, Shape | None] = {
    "block": "box", "cube": "box", "box": "box", "brick": "box", "cuboid": "box", "carton": "box", "square": "box",
    "cylinder": "cylinder", "can": "cylinder", "tube": "cylinder", "bottle": "cylinder", "jar": "cylinder",
    "ball": "ball", "sphere": "ball", "apple": "ball", "orange": "ball", "tomato": "ball", "egg": "ball",
    "cone": "cone", "pyramid": "cone", "triangle": "cone", "wedge": "cone", "prism": "cone",
    "cup": "cup", "mug": "cup", "glass": "cup", "beaker": "cup",
    "plate": "flat", "dish": "flat", "disc": "flat", "disk": "flat", "bowl": "flat", "coin": "flat", "tray": "flat",
    "object": None, "thing": None, "one": None, "item": None, "toy": None, "piece": None, "it": None, "shape": None,
}  # fmt: skip
"""What a noun looks like; None where it says nothing of that."""

_SIZES = {"small": -1, "smaller": -1, "smallest": -1, "little": -1, "tiny": -1, "short": -1}
_SIZES |= {"large": 1, "larger": 1, "largest": 1, "big": 1, "bigger": 1, "biggest": 1, "huge": 1, "tall": 1}
_PLACES: dict[str, Direction] = {
    "leftmost": (-1, 0), "rightmost": (1, 0), "topmost": (0, -1), "bottommost": (0, 1), "left": (-1, 0),
    "right": (1, 0), "front": (0, 1), "nearest": (0, 1), "closest": (0, 1), "back": (0, -1), "rear": (0, -1),
    "far": (0, -1), "farthest": (0, -1), "furthest": (0, -1), "top": (0, -1), "bottom": (0, 1), "near": (0, 1),
    "upper": (0, -1), "lower": (0, 1),
}  # fmt: skip
_SILENT = frozenset(
    "a an the this that these those my your its of on in at from with is are which there hand side table desk and "
    "please coloured colored plastic rubber solid whole same other very most robot arm gripper away over dark light "
    "bright pale deep wooden metal".split()
)

_SLIDE = "push|slide|move|shift|drag|pull|bring|roll|nudge|sweep|guide|send"
_CARRY = "put|place|set|lay|drop|stack|transfer|carry|take|lower"
_LIFT = "pick up|pick|lift up|lift|raise|grasp|grab|take up|hold up"
_VERB = re.compile(rf"\b(?:(?P<lift>{_LIFT})|(?P<carry>{_CARRY})|(?P<slide>{_SLIDE}))\b")
_POLITE = re.compile(
    r"^(?:please |can you |could you |would you |the robot (?:should|must|has to|is to) |now |robot,? )+"
)
_SIDE = r"left|right|top|bottom|back|front|rear|far|near|upper|lower"
_SURFACE = r"(?:table(?:top)?|desk|counter|surface|board|mat|picture|image|scene|frame|workspace)"
_TO = r"(?:\b(?:in)?to|\btowards?|\bagainst|\bat|\bon(?:to)?|\bnear|\bover to|\bby)\s+"

_EDGE = re.compile(
    rf"{_TO}(?:the\s+)?(?:very\s+)?(?P<first>{_SIDE})(?:[ -]hand)?(?:[ -]+(?P<second>{_SIDE}))?[ -]+"
    rf"(?:edge|side|end|border|rim|corner|part|half)\b(?!\s+of\s+(?!(?:the|this|a)\s+{_SURFACE}))"
    rf"(?:\s+of\s+\w+\s+{_SURFACE})?"
)
_CENTRE = re.compile(
    rf"{_TO}(?:the\s+)?(?:very\s+)?(?:centre|center|middle)\b(?!\s+of\s+(?!(?:the|this|a)\s+{_SURFACE}))"
    rf"(?:\s+of\s+\w+\s+{_SURFACE})?"
)
_BETWEEN = re.compile(r"\b(?:in\s+)?between\s+(?P<one>.+?)\s+and\s+(?P<other>.+)")
_DIRECTION = re.compile(
    r"\b(?:to the |towards the )?(?P<way>left|right|back|front|forwards?|backwards?|leftwards?|rightwards?|upwards?|"
    r"downwards?|away|up|down)\s*(?:a (?:bit|little)|slightly|from (?:you|me|us)|$)"
)
_WAYS: dict[str, Direction] = {
    "left": (-1, 0), "right": (1, 0), "back": (0, -1), "front": (0, 1), "forward": (0, -1), "backward": (0, 1),
    "leftward": (-1, 0), "rightward": (1, 0), "upward": (0, -1), "downward": (0, 1), "away": (0, -1), "up": (0, -1),
    "down": (0, 1),
}  # fmt: skip
_ITS = r"(?:\s+(?:hand\s+)?(?:side|edge))?\s+of\s+"
_RELATIONS: tuple[tuple[Relation, re.Pattern[str]], ...] = tuple(
    (relation, re.compile(pattern))
    for relation, pattern in (
        ("left of", rf"\b(?:to the |on the |at the |just )?left{_ITS}"),
        ("right of", rf"\b(?:to the |on the |at the |just )?right{_ITS}"),
        ("in front of", rf"\b(?:in front{_ITS}|before\s+)"),
        ("behind", rf"\b(?:behind\s+|at the back{_ITS})"),
        ("away from", r"\b(?:far )?away from\s+"),
        ("beside", r"\b(?:right |just )?(?:next to|beside|close to|adjacent to|alongside|near(?: to)?|against|by)\s+"),
        ("in", r"\b(?:into|inside(?: of)?|in)\s+(?=the|a|an|my|that|this)"),
        ("on", r"\b(?:onto|on top of|on to|on|upon|over|above)\s+(?=the|a|an|my|that|this|\w+$)"),
        ("towards", r"\b(?:towards?|up to|over to|to)\s+"),
    )
)
_TABLE_SIDES: dict[Relation, Direction] = {
    "left of": (-1, 0), "right of": (1, 0), "behind": (0, -1), "in front of": (0, 1)
}  # fmt: skip
_LYING = re.compile(rf"\s(?:lying |standing )?(?:on|from|off)\s(?:the|a|my)\s{_SURFACE}(?=\s)")
"""Where a thing is now, when more follows."""


@dataclass(frozen=True)
class Description:
    """What the task says of a thing: ``words`` as they stand there; None or 0 where it says nothing.

    ``size`` is -1 for small, 1 for large. ``place`` says which of several: (-1, 0) is the leftmost. ``unknown`` is a
    noun without a shape that is known here.
    """

    words: str
    colour: str | None = None
    shape: Shape | None = None
    size: int = 0
    place: Direction = (0, 0)
    unknown: str = ""

    @property
    def says_something(self) -> bool:
        return bool(self.colour or self.shape or self.size or self.place != (0, 0))


@dataclass(frozen=True)
class Goal:
    """Where the thing goes: ``towards`` for an edge and a direction, ``anchors`` for a relation to other things."""

    kind: GoalKind
    towards: Direction = (0, 0)
    anchors: tuple[Description, ...] = ()


@dataclass(frozen=True)
class Task:
    """``carried`` tells a thing that is lifted on its way from one that slides."""

    thing: Description
    goal: Goal
    carried: bool


def read_task(text: str) -> Task | str:
    """The task's parts, or a sentence that says what cannot be understood."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"[^\w\s,'-]", " ", text.replace("\u2019", "'"))
    text = _LYING.sub("", _POLITE.sub("", re.sub(r"\s+", " ", text).strip()))
    verb = _VERB.search(text)
    if verb is None:
        return "the task names no motion that is known here, such as push, pick up, move, put or stack"
    rest = text[verb.end() :].strip(" ,")
    # "pick up X and put it on Y": what is named first is the thing, what is done last is the goal.
    then = re.search(rf"(?:,| and| then)+\s+(?:{_CARRY}|{_SLIDE})\s+(?:it|that)\b", rest)
    if then:
        thing, (_, goal) = rest[: then.start()], _split("it " + rest[then.end() :].strip())
    else:
        thing, goal = _split(rest)
    thing = describe(re.sub(r"\s+(?:up|down|over|back)$", "", thing.strip()))
    if verb["lift"] and not then:
        goal = Goal("lift")  # "from the table", "next to the cup" then say where the thing is
    if not thing.words:
        return "the task does not say what to move"
    if goal is None:
        return "the task does not say where to move it, such as to the left edge, next to the cup, or onto the plate"
    return Task(thing, goal, carried=not verb["slide"] or bool(then))


def _split(text: str) -> tuple[str, Goal | None]:
    """The words for the thing, and the goal that the first fitting words after it name."""
    found: list[tuple[int, int, str, Goal]] = []
    for match in _EDGE.finditer(text):
        first, second = _PLACES[match["first"]], _PLACES.get(match["second"] or "", (0, 0))
        found.append((match.start(), 0, text[: match.start()], Goal("edge", _sum(first, second))))
    for match in _CENTRE.finditer(text):
        found.append((match.start(), 0, text[: match.start()], Goal("centre")))
    for match in _BETWEEN.finditer(text):
        anchors = describe(match["one"]), describe(match["other"])
        found.append((match.start(), 0, text[: match.start()], Goal("between", anchors=anchors)))
    for match in _DIRECTION.finditer(text):
        way = _WAYS[match["way"].removesuffix("s")]
        found.append((match.start(), 1, text[: match.start()], Goal("direction", way)))
    for order, (relation, pattern) in enumerate(_RELATIONS, 2):
        for match in pattern.finditer(text):
            anchor = describe(text[match.end() :])
            if re.fullmatch(_SURFACE, anchor.words):  # the table is no thing beside which there is a place
                goal = Goal("edge", _TABLE_SIDES[relation]) if relation in _TABLE_SIDES else Goal("centre")
                found.append((match.start(), order, text[: match.start()], goal))
            elif anchor.words and match.start() > 0:
                found.append((match.start(), order, text[: match.start()], Goal(relation, anchors=(anchor,))))
    if not found:
        return text, None
    _, _, thing, goal = min(found, key=lambda reading: reading[:2])
    return thing, goal


def _sum(one: Direction, other: Direction) -> Direction:
    return (one[0] or other[0], one[1] or other[1])


def describe(phrase: str) -> Description:
    """What a phrase such as "the small red block on the left" says."""
    phrase = re.split(r"\s(?:from|off|out of|that|which|lying|standing)\s", phrase)[0]
    listed = re.findall(r"[\w']+", phrase)
    colour, shape, size, place, unknown = None, None, 0, (0, 0), ""
    for word in listed:
        noun = _noun(word)
        if word in _SIZES:
            size = _SIZES[word]
        elif word in _PLACES:
            place = _sum(place, _PLACES[word])
        elif word in COLOUR_WORDS and not (word == "orange" and colour):
            colour = COLOUR_WORDS[word]
        elif noun is not None:
            shape, unknown = SHAPE_WORDS[noun], ""
        elif word not in _SILENT and shape is None:
            unknown = word
    if listed[-1:] == ["orange"]:  # the fruit
        shape = SHAPE_WORDS["orange"]
    words = re.sub(r"^(?:the|a|an|my|that|this)\s+", "", " ".join(listed))
    return Description(words, colour, shape, size, place, unknown)


def _noun(word: str) -> str | None:
    return next((form for form in (word, word.removesuffix("s"), word.removesuffix("es")) if form in SHAPE_WORDS), None)
