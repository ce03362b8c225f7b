"""Evaluation and example screens: files open, boxes lie on their pictures, and the pages agree with the table."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from PIL import Image

ASSETS = Path(__file__).parents[1] / "assets"
SCREENS = ASSETS / "screens"
EXAMPLES = ASSETS / "examples" / "ui"
ITEMS = json.loads((SCREENS / "screens.json").read_text(encoding="utf-8"))
PICTURES = sorted(path.name for path in (SCREENS / "images").iterdir())


def load_maker():
    spec = importlib.util.spec_from_file_location("make_screens", SCREENS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def licence_rows(readme: Path) -> dict[str, str]:
    """Picture to the rest of its row in the README's tables."""
    return dict(re.findall(r"^\| (\w+\.png) \| (.+) \|$", readme.read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("name", PICTURES)
def test_every_target_lies_on_a_picture_that_opens(name):
    with Image.open(SCREENS / "images" / name) as picture:
        picture.load()
        width, height = picture.size
    items = [item for item in ITEMS if item["img_filename"] == name]
    assert items, "a picture without items"
    for item in items:
        x, y, w, h = item["bbox"]
        assert 0 <= x and 0 <= y and x + w <= width and y + h <= height, item
        assert 10 <= w and 10 <= h and w * h < width * height / 4, item


def test_items_are_in_screenspots_form():
    keys = ["id", "img_filename", "bbox", "instruction", "data_type", "category", "data_source"]
    for item in ITEMS:
        assert list(item) == keys
        assert item["img_filename"] in PICTURES
        assert item["category"] in {"literal", "semantic", "icon"}
        assert item["data_type"] == ("icon" if item["category"] == "icon" else "text")
        assert item["data_source"] in {"linux", "windows", "macos", "web", "mobile"}
        assert item["instruction"] == item["instruction"].strip() != ""
        assert all(isinstance(value, int) for value in item["bbox"])


def test_no_id_and_no_instruction_of_a_picture_comes_twice():
    assert len({item["id"] for item in ITEMS}) == len(ITEMS)
    assert len({(item["img_filename"], item["instruction"].lower()) for item in ITEMS}) == len(ITEMS)


@pytest.mark.parametrize(
    ("low", "category", "high"), [(0.4, "literal", 0.5), (0.2, "semantic", 0.3), (0.25, "icon", 0.35)]
)
def test_the_categories_keep_their_shares(low, category, high):
    share = sum(item["category"] == category for item in ITEMS) / len(ITEMS)
    assert low <= share <= high


def test_both_parts_are_there_and_the_held_out_one_is_large_enough():
    development = (SCREENS / "development.txt").read_text(encoding="utf-8").split()
    assert set(development) < set(PICTURES) and len(set(development)) == len(development)
    held_out = [item for item in ITEMS if item["img_filename"] not in development]
    assert len(held_out) >= 240 and len({item["img_filename"] for item in held_out}) >= 20
    assert {item["category"] for item in held_out} == {"literal", "semantic", "icon"}


def test_every_picture_has_a_line_that_says_its_licence():
    known = r"MIT|MPL-2\.0|GPL-[23]\.0|Apache-2\.0|BSD-3-Clause"
    for pictures, readme in [(PICTURES, SCREENS), ([path.name for path in EXAMPLES.glob("*.png")], EXAMPLES)]:
        rows = licence_rows(readme / "README.md")
        assert sorted(rows) == sorted(pictures)
        assert all(re.search(known, row) for row in rows.values())


def test_every_icon_folder_has_a_licence():
    text = (SCREENS / "pages" / "icons" / "LICENSES.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| ([a-z0-9, -]+) \|", text, flags=re.MULTILINE) for name in row.split(", ")}
    folders = {path.name for path in (SCREENS / "pages" / "icons").iterdir() if path.is_dir()}
    assert folders <= named


def test_examples_name_pictures_that_open_and_ask_one_question_each():
    listed = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    assert sorted(example["file"] for example in listed) == sorted(path.name for path in EXAMPLES.glob("*.png"))
    for example in listed:
        with Image.open(EXAMPLES / example["file"]) as picture:
            picture.load()
        assert sum(text.startswith("Q:") for text in example["instructions"]) == 1
        assert 3 <= len(example["instructions"]) <= 4


def test_examples_show_none_of_the_evaluation_pictures():
    evaluation = {(SCREENS / "images" / name).read_bytes() for name in PICTURES}
    assert not evaluation & {path.read_bytes() for path in EXAMPLES.glob("*.png")}


def test_the_table_is_what_the_pages_say_now(tmp_path, browser):
    """Two pages rendered anew have the items of the table; boxes are not compared, for they move with the fonts."""
    maker = load_maker()
    script = f"window.ICONS = {json.dumps(maker.icons())};"
    for stem in ("signup", "map"):
        rendered = maker.render(browser, SCREENS / "pages" / f"{stem}.html", tmp_path / f"{stem}.png", script)
        kept = [item for item in ITEMS if item["img_filename"] == f"{stem}.png"]
        without_boxes = [[{**item, "bbox": None} for item in items] for items in (rendered, kept)]
        assert without_boxes[0] == without_boxes[1]
        with Image.open(tmp_path / f"{stem}.png") as new, Image.open(SCREENS / "images" / f"{stem}.png") as old:
            assert new.size == old.size
