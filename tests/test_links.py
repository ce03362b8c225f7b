"""Links inside lines of text, on lines drawn here with the boxes of their words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from core.geometry import Box
from core.screen.elements import Element, Word
from core.screen.links import with_links

FONT = ImageFont.load_default(16)
BLACK, BLUE, GREY, RED = "#202122", "#3366cc", "#9a9ca0", "#c01818"


def line(*words: tuple[str, str], ground: str = "white", kind: str = "text") -> tuple[np.ndarray, Element]:
    """A picture of one line and the line; words are (text, colour), a text may stand close to the one before it."""
    image = Image.new("RGB", (900, 40), ground)
    draw = ImageDraw.Draw(image)
    x, boxes, text = 10.0, [], ""
    for word, colour in words:
        close = word.startswith("\b")
        word = word.removeprefix("\b")
        x += 0 if close or not boxes else 5
        draw.text((x, 10), word, font=FONT, fill=colour)
        width = draw.textlength(word, font=FONT)
        boxes.append(Word(word, Box(x, 8, x + width, 30)))
        text += ("" if close or not text else " ") + word
        x += width
    whole = Box(10, 8, x, 30)
    return np.asarray(image), Element(0, whole, kind, text, confidence=0.9, words=tuple(boxes))


def plain(text: str, colour: str = BLACK) -> list[tuple[str, str]]:
    return [(word, colour) for word in text.split()]


def links(*words: tuple[str, str], **options: str) -> list[str]:
    image, element = line(*words, **options)
    first, *found = with_links(image, [element])
    return [first.text, *(link.text for link in found)]


PROSE = plain("It is the mean height of the surface")


def test_words_in_another_colour_are_a_link_and_the_line_stays_whole() -> None:
    image, element = line(*PROSE, *plain("tide gauges,", BLUE), *plain("since long ago"))
    whole, link = with_links(image, [element])
    assert whole == element
    assert (link.text, link.kind, len(link.words)) == ("tide gauges", "text", 2)
    assert link.box.x1 == element.words[8].box.x1 and link.box.x2 == element.words[9].box.x2


@pytest.mark.parametrize(("ground", "ink", "link"), [("white", BLACK, BLUE), ("#101418", "#e6e6e6", "#6ea8ff")])
def test_on_any_ground(ground: str, ink: str, link: str) -> None:
    words = [*plain("It is the mean height of the surface", ink), ("oceans", link)]
    assert links(*words, ground=ground)[1:] == ["oceans"]


def test_a_paler_ink_of_the_same_colour_is_no_link() -> None:
    assert len(links(*PROSE, *plain("some say", GREY), *plain("and more"))) == 1


def test_square_brackets_at_the_end_are_no_part_of_a_headline() -> None:
    image, element = line(*plain("Causes of change"), ("[edit", BLUE), ("source]", BLUE))
    title, link = with_links(image, [element])
    assert (title.text, link.text) == ("Causes of change", "[edit source]")
    assert title.box.x2 == title.words[-1].box.x2 < link.box.x1


def test_brackets_in_the_ink_of_their_line_belong_to_it() -> None:
    assert links(*plain("Fix the broken build [urgent]")) == ["Fix the broken build [urgent]"]


def test_words_outside_the_picture_are_no_fault() -> None:
    image, _ = line(*PROSE, ("oceans", BLUE))
    moved = Element(
        0, Box(-900, -40, -10, -2), "text", "a b", words=(Word("a", Box(-20, -9, -5, -1)), Word("b", Box(2, -4, 9, 3)))
    )
    assert with_links(image, [moved])[0] == moved


def test_a_footnote_inside_a_line_stands_where_its_number_is() -> None:
    image, element = line(*PROSE, ("\b[2]", BLUE), *plain("since long ago"))
    picture = image.copy()
    number = element.words[8].box.as_ints()
    picture[:, number[0] : number[2]] = 255
    picture[9:16, number[0] + 1 : number[2] - 1] = (51, 102, 204)
    whole, link = with_links(picture, [element])
    assert whole == element and link.text == "[2]"
    assert (link.box.y1, link.box.y2) == (9, 16)


def test_dots_part_the_entries_of_a_line() -> None:
    assert links(*plain("by Petra Novak · 14 comments · Share"))[1:] == ["by Petra Novak", "14 comments", "Share"]


def test_short_lines_of_two_colours_are_taken_apart() -> None:
    assert links(*plain("Main article:"), *plain("Coastal budgets", BLUE))[1:] == ["Main article", "Coastal budgets"]


@pytest.mark.parametrize(
    "words",
    [
        PROSE,
        plain("all of it is a link", BLUE),
        plain("· | ·"),
        [("word", colour) for colour in (BLACK, RED, BLUE, RED, BLACK, BLUE, RED, "#0a8a0a", BLUE, RED, BLUE, BLACK)],
    ],
    ids=["one colour", "a link alone", "dots alone", "a line of a program"],
)
def test_lines_without_links(words: list[tuple[str, str]]) -> None:
    assert len(links(*words)) == 1


def test_only_plain_lines_are_taken_apart() -> None:
    assert len(links(*PROSE, ("here", BLUE), kind="button")) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "[b", "c]", "·", "[1]", "]", "word", "x:"]), st.integers(-5, 60)), max_size=9
    ),
    st.integers(0, 3),
)
def test_any_line_of_words_keeps_its_text_and_gives_words_of_its_own(pieces: list, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
    words = tuple(Word(text, Box(x, 5, x + 8, 5 + seed * 8)) for text, x in pieces)
    element = Element(0, Box(0, 5, 60, 30), "text", " ".join(text for text, _ in pieces), words=words)
    first, *found = with_links(image, [element])
    assert element.text.startswith(first.text)
    assert all(link.words and set(link.words) <= set(words) for link in found)
