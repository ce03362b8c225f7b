"""Controls are found where they are drawn, told apart by what they look like, and not found where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from core.geometry import Box
from core.screen.controls import MOST, find_controls
from core.screen.elements import Element

LIGHT = {"ground": (255, 255, 255), "ink": (40, 40, 40), "line": (190, 190, 190), "accent": (30, 110, 230)}
DARK = {"ground": (30, 31, 34), "ink": (225, 225, 225), "line": (90, 92, 98), "accent": (70, 130, 250)}
TEXT_HEIGHT = 12


class Page:
    """A drawn screen, and the boxes of its texts: bars, since the finder knows no more of a text than its box."""

    def __init__(self, colours: dict, size: tuple[int, int] = (800, 600)) -> None:
        self.colours = colours
        self.image = Image.new("RGB", size, colours["ground"])
        self.canvas = ImageDraw.Draw(self.image)
        self.texts: list[Box] = []

    def text(self, x: int, y: int, width: int, colour=None) -> None:
        for left in range(x, x + width - 4, 6):
            self.canvas.rectangle((left, y, left + 3, y + TEXT_HEIGHT - 1), fill=colour or self.colours["ink"])
        self.texts.append(Box(x, y, x + width, y + TEXT_HEIGHT))

    def magnifier(self, x: int, y: int) -> Box:
        self.canvas.ellipse((x, y, x + 11, y + 11), outline=self.colours["ink"], width=2)
        self.canvas.line((x + 10, y + 10, x + 15, y + 15), fill=self.colours["ink"], width=2)
        return Box(x, y, x + 16, y + 16)

    def find(self) -> list[Element]:
        return find_controls(np.asarray(self.image), self.texts)

    def at(self, box: Box) -> Element:
        return max(self.find(), key=lambda element: element.box.iou(box))


@pytest.fixture(params=[LIGHT, DARK], ids=["light", "dark"])
def page(request) -> Page:
    page = Page(request.param)
    page.text(40, 560, 100)  # a page has a text somewhere, which gives the scale
    return page


def test_a_filled_button(page):
    page.canvas.rounded_rectangle((100, 100, 199, 131), 6, fill=page.colours["accent"])
    page.text(125, 110, 50, (255, 255, 255))
    found = page.at(Box(100, 100, 200, 132))
    assert found.kind == "button" and found.clickable and found.box.iou(Box(100, 100, 200, 132)) > 0.9


def test_a_search_field_and_the_icons_in_it(page):
    page.canvas.rounded_rectangle((100, 100, 499, 139), 18, outline=page.colours["line"], width=1)
    left, right = page.magnifier(112, 112), page.magnifier(470, 112)
    page.text(140, 114, 90)
    field = page.at(Box(100, 100, 500, 140))
    assert field.kind == "field" and field.box.iou(Box(100, 100, 500, 140)) > 0.9
    for box in (left, right):
        icon = page.at(box)
        assert icon.kind == "icon" and icon.box.iou(box) > 0.8


def test_an_icon_right_beside_a_text(page):
    box = page.magnifier(100, 100)
    page.text(122, 102, 60)
    icon = page.at(box)
    assert icon.kind == "icon" and icon.box.iou(box) > 0.8


def test_the_cells_of_a_sheet_do_not_crowd_out_its_icons():
    page = Page(LIGHT, (1300, 900))
    page.text(20, 10, 60)
    icon = page.magnifier(100, 40)
    for row in range(30):
        for column in range(25):
            x, y = 20 + 50 * column, 80 + 26 * row
            page.canvas.rectangle((x, y, x + 50, y + 26), outline=page.colours["line"])
    assert page.at(icon).kind == "icon" and page.at(icon).box.iou(icon) > 0.8


def test_a_hill_or_the_sky_of_a_drawing_is_no_field(page):
    page.canvas.rectangle((100, 100, 599, 299), fill=(120, 170, 210))
    for step in range(200):
        page.canvas.line((100, 100 + step, 599, 100 + step), fill=(60 + step // 2, 120 + step // 3, 200))
    page.canvas.polygon([(100, 300), (180, 240), (300, 280), (450, 225), (600, 300), (600, 380), (100, 380)], "#294")
    assert not [element for element in page.find() if element.kind == "field"]


def test_a_window_button_in_the_corner(page):
    page.canvas.line((782, 8, 792, 18), fill=page.colours["ink"], width=2)
    page.canvas.line((792, 8, 782, 18), fill=page.colours["ink"], width=2)
    assert page.at(Box(782, 8, 793, 19)).box.iou(Box(782, 8, 793, 19)) > 0.7


def test_parts_of_one_icon_are_one_and_icons_in_a_column_are_several(page):
    for y in (100, 105, 110):
        page.canvas.rectangle((100, y, 115, y + 1), fill=page.colours["ink"])
    menu = page.at(Box(100, 100, 116, 112))
    assert menu.box.iou(Box(100, 100, 116, 112)) > 0.8
    column = [page.magnifier(300, y) for y in (100, 122, 144, 166)]
    found = page.find()
    assert all(any(element.box.iou(box) > 0.8 for element in found) for box in column)


def test_a_checkbox_has_a_label_and_is_hollow(page):
    page.canvas.rectangle((100, 100, 115, 115), outline=page.colours["line"], width=1)
    page.text(124, 102, 80)
    page.canvas.rectangle((400, 200, 415, 215), outline=page.colours["line"], width=1)
    assert page.at(Box(100, 100, 116, 116)).kind == "checkbox"
    assert page.at(Box(400, 200, 416, 216)).kind != "checkbox"


@pytest.mark.parametrize("on", [True, False])
def test_a_toggle_has_its_knob_at_an_end(page, on):
    page.canvas.rounded_rectangle((100, 100, 143, 123), 12, fill=page.colours["accent" if on else "line"])
    x = 121 if on else 102
    page.canvas.ellipse((x, 102, x + 19, 121), fill=(255, 255, 255) if on else page.colours["ink"])
    assert page.at(Box(100, 100, 144, 124)).kind == "toggle"


def test_joined_buttons_are_several_icons(page):
    ink, line = page.colours["ink"], page.colours["line"]
    page.canvas.rounded_rectangle((100, 100, 192, 130), 4, outline=line)
    boxes = [Box(100 + 31 * i, 100, 131 + 31 * i, 130) for i in range(3)]
    for i, box in enumerate(boxes):
        page.canvas.line((box.x1, 101, box.x1, 129), fill=line) if i else None
        page.canvas.ellipse((box.x1 + 9, 108, box.x1 + 22, 121), outline=ink, width=3)
    found = page.find()
    assert all(sum(e.kind == "icon" and box.contains(e.box.center) for e in found) >= 1 for box in boxes)
    assert not [e for e in found if e.box.width > 40 and e.kind != "text"]


def test_parts_far_apart_are_one_icon(page):
    ink = page.colours["ink"]
    for x in (100, 112):
        page.canvas.rectangle((x, 100, x + 3, 119), fill=ink)  # pause
    for y in (100, 113, 126):
        page.canvas.ellipse((300, y, 304, y + 4), fill=ink)  # more
    assert page.at(Box(100, 100, 116, 120)).box.iou(Box(100, 100, 116, 120)) > 0.6
    assert page.at(Box(300, 100, 305, 131)).box.iou(Box(300, 100, 305, 131)) > 0.5


def test_tiny_staggered_marks_are_no_fault(page):
    for i in range(3):
        page.canvas.rectangle((100 + 4 * i, 100 - i % 2, 101 + 4 * i, 100 - i % 2), fill=page.colours["ink"])
        page.canvas.rectangle((200 + 5 * i, 101 - i, 201 + 5 * i, 102 - i), fill=page.colours["ink"])
    assert all(e.box.width > 0 and e.box.height > 0 for e in page.find())


def test_a_dash_is_an_icon_and_a_line_is_none(page):
    page.canvas.rectangle((100, 100, 113, 101), fill=page.colours["ink"])
    page.canvas.rectangle((300, 100, 420, 101), fill=page.colours["ink"])
    assert [e.kind for e in page.find() if e.box.y2 < 120 and e.box.x1 < 200] == ["icon"]
    assert not [e for e in page.find() if e.box.y2 < 120 and e.box.x1 > 200]


def test_tick_boxes_in_a_column_need_no_label_and_samples_of_colour_are_none(page):
    for y in (100, 140, 180):
        page.canvas.rectangle((100, y, 115, y + 15), outline=page.colours["ink"])
        page.canvas.rectangle((300, y, 315, y + 15), fill=(200, 30, 30), outline=(0, 0, 0))
    found = page.find()
    assert {e.kind for e in found if e.box.inside(Box(95, 95, 120, 200)) > 0.9} == {"checkbox"}
    assert "checkbox" not in {e.kind for e in found if e.box.x1 > 200}


def test_a_card_is_left_out_for_what_it_holds(page):
    page.canvas.rectangle((100, 100, 279, 279), outline=page.colours["line"], width=1)
    for y in (120, 150, 180):
        page.text(120, y, 120)
    icon = page.magnifier(130, 230)
    found = page.find()
    assert not any(element.box.iou(Box(100, 100, 280, 280)) > 0.5 for element in found)
    assert any(element.box.iou(icon) > 0.8 for element in found)


def test_a_row_of_two_texts_is_left_out_for_them(page):
    page.canvas.rounded_rectangle((100, 100, 499, 139), 6, fill=page.colours["accent"])
    page.text(115, 114, 150, (255, 255, 255))
    page.text(430, 114, 40, (255, 255, 255))
    assert not any(element.box.iou(Box(100, 100, 500, 140)) > 0.5 for element in page.find())


def test_a_photograph_is_an_image_and_not_a_heap_of_icons(page):
    noise = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((200, 150), Image.Resampling.BICUBIC)
    page.image.paste(photo, (300, 200))
    found = page.find()
    (image,) = [element for element in found if element.kind == "image"]
    assert image.box.iou(Box(300, 200, 500, 350)) > 0.85
    assert not any(element is not image and element.box.inside(image.box) > 0.8 for element in found)


def test_flat_pictures_and_gradients_hold_nothing():
    ramp = np.linspace(0, 255, 900)[None, :, None].repeat(600, 0).repeat(3, 2).astype(np.uint8)
    for picture in (np.zeros((600, 900, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8), ramp):
        assert find_controls(picture, []) == []


def test_noise_makes_no_more_than_a_bounded_number():
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    assert len(find_controls(noise, [])) <= MOST + 20


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (1920, 1), (2, 2), (17, 900)])
def test_odd_sizes(size):
    find_controls(np.zeros((size[1], size[0], 3), np.uint8), [])


@settings(max_examples=40, deadline=None)
@given(
    x=st.integers(5, 500),
    y=st.integers(5, 400),
    width=st.integers(60, 250),
    height=st.integers(24, 50),
    dark=st.booleans(),
)
def test_a_button_anywhere_is_found_to_the_pixel(x, y, width, height, dark):
    page = Page(DARK if dark else LIGHT)
    page.canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=page.colours["accent"])
    page.text(x + width // 2 - 20, y + height // 2 - 6, 40, (255, 255, 255))
    box = Box(x, y, x + width, y + height)
    found = page.at(box).box
    assert max(abs(found.x1 - box.x1), abs(found.y1 - box.y1), abs(found.x2 - box.x2), abs(found.y2 - box.y2)) <= 1
