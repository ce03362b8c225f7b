"""Panels of pages drawn here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.geometry import Box
from core.screen.panels import MOST, find_panels

TEXTS = [Box(0, 0, 80, 16)] * 3


def panels(*boxes: tuple[tuple[int, int, int, int], str], ground: str = "#eef1f5", size=(900, 700)) -> list[Box]:
    """The panels of a picture of rounded boxes, each (its corners, its colour), later ones on top."""
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    for corners, colour in boxes:
        draw.rounded_rectangle(corners, 6, fill=colour, outline="#c8ccd2")
    return find_panels(np.asarray(image), TEXTS)


def near(found: list[Box], *corners: tuple[int, int, int, int]) -> bool:
    """Whether these are the panels, to a few pixels."""
    return len(found) == len(corners) and all(
        any(max(abs(a - b) for a, b in zip(box.as_ints(), wanted, strict=True)) <= 4 for box in found)
        for wanted in corners
    )


LEFT, RIGHT = (40, 100, 400, 400), (440, 100, 860, 400)


def test_cards_beside_each_other_and_the_row_in_one() -> None:
    row = (60, 150, 380, 200)
    found = panels((LEFT, "white"), (RIGHT, "white"), (row, "#f4f6fa"))
    assert near(found, LEFT, RIGHT, row)
    assert found[0].area == max(box.area for box in found)


def test_a_menu_on_a_card_dents_it() -> None:
    menu = (350, 300, 560, 520)
    assert near(panels((LEFT, "white"), (RIGHT, "white"), (menu, "#fdfdfd")), LEFT, RIGHT, menu)


def test_buttons_and_the_screen_itself_are_none() -> None:
    assert panels(((40, 100, 140, 126), "#1d4ed8")) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (64, 64)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    assert panels(((0, 0, 60, 60), "white"), size=size) == []


def test_a_wall_of_cards_gives_the_largest_up_to_a_bound() -> None:
    cards = [(x, y, x + 96, y + 96 + (x > 1800) * 4) for x in range(10, 2110, 100) for y in range(10, 2110, 104)]
    found = panels(*((card, "white") for card in cards), size=(2200, 2300))
    assert len(cards) > MOST == len(found)
    assert found[0].height > found[-1].height
