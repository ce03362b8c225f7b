"""The icon classifier on drawn icons, and its answers to what is no icon or no box."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from core.errors import UserError
from core.geometry import Box
from core.screen.icons import ASSETS, NO_ICON, OTHER, SIDE, IconClassifier, channels, crop

SCREENS = Path(__file__).parents[2] / "shared" / "screens"

numbers = st.floats(-300, 500, allow_nan=False)


@pytest.fixture(scope="module")
def classifier() -> IconClassifier:
    return IconClassifier.load()


def drawing(name: str, size: int, ink: str, paper: str) -> tuple[Image.Image, Box]:
    """An icon drawn here by hand, and its tight box."""
    scale = 4
    picture = Image.new("RGB", (size * 3 * scale, size * 3 * scale), paper)
    draw = ImageDraw.Draw(picture)
    side, left = size * scale, size * scale

    def at(*points: float) -> list[tuple[float, float]]:
        pairs = zip(points[::2], points[1::2], strict=True)
        return [(left + x * side, left + y * side) for x, y in pairs]

    stroke = max(1, side // 9)
    if name == "close":
        draw.line(at(0, 0, 1, 1), ink, stroke)
        draw.line(at(1, 0, 0, 1), ink, stroke)
    elif name == "plus":
        draw.line(at(0.5, 0, 0.5, 1), ink, stroke)
        draw.line(at(0, 0.5, 1, 0.5), ink, stroke)
    elif name == "menu":
        for y in (0.1, 0.5, 0.9):
            draw.line(at(0, y, 1, y), ink, stroke)
    elif name == "search":
        draw.ellipse(at(0, 0, 0.72, 0.72), outline=ink, width=stroke)
        draw.line(at(0.6, 0.6, 1, 1), ink, stroke)
    elif name == "check":
        draw.line(at(0, 0.55, 0.35, 0.9, 1, 0.1), ink, stroke, joint="curve")
    elif name == "play":
        draw.polygon(at(0.1, 0, 1, 0.5, 0.1, 1), ink)
    elif name == "chevron right":
        draw.line(at(0.3, 0, 0.75, 0.5, 0.3, 1), ink, stroke, joint="curve")
    elif name == "more vertical":
        for y in (0.1, 0.5, 0.9):
            draw.ellipse(at(0.4, y - 0.09, 0.58, y + 0.09), ink)
    picture = picture.resize((size * 3, size * 3), Image.Resampling.LANCZOS)
    return picture, Box(size, size, 2 * size, 2 * size)


NAMES = ("close", "plus", "menu", "search", "check", "play", "chevron right", "more vertical")


def test_drawn_icons_are_named(classifier: IconClassifier) -> None:
    looks = ((16, "#222222", "#ffffff"), (24, "#eeeeee", "#202124"), (40, "#1a5fd0", "#f4f4f4"))
    wrong = []
    for name in NAMES:
        for size, ink, paper in looks:
            picture, box = drawing(name, size, ink, paper)
            for found in (box, box.pad(0.3 * size)):
                (guesses,) = classifier.classify(picture, [found])
                if not guesses or guesses[0].name != name:
                    wrong.append((name, size, [guess.name for guess in guesses]))
    assert len(wrong) <= len(NAMES) * len(looks) * 2 // 10, wrong


def test_guesses_are_ranked_probabilities(classifier: IconClassifier) -> None:
    picture, box = drawing("search", 24, "black", "white")
    (guesses,) = classifier.classify(picture, [box])
    values = [guess.probability for guess in guesses]
    assert len(values) == 5
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] and sum(values) <= 1 + 1e-5
    assert not {NO_ICON, OTHER} & {guess.name for guess in guesses}


def test_what_is_no_icon_gets_no_guess(classifier: IconClassifier) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    pictures = [
        Image.new("RGB", (60, 60), "white"),
        Image.new("RGB", (60, 60), "black"),
        Image.fromarray(noise).resize((60, 60), Image.Resampling.BICUBIC),
    ]
    text = Image.new("RGB", (60, 60), "white")
    ImageDraw.Draw(text).text((6, 24), "Account", fill="black")
    for picture in (*pictures, text):
        assert classifier.classify(picture, [Box(3, 3, 57, 57)]) == [()]


def test_bad_boxes_keep_their_place_and_shift_no_other(classifier: IconClassifier) -> None:
    picture, box = drawing("search", 24, "black", "white")
    bad = [
        Box(5, 5, 5, 5),
        Box(-50, -50, -10, -10),
        Box(400, 0, 500, 90),
        Box(30, 30, 10, 10),
        Box(0, 0, float("nan"), 9),
    ]
    boxes = [bad[0], box, *bad[1:], box]
    answers = classifier.classify(picture, boxes)
    assert [bool(answer) for answer in answers] == [False, True, False, False, False, False, True]
    assert answers[1][0].name == answers[-1][0].name == "search"


def test_no_boxes(classifier: IconClassifier) -> None:
    assert classifier.classify(Image.new("RGB", (10, 10)), []) == []


def test_a_batch_answers_as_one_by_one(classifier: IconClassifier) -> None:
    pictures = [drawing(name, 20, "black", "white") for name in NAMES]
    strip = Image.new("RGB", (60 * len(NAMES), 60), "white")
    boxes = []
    for index, (picture, box) in enumerate(pictures):
        strip.paste(picture, (60 * index, 0))
        boxes.append(Box(box.x1 + 60 * index, box.y1, box.x2 + 60 * index, box.y2))
    together = classifier.classify(strip, boxes)
    for box, answer in zip(boxes, together, strict=True):
        (alone,) = classifier.classify(strip, [box])
        assert [guess.name for guess in alone][:1] == [guess.name for guess in answer][:1]
        assert [guess.probability for guess in alone] == pytest.approx(
            [guess.probability for guess in answer], abs=1e-3
        )


@settings(max_examples=200, deadline=None)
@given(numbers, numbers, numbers, numbers, st.integers(1, 200), st.integers(1, 200))
def test_any_box_gives_a_full_picture_or_none(
    x1: float, y1: float, x2: float, y2: float, width: int, height: int
) -> None:
    picture = crop(np.zeros((height, width, 3), np.uint8), Box(x1, y1, x2, y2))
    on_picture = min(x2, width) > max(x1, 0) and min(y2, height) > max(y1, 0)
    assert (picture is not None) == on_picture
    if picture is not None:
        assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8


def test_crop_keeps_proportions_and_fills_with_the_edge_colour() -> None:
    pixels = np.full((100, 100, 3), 200, np.uint8)
    pixels[48:52, 20:80] = 0
    dark = np.argwhere(crop(pixels, Box(20, 48, 80, 52))[..., 0] < 100)
    tall, wide = np.ptp(dark[:, 0]) + 1, np.ptp(dark[:, 1]) + 1
    assert wide / tall == pytest.approx(15, rel=0.4)
    assert (crop(pixels, Box(20, 48, 80, 52))[0] == 200).all()


def test_files_that_ship_are_whole_and_small() -> None:
    labels = [label["name"] for label in json.loads((ASSETS / "labels.json").read_text(encoding="utf-8"))["labels"]]
    assert len(labels) == len(set(labels)) and {NO_ICON, OTHER} <= set(labels)
    assert 250 <= len(labels)
    assert (ASSETS / "icons.safetensors").stat().st_size < 5_000_000


def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python -m core\.training\.icons"):
        IconClassifier.load(tmp_path)


def test_no_file_name_means_two_concepts() -> None:
    owners: dict[str, str] = {}
    for line in (
        (Path(__file__).parents[1] / "core/training/icon_concepts.txt").read_text(encoding="utf-8").splitlines()
    ):
        if line.strip() and not line.startswith("#"):
            concept, files = line.split(":", 1)
            for name in files.split():
                assert owners.setdefault(name, concept) == concept, name


def test_training_pictures_are_whole() -> None:
    from core.training.icon_pictures import Scenes, Texts

    mask, line = np.zeros((96, 96), np.uint8), np.zeros((96, 96), np.uint8)
    mask[20:70, 30:80] = 255
    line[47:49, 5:90] = 255
    small = np.zeros((16, 16, 4), np.uint8)
    small[3:13, 2:14] = 200, 30, 30, 255
    drawings = mask, line, small
    word = np.full((30, 150), 200, np.uint8)
    scenes = Scenes(Texts([word], [word]), drawings, [mask, small], seed=3)
    pictures = [scenes.icon(drawings[index % 3]) for index in range(300)] + [scenes.nothing() for _ in range(200)]
    assert {(picture.shape, picture.dtype.name) for picture in pictures} == {((SIDE, SIDE, 3), "uint8")}
    assert len({picture.tobytes() for picture in pictures}) > 450


def test_a_coloured_drawing_keeps_its_colours_and_stands_out() -> None:
    from core.training.icon_pictures import Scenes, Texts

    disc = np.zeros((16, 16, 4), np.uint8)
    disc[2:14, 2:14] = 220, 20, 20, 255
    word = np.full((30, 150), 200, np.uint8)
    scenes = Scenes(Texts([word], [word]), [disc], [disc], seed=5)
    pictures = np.stack([scenes.icon(disc) for _ in range(100)]).astype(int)
    assert (np.ptp(pictures, axis=(1, 2)).max(axis=1) > 40).mean() > 0.95
    middle = pictures[:, 20:28, 20:28].mean(axis=(1, 2))
    assert (middle[:, 0] > middle[:, 1:].max(axis=1) + 60).mean() > 0.7


def test_colours_reach_the_network() -> None:
    pictures = np.full((2, SIDE, SIDE, 3), 255, np.uint8)
    pictures[0, 12:36, 12:36] = 200, 0, 0
    pictures[1, 12:36, 12:36] = 0, 102, 0
    red, green = channels(torch.from_numpy(pictures))
    assert red.shape == (4, SIDE, SIDE)
    assert torch.allclose(red[1], green[1], atol=0.02)
    assert red[2, 24, 24] > 0.2 > -0.2 > green[2, 24, 24]


def test_no_drawing_like_a_held_out_one_is_trained_on() -> None:
    pytest.importorskip("resvg_py", reason="the training command's requirements are not installed")
    from core.training.icon_sets import Shape, fingerprint, hold_out

    rng = np.random.default_rng(0)
    blobs = [np.kron(rng.integers(0, 2, (6, 6)), np.ones((16, 16))).astype(np.uint8) * 255 for _ in range(20)]
    shapes = [
        Shape("blob", set_name, f"{index}-{style}", np.roll(blob, shift, 0), f"{set_name}/{index}")
        for index, blob in enumerate(blobs)
        for set_name in ("one", "two")
        for style, shift in (("outline", 0), ("filled", 16))
    ]
    split = hold_out(shapes, np.random.default_rng(1))
    assert split["test"] and split["validation"] and split["train"]
    assert not {shape.group for shape in split["test"]} & {shape.group for shape in split["train"]}
    trained = np.stack([fingerprint(shape.drawing) for shape in split["train"]])
    assert max((trained @ fingerprint(shape.drawing)).max() for shape in split["test"]) <= 0.95


def test_svg_becomes_ink_and_its_strokes_scale() -> None:
    icon_sets = pytest.importorskip("core.training.icon_sets", reason="needs the training command's requirements")
    body = '<path d="M4 12h16" fill="none" stroke="currentColor" stroke-width="2"/>'
    plain, bold = (icon_sets.ink(icon_sets.rasterise(body, 24, 24, stroke)) for stroke in (1.0, 1.5))
    assert plain[48, 48] == 255 and plain[10, 48] == 0
    assert bold.sum() / plain.sum() == pytest.approx(1.5, rel=0.05)


def test_pictures_are_read_with_their_names_once_each(tmp_path: Path) -> None:
    icon_sets = pytest.importorskip("core.training.icon_sets", reason="needs the training command's requirements")
    for size in (16, 22):
        folder = tmp_path / f"{size}x{size}"
        folder.mkdir()
        Image.new("RGBA", (size, size), "navy").save(folder / "edit_copy.png")
        (folder / "gtk-copy.png").symlink_to("edit_copy.png")
    icon_set = icon_sets.IconSet("old", "1", "", "train", r"-\d+px$", files="*/*.png")
    shapes = icon_sets.read_shapes(icon_set, tmp_path, {"edit-copy": "copy"}, 5)
    assert [(shape.concept, shape.group, shape.drawing.shape) for shape in shapes] == [
        ("copy", "old/edit-copy", (16, 16, 4)),
        ("copy", "old/edit-copy", (22, 22, 4)),
    ]


def test_a_sheet_of_pictures_is_cut_by_its_table(tmp_path: Path) -> None:
    icon_sets = pytest.importorskip("core.training.icon_sets", reason="needs the training command's requirements")
    sheet = Image.new("RGBA", (32, 16), "red")
    sheet.paste("blue", (16, 0, 32, 16))
    sheet.save(tmp_path / "sheet.png")
    (tmp_path / "sheet.json").write_text('{"disk": [16, 0]}', encoding="utf-8")
    icon_set = icon_sets.IconSet("sheet", "1", "", "train", files="sheet.json")
    (shape,) = icon_sets.read_shapes(icon_set, tmp_path, {"disk": "save"}, 5)
    assert shape.concept == "save" and (shape.drawing == (0, 0, 255, 255)).all()


def test_a_debian_package_is_checked_and_unpacked(tmp_path: Path) -> None:
    icon_sets = pytest.importorskip("core.training.icon_sets", reason="needs the training command's requirements")
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as tar:
        tar.addfile(tarfile.TarInfo("usr/icon.png"), io.BytesIO())
    package = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0"), ("data.tar.xz", inner.getvalue())):
        package += f"{name:48}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    (tmp_path / "set.deb").write_bytes(package)
    with pytest.raises(UserError, match="not the pinned package"):
        icon_sets.fetch("https://example.org/set.deb", "sha512-other", tmp_path)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    assert (icon_sets.fetch("https://example.org/set.deb", integrity, tmp_path) / "usr/icon.png").is_file()


def test_icons_on_real_screens(classifier: IconClassifier) -> None:
    if not SCREENS.is_dir():
        pytest.skip("the development screens are not here")
    wanted = {
        "dev-03": "undo",
        "dev-04": "close",
        "dev-05": "align center",
        "dev-09": "microphone",
        "dev-12": "plus",
        "dev-15": "phone",
        "dev-22": "send",
        "dev-28": "trash",
        "dev-29": "play",
        "dev-30": "fast forward",
        "dev-34": "toggle off",
        "dev-37": "sidebar",
    }
    found = 0
    for item in json.loads((SCREENS / "screens.json").read_text(encoding="utf-8")):
        if item["id"] in wanted:
            x, y, width, height = item["bbox"]
            with Image.open(SCREENS / "images" / item["img_filename"]) as image:
                (guesses,) = classifier.classify(image.convert("RGB"), [Box(x, y, x + width, y + height)])
            found += wanted[item["id"]] in [guess.name for guess in guesses]
    assert found >= len(wanted) // 2
