"""The embedded parser on whole screens: what is on them, what its options do, and that nothing makes it fall."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from core.errors import UserError
from core.generators import finish
from core.geometry import Box
from core.screen import Element, ParseOptions, Screen
from core.screen.embedded import EmbeddedParser

SCREENS = Path(__file__).parents[2] / "shared" / "screens"


@pytest.fixture(scope="module")
def parser() -> EmbeddedParser:
    return EmbeddedParser()


def login(scale: int = 1) -> Image.Image:
    """A dialog with a title, two fields, a checkbox, two buttons and a close cross; boxes are as in LOGIN, scaled."""
    image = Image.new("RGB", (640 * scale, 400 * scale), (243, 244, 246))
    canvas = ImageDraw.Draw(image)

    def font(size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.load_default(size * scale)

    def at(*values: int) -> tuple[int, ...]:
        return tuple(value * scale for value in values)

    ink, line, white = (40, 40, 45), (170, 175, 180), (255, 255, 255)
    canvas.text(at(80, 40), "Sign in to your account", fill=ink, font=font(22))
    for y, hint in ((100, "Email address"), (160, "Password")):
        canvas.rectangle(at(80, y, 560, y + 39), fill=white, outline=line, width=scale)
        canvas.text(at(94, y + 11), hint, fill=(120, 120, 125), font=font(15))
    canvas.rectangle(at(80, 224, 95, 239), fill=white, outline=line, width=scale)
    canvas.text(at(104, 223), "Remember me", fill=ink, font=font(15))
    canvas.rounded_rectangle(at(80, 270, 199, 309), 6 * scale, fill=(28, 100, 220))
    canvas.text(at(112, 281), "Sign in", fill=white, font=font(15))
    canvas.rounded_rectangle(at(220, 270, 339, 309), 6 * scale, fill=white, outline=line, width=scale)
    canvas.text(at(254, 281), "Cancel", fill=ink, font=font(15))
    canvas.line(at(610, 14, 622, 26), fill=ink, width=2 * scale)
    canvas.line(at(622, 14, 610, 26), fill=ink, width=2 * scale)
    return image


LOGIN = {
    "Sign in to your account": ("text", Box(80, 40, 320, 66)),
    "Email address": ("field", Box(80, 100, 561, 140)),
    "Password": ("field", Box(80, 160, 561, 200)),
    "Remember me": ("text", Box(104, 223, 200, 241)),
    "Sign in": ("button", Box(80, 270, 200, 310)),
    "Cancel": ("button", Box(220, 270, 340, 310)),
}


def named(screen: Screen, text: str) -> Element:
    return next(element for element in screen.elements if element.text == text)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_dialog_is_found_where_it_is_drawn_at_any_scale(parser, scale):
    screen = finish(parser.parse(login(scale)))
    for text, (kind, box) in LOGIN.items():
        element = named(screen, text)
        assert element.kind == kind
        assert element.box.scale(1 / scale, 1 / scale).iou(box) > (0.6 if kind == "text" else 0.9)
    places = {element.kind: element.box.scale(1 / scale, 1 / scale) for element in screen.elements}
    assert places["checkbox"].iou(Box(80, 224, 96, 240)) > 0.7
    assert any(e.box.scale(1 / scale, 1 / scale).iou(Box(610, 14, 623, 27)) > 0.5 for e in screen.elements)
    assert len(screen.elements) <= len(LOGIN) + 3


def test_elements_are_numbered_in_reading_order(parser):
    screen = finish(parser.parse(login()))
    assert [element.id for element in screen.elements] == list(range(1, len(screen.elements) + 1))
    texts = [element.text for element in screen.elements if element.text in LOGIN]
    assert texts == list(LOGIN)
    assert screen.element(named(screen, "Cancel").id).text == "Cancel"
    assert all(element.box == element.box.clamp(screen.size) for element in screen.elements)
    assert len(json.loads(json.dumps(asdict(screen)))["elements"]) == len(screen.elements)


def test_stages_are_reported_and_timed_and_a_stop_is_possible_at_each(parser):
    stages: list[str] = []
    screen = finish(parser.parse(login()), stages.append)
    assert list(dict.fromkeys(stages)) == ["reading text", "finding controls", "naming icons", "merging"]
    assert list(screen.seconds) == ["reading text", "finding controls", "naming icons", "merging", "total"]
    assert stages.count("reading text") >= len(LOGIN)
    assert screen.parser == parser.name == "embedded"
    stopped = parser.parse(login())
    assert next(stopped) == "reading text"
    stopped.close()


def test_the_box_threshold_leaves_out_the_less_confident(parser):
    by_threshold = [
        finish(parser.parse(login(), ParseOptions(box_threshold=threshold))).elements for threshold in (0.0, 0.5, 0.95)
    ]
    assert len(by_threshold[0]) >= len(by_threshold[1]) > len(by_threshold[2])
    assert all(element.confidence >= 0.95 for element in by_threshold[2])


def test_the_iou_threshold_decides_which_of_two_overlapping_controls_stay(parser):
    image = Image.new("RGB", (400, 200), "white")
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((50, 50, 349, 99), fill=(60, 110, 220))
    canvas.rectangle((60, 55, 339, 94), fill=(255, 240, 200))  # IoU 0.75
    counts = []
    for threshold in (0.78, 0.7, 0.1):
        screen = finish(parser.parse(image, ParseOptions(iou_threshold=threshold)))
        counts.append([element.kind for element in screen.elements].count("field"))
    assert counts == [2, 1, 1]


def test_the_image_side_decides_how_fine_the_models_look(parser):
    screen = finish(parser.parse(login(2), ParseOptions(image_side=1280)))
    assert {"Sign in", "Cancel", "Password"} <= {element.text for element in screen.elements}
    coarse = finish(parser.parse(login(2), ParseOptions(image_side=100)))
    assert not {"Sign in", "Cancel", "Password"} & {element.text for element in coarse.elements}
    for side in (0, 63, 100_000):
        with pytest.raises(UserError, match="2560"):
            finish(parser.parse(login(), ParseOptions(image_side=side)))


def test_the_language_must_be_one_that_is_read(parser):
    assert named(finish(parser.parse(login(), ParseOptions(language="latin"))), "Cancel")
    with pytest.raises(UserError, match="latin, chinese, japanese"):
        finish(parser.parse(login(), ParseOptions(language="klingon")))


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_plain_picture_has_no_elements(parser, colour):
    assert finish(parser.parse(Image.new("RGB", (800, 600), colour))).elements == ()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (20000, 10), (10, 3000), (31, 65)])
def test_odd_sizes(parser, size):
    image = Image.new("RGB", size, (10, 120, 200))
    image.putpixel((0, 0), (255, 255, 255))
    screen = finish(parser.parse(image))
    assert screen.size == size
    assert all(element.box == element.box.clamp(size) for element in screen.elements)


def test_the_digits_of_a_keypad_are_texts_and_not_icons(parser):
    image = Image.new("RGB", (340, 340), (246, 245, 244))
    canvas = ImageDraw.Draw(image)
    for i, digit in enumerate("789456123"):
        x, y = 30 + i % 3 * 100, 30 + i // 3 * 100
        canvas.rounded_rectangle((x, y, x + 79, y + 59), 5, fill=(235, 233, 230), outline=(200, 198, 195))
        canvas.text((x + 40, y + 30), digit, fill=(40, 40, 40), font=ImageFont.load_default(22), anchor="mm")
    buttons = [element for element in finish(parser.parse(image)).elements if element.text]
    assert "".join(button.text for button in buttons) == "789456123"
    assert all(button.clickable and not button.icons for button in buttons)


def test_the_buttons_of_a_macos_window_are_named(parser):
    image = Image.new("RGB", (1600, 900), (236, 236, 238))
    big = Image.new("RGB", (1600 * 4, 100 * 4), (246, 246, 246))
    for x, colour in ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840"), (300, "#ff5f57"), (340, "#3478f6")):
        ImageDraw.Draw(big).ellipse((4 * x, 4 * 12, 4 * (x + 12), 4 * 24), fill=colour)
    image.paste(big.resize((1600, 100), Image.Resampling.LANCZOS))
    ImageDraw.Draw(image).text((700, 10), "Family photographs", fill=(40, 40, 40), font=ImageFont.load_default(16))
    icons = [e for e in finish(parser.parse(image)).elements if e.kind == "icon" and e.box.y2 < 40]
    named = {round(icon.box.center.x): icon.icons[0].name for icon in icons if icon.icons}
    assert [named[x] for x in (26, 46, 66)] == ["close", "minus", "fullscreen"]
    assert 306 in named and named[306] != "close"


def test_noise_and_photographs_give_few_elements_and_no_error(parser):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (400, 500, 3), dtype=np.uint8))
    photo = Image.fromarray(rng.integers(0, 256, (20, 25, 3), dtype=np.uint8)).resize((500, 400))
    for image in (noise, photo):
        assert len(finish(parser.parse(image)).elements) < 60


@pytest.mark.parametrize(
    "image", [login().convert("L"), login().convert("RGBA"), login().quantize(64)], ids=["L", "RGBA", "P"]
)
def test_other_modes_are_taken_as_rgb(parser, image):
    assert named(finish(parser.parse(image)), "Cancel").kind == "button"


@pytest.mark.skipif(not SCREENS.is_dir(), reason="the development screens are not here")
@pytest.mark.parametrize("name", ["tars_images_mac_permission.png", "showui_apple_music.png"])
def test_targets_on_real_screens_hold_the_centre_of_an_element(parser, name):
    screen = finish(parser.parse(Image.open(SCREENS / "images" / name).convert("RGBA").convert("RGB")))
    items = [item for item in json.loads((SCREENS / "screens.json").read_text()) if item["img_filename"] == name]
    assert items
    for item in items:
        x, y, width, height = item["bbox"]
        target = Box(x, y, x + width, y + height)
        assert any(target.contains(element.box.center) for element in screen.elements), item["instruction"]
    assert len(screen.elements) < 150
