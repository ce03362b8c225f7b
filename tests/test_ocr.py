"""Text recognition reads what is drawn, says where it stands, and keeps apart what a person sees apart."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from core.errors import UserError
from core.generators import finish
from core.geometry import Box
from core.screen.elements import Element
from core.screen.ocr import SCRIPTS, TextReader, text_boxes

FONTS = Path("/usr/share/fonts")
LATIN_FONT = next(FONTS.rglob("NotoSans-Regular.ttf"), None)
CJK_FONT = next(FONTS.rglob("NotoSansCJK-Regular.ttc"), None)


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def draw(size: tuple[int, int], texts: list[tuple[int, int, str]], height: int = 16, font=None, ink=30, ground=250):
    """A picture with texts at their top left corners, and the box of each text's ink."""
    image = Image.new("RGB", size, (ground,) * 3)
    canvas = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(font), height) if font else ImageFont.load_default(height)
    boxes = []
    for x, y, text in texts:
        canvas.text((x, y), text, fill=(ink,) * 3, font=font)
        boxes.append(Box(*canvas.textbbox((x, y), text, font=font)))
    return image, boxes


def read(reader: TextReader, image: Image.Image, side: int = 1920, language: str | None = None) -> list[Element]:
    lines = finish(reader.read(np.asarray(image), side, language))
    return sorted(lines, key=lambda line: (round(line.box.y1 / 10), line.box.x1))


@pytest.mark.parametrize(("ink", "ground"), [(30, 250), (230, 25)], ids=["light", "dark"])
def test_lines_are_read_where_they_stand(reader, ink, ground):
    texts = [(40, 30, "Privacy and security"), (300, 120, "Sign in"), (40, 200, "Last modified yesterday")]
    image, boxes = draw((640, 260), texts, ink=ink, ground=ground)
    lines = read(reader, image)
    assert [line.text for line in lines] == [text for _, _, text in texts]
    for line, box in zip(lines, boxes, strict=True):
        assert line.box.iou(box) > 0.7
        assert line.confidence > 0.9


def test_a_menu_bar_is_one_line_for_each_menu(reader):
    menus = [(20, 12, "File"), (70, 12, "Edit"), (122, 12, "Selection"), (210, 12, "View"), (266, 12, "Help")]
    image, boxes = draw((640, 40), menus, height=14)
    lines = read(reader, image)
    assert [line.text for line in lines] == [text for _, _, text in menus]
    assert all(box.contains(line.box.center) for line, box in zip(lines, boxes, strict=True))


def test_words_of_a_line_are_located(reader):
    image, _ = draw((640, 60), [(30, 20, "Read the privacy policy here")])
    (line,) = read(reader, image)
    assert [word.text for word in line.words] == ["Read", "the", "privacy", "policy", "here"]
    font = ImageFont.load_default(16)
    before = 30 + font.getlength("Read the ")
    privacy = Box(before, 20, before + font.getlength("privacy"), 40)
    assert abs(line.words[2].box.x1 - privacy.x1) < 4 and abs(line.words[2].box.x2 - privacy.x2) < 4


def test_an_icon_beside_a_text_is_no_part_of_it(reader):
    image, (box,) = draw((300, 60), [(60, 20, "Search")])
    canvas = ImageDraw.Draw(image)
    canvas.ellipse((38, 22, 49, 33), outline=(30, 30, 30), width=2)
    canvas.line((48, 32, 53, 37), fill=(30, 30, 30), width=2)
    line = next(line for line in read(reader, image) if line.text == "Search")
    assert abs(line.box.x1 - box.x1) < 3


def test_the_border_of_a_field_is_no_part_of_the_label_above_it(reader):
    image, (box,) = draw((400, 100), [(20, 20, "Country")])
    ImageDraw.Draw(image).rectangle((18, 44, 380, 80), outline=(120, 120, 120))
    line = next(line for line in read(reader, image) if line.text == "Country")
    assert line.box.y2 <= box.y2 + 2


def test_text_that_runs_upwards_is_read(reader):
    image, (box,) = draw((200, 60), [(20, 20, "Temperature")], height=20)
    (line,) = read(reader, image.rotate(90, expand=True, fillcolor=(250, 250, 250)))
    assert line.text == "Temperature"
    assert line.box.height == pytest.approx(box.width, abs=20)


def test_the_side_decides_how_small_a_text_may_be(reader):
    image, _ = draw((1600, 900), [(100, 100, "Fine print at the bottom of the page")], height=14)
    assert [line.text for line in read(reader, image, side=1600)] == ["Fine print at the bottom of the page"]
    assert read(reader, image, side=200) == []


@pytest.mark.skipif(LATIN_FONT is None, reason="needs the font Noto Sans")
@pytest.mark.parametrize("text", ["Größe ändern", "Paramètres de sécurité", "Contraseña", "Hasło", "Nastavení účtu"])
def test_european_languages(reader, text):
    image, _ = draw((400, 60), [(20, 20, text)], height=18, font=LATIN_FONT)
    assert [line.text for line in read(reader, image)] == [text]
    assert [line.text for line in read(reader, image, language="latin")] == [text]


@pytest.mark.skipif(CJK_FONT is None, reason="needs the font Noto Sans CJK")
@pytest.mark.parametrize(("language", "text"), [("chinese", "设置和隐私"), ("japanese", "設定とプライバシー")])
def test_chinese_and_japanese(reader, language, text):
    image, _ = draw((400, 60), [(20, 20, text)], height=20, font=CJK_FONT)
    assert [line.text for line in read(reader, image)] == [text]
    assert [line.text for line in read(reader, image, language=language)] == [text]
    assert all(ord(character) < 0x3000 for line in read(reader, image, language="latin") for character in line.text)


def test_a_language_that_is_not_read_is_refused_with_those_that_are(reader):
    image, _ = draw((100, 40), [(10, 10, "text")])
    with pytest.raises(UserError) as refusal:
        read(reader, image, language="arabic")
    assert all(script in str(refusal.value) for script in SCRIPTS)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (20000, 10), (10, 5000), (33, 31)])
def test_odd_sizes(reader, size):
    read(reader, Image.new("RGB", size, (200, 10, 10)))


def test_noise_gives_lines_on_the_picture_or_none(reader):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for line in read(reader, Image.fromarray(noise)):
        assert line.box == line.box.clamp((400, 300))


def test_a_stop_ends_the_work(reader):
    image, _ = draw((800, 800), [(20, 20 + 30 * i, f"Line number {i} of many more") for i in range(25)])
    before = threading.active_count()
    reading = reader.read(np.asarray(image), 1920)
    next(reading)
    next(reading)
    reading.close()
    assert threading.active_count() == before


@settings(max_examples=30, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(st.integers(5, 150), st.integers(5, 100), st.integers(4, 90), st.integers(4, 20)), max_size=4
    )
)
def test_detected_boxes_cover_the_probable_pixels(boxes):
    probability = np.zeros((160, 260), np.float32)
    for x, y, width, height in boxes:
        probability[y : y + height, x : x + width] = 0.95
    found = text_boxes(probability)
    assert len(found) <= len(boxes)
    if len(boxes) == 1:
        x, y, width, height = boxes[0]
        assert Box(x, y, x + width, y + height).inside(found[0]) == 1


def test_square_brackets_begin_and_end_words(reader):
    image, _ = draw((700, 60), [(20, 20, "Heights are counted.[1] It is read [2] so far")], 20)
    (line,) = read(reader, image)
    assert "[1]" in [word.text for word in line.words] and "[2]" in [word.text for word in line.words]
    assert line.text == "Heights are counted.[1] It is read [2] so far"
