"""The robot planner's page in a real browser, as a visitor uses it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from apps.robot_planner.tabletop import make_scene
from core.generators import finish
from core.video import write_video
from tests.conftest import Server, serve_app, set_number

SLOW = 240_000
"""Milliseconds: a model loads at the first step, and films are written."""
SEED = 5
SCENE = make_scene(SEED)


@pytest.fixture(scope="module")
def planner_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page, started by its command as a user starts it, without a model."""
    yield from serve_app("apps/robot_planner/app.py", tmp_path_factory.mktemp("planner"), "--model", "none")


def sliding() -> list[Image.Image]:
    """A red block slides from the right over a desk, by 5 pixels a frame; both have a grain that can be followed."""
    generator = np.random.default_rng(1)
    desk = np.kron(generator.integers(-9, 10, (60, 80, 1)), np.ones((8, 8, 1))) + np.array((196, 178, 150))
    block = np.kron(generator.integers(-25, 26, (10, 10, 1)), np.ones((6, 6, 1))) + np.array((200, 45, 45))
    frames = []
    for index in range(41):
        frame = desk.copy()
        left = 480 - 5 * index
        frame[210:270, left : left + 60] = block
        frames.append(Image.fromarray(frame.astype(np.uint8)))
    return frames


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture and a video of one scene: 8 frames of rest, then its motion."""
    folder = tmp_path_factory.mktemp("files")
    SCENE.frame(0).save(folder / "table.png")
    finish(write_video(folder / "sliding.mp4", sliding(), 12))
    frames = [SCENE.frame(0)] * 8 + [SCENE.frame(index / 2) for index in range(33)]
    finish(write_video(folder / "table.mp4", frames, 12))
    return folder


@pytest.fixture
def visitor(browser, planner_server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(SLOW)
    page = context.new_page()
    page.goto(planner_server.url)
    expect(page.locator("#submit")).to_be_visible(timeout=SLOW)
    yield page
    context.close()


def upload(page: Page, path: Path) -> None:
    page.set_input_files("#file input[type=file]", str(path))
    expect(page.locator("#canvas img")).to_be_visible(timeout=SLOW)
    expect(page.locator("#marking")).to_contain_text("marks.", timeout=SLOW)


def plan(page: Page, task: str) -> None:
    page.locator("#task textarea, #task input").first.fill(task)
    page.click("#submit")
    expect(page.locator("#progress .total")).to_be_visible(timeout=SLOW)


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def click_frame(page: Page, x: float, y: float) -> None:
    """Click a pixel of the picture that is planned from, which is shown at its own size or smaller."""
    page.locator("#canvas img").scroll_into_view_if_needed()
    left, top, width, height, natural_width, natural_height = page.evaluate(
        """() => { const i = document.querySelector("#canvas img"), r = i.getBoundingClientRect();
        return [r.x, r.y, r.width, r.height, i.naturalWidth, i.naturalHeight]; }"""
    )
    scale = min(width / natural_width, height / natural_height)
    page.mouse.click(
        left + (width - natural_width * scale) / 2 + x * scale, top + (height - natural_height * scale) / 2 + y * scale
    )


def downloaded(page: Page, button: str) -> Path:
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path())


def plays(page: Page) -> float:
    """The film's width in pixels once the browser has played some of it."""
    expect(page.locator("#film video")).to_be_attached(timeout=SLOW)
    page.evaluate("() => { const v = document.querySelector('#film video'); v.muted = true; return v.play(); }")
    page.wait_for_function("document.querySelector('#film video').currentTime > 0", timeout=SLOW)
    return page.evaluate("document.querySelector('#film video').videoWidth")


def test_a_picture_is_planned_and_every_file_downloads(visitor, files):
    upload(visitor, files / "table.png")
    plan(visitor, SCENE.task)
    expect(visitor.locator("#verdict")).to_contain_text("model-free planner")
    expect(visitor.locator("#verdict .badge")).to_have_text(re.compile("planned|not sure"))
    assert plays(visitor) == 512
    assert next(imageio_ffmpeg.read_frames(str(downloaded(visitor, "#mp4"))))["codec"] == "h264"
    assert Image.open(downloaded(visitor, "#gif")).n_frames > 30
    assert Image.open(downloaded(visitor, "#png")).size == (512, 512)
    record = json.loads(downloaded(visitor, "#json").read_text())
    rows = list(csv.DictReader(io.StringIO(downloaded(visitor, "#csv").read_text())))
    assert record["task"] == SCENE.task and {int(row["mark"]) for row in rows} == {t["mark"] for t in record["traces"]}
    open_tab(visitor, "Against the truth")
    expect(visitor.locator("#comparison")).to_contain_text("Nothing is known of what happened next")
    open_tab(visitor, "Prompt and raw reply")
    expect(visitor.locator("#reply textarea")).to_have_value("(no model was asked)")


def test_a_video_is_planned_from_the_frame_that_is_chosen_and_measured(visitor, files):
    upload(visitor, files / "sliding.mp4")
    expect(visitor.locator("#marking")).to_contain_text("Frame 0 of 40")
    slider = visitor.locator("#frame input[type=number]")
    slider.fill("8")
    slider.press("Tab")
    expect(visitor.locator("#marking")).to_contain_text("Frame 8 of 40", timeout=SLOW)
    plan(visitor, "push the red block to the left edge")
    assert plays(visitor) == 1280  # the plan, and beside it what happened
    open_tab(visitor, "Against the truth")
    expect(visitor.locator("#comparison")).to_contain_text("tracked")
    for name in ("plan", "stay", "constant velocity", "straight line"):
        expect(visitor.locator("#comparison tr", has_text=re.compile(rf"^{name}\d"))).to_be_visible()
    record = json.loads(downloaded(visitor, "#json").read_text())
    assert record["source"] == "video" and record["comparison"]["errors"]["stay"]["fde"] > 20
    assert record["comparison"]["errors"]["constant velocity"]["fde"] < 5 and record["comparison"]["right_marks"]


def test_a_simulated_scene_brings_its_task_and_its_truth(visitor):
    open_tab(visitor, "Simulated tabletop")
    set_number(visitor.locator("#seed input"), SEED - 1)
    visitor.click("#another")
    expect(visitor.locator("#task textarea")).to_have_value(SCENE.task, timeout=SLOW)
    visitor.click("#submit")
    expect(visitor.locator("#progress .total")).to_be_visible(timeout=SLOW)
    assert plays(visitor) == 1024
    record = json.loads(downloaded(visitor, "#json").read_text())
    assert record["source"] == "simulated tabletop" and record["comparison"]["source"] == "simulated"
    assert sorted(record["comparison"]["marks"]) == sorted(SCENE.moving)
    shown = record["comparison"]["errors"]
    assert shown["plan"]["ade"] < shown["stay"]["ade"] / 2
    open_tab(visitor, "Against the truth")
    expect(visitor.locator("#comparison")).to_contain_text(f"{shown['plan']['ade']:.1f} (")


def test_marks_are_added_moved_and_deleted_by_clicking(visitor, files):
    upload(visitor, files / "table.png")
    visitor.click("#clear")
    expect(visitor.locator("#marking")).to_contain_text("0 marks")
    for count, (x, y) in enumerate(((60, 60), (400, 300), (200, 450)), 1):
        click_frame(visitor, x, y)
        expect(visitor.locator("#marking")).to_contain_text(f"{count} marks")
    visitor.locator("#edit").get_by_text("move", exact=True).click()
    expect(visitor.locator("#marking")).to_contain_text("where it belongs")
    click_frame(visitor, 60, 60)
    expect(visitor.locator("#marking")).to_contain_text("Mark 1 is picked up")
    click_frame(visitor, 120, 90)
    expect(visitor.locator("#marking")).not_to_contain_text("picked up")
    visitor.locator("#edit").get_by_text("delete", exact=True).click()
    expect(visitor.locator("#marking")).to_contain_text("to delete it")
    click_frame(visitor, 205, 445)
    expect(visitor.locator("#marking")).to_contain_text("2 marks")
    plan(visitor, SCENE.task)
    marks = {mark["mark"]: mark for mark in json.loads(downloaded(visitor, "#json").read_text())["marks"]}
    assert set(marks) >= {1, 2}
    for number, (x, y) in {1: (120, 90), 2: (400, 300)}.items():
        assert abs(marks[number]["x"] - x) < 3 and abs(marks[number]["y"] - y) < 3


def test_the_example_is_a_real_clip_with_a_task(visitor):
    visitor.get_by_text("put the yellow box on the table", exact=True).click()
    expect(visitor.locator("#task textarea")).to_have_value("put the yellow box on the table", timeout=SLOW)
    expect(visitor.locator("#marking")).to_contain_text(
        "8 marks. Click the picture to add a mark. Frame 0 of 59", timeout=SLOW
    )
    visitor.click("#submit")
    expect(visitor.locator("#progress .total")).to_be_visible(timeout=SLOW)
    expect(visitor.locator("#verdict")).to_contain_text("a yellow thing")
    assert plays(visitor) == 960


def silent_video(path: Path, seconds: str) -> None:
    """A tiny black film of this length, at one frame a minute."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    source = f"color=black:size=32x32:rate=1/60:duration={seconds}"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", source, str(path)], check=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.mp4", "is a text file, not a video"),
        ("empty.mp4", "is empty"),
        ("broken.mp4", re.compile("damaged|no frame")),
        ("frameless.mp4", re.compile("no frame|holds no video|damaged")),
        ("long.mp4", "lasts 4 h"),
        ("text.png", "is a text file, not a picture"),
    ],
)
def test_files_that_cannot_be_read_are_told_and_the_page_goes_on(visitor, files, tmp_path, name, message):
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("no moving pictures here\n" * 50)
    elif name == "empty.mp4":
        path.write_bytes(b"")
    elif name == "long.mp4":
        silent_video(path, str(4 * 3600))
    elif name == "frameless.mp4":
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=black:size=32x32:rate=10:duration=1"]
        subprocess.run([*command, "-frames:v", "0", "-c:v", "libx264", str(path)], check=True)
    else:
        path.write_bytes((files / "table.mp4").read_bytes()[:3000])
    visitor.set_input_files("#file input[type=file]", str(path))
    expect(visitor.locator(".toast-body").get_by_text(message)).to_be_visible(timeout=SLOW)
    expect(visitor.locator("#stop")).to_be_disabled()
    visitor.locator("#file").get_by_label("Clear").or_(visitor.locator("#file").get_by_label("Remove")).first.click()
    upload(visitor, files / "table.png")


def test_a_refusal_shows_its_reason_and_no_video(visitor, files):
    upload(visitor, files / "table.png")
    plan(visitor, "pick up the spanner")
    expect(visitor.locator("#verdict .badge")).to_have_text("no plan")
    expect(visitor.locator("#verdict .reason")).to_contain_text("spanner")
    expect(visitor.locator("#film video")).to_have_count(0)
    expect(visitor.locator("#mp4")).to_be_disabled()
    plan(visitor, SCENE.task)
    expect(visitor.locator("#film video")).to_be_attached(timeout=SLOW)


def test_mistakes_are_told(visitor, files):
    visitor.click("#submit")
    expect(visitor.get_by_text("Add a picture or a video first").first).to_be_visible(timeout=SLOW)
    upload(visitor, files / "table.png")
    visitor.click("#submit")
    expect(visitor.get_by_text("Say what the robot should do").first).to_be_visible(timeout=SLOW)


def test_text_of_a_task_is_shown_and_never_run(visitor, files):
    upload(visitor, files / "table.png")
    plan(visitor, 'pick up the <img src=x onerror="window.hit=1">')
    expect(visitor.locator("#verdict .badge")).to_have_text("no plan")
    assert visitor.evaluate("window.hit") is None


def test_stop_ends_the_plan_on_the_server(visitor, files):
    """Following marks and writing films take seconds; what was stopped makes no film."""
    upload(visitor, files / "table.mp4")
    visitor.locator("#task textarea").fill(SCENE.task)
    visitor.click("#submit")
    expect(visitor.locator("#progress .now")).to_contain_text(re.compile("following|writing"), timeout=SLOW)
    visitor.click("#stop")
    expect(visitor.locator("#progress")).to_contain_text("stopped")
    expect(visitor.locator("#stop")).to_be_disabled()
    visitor.wait_for_timeout(3000)
    expect(visitor.locator("#film video")).to_have_count(0)
    plan(visitor, SCENE.task)
    assert plays(visitor) == 1024


def test_two_visitors_see_only_their_own_plans(browser, planner_server, visitor, files):
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = context.new_page()
    other.goto(planner_server.url)
    upload(visitor, files / "table.png")
    plan(visitor, SCENE.task)
    expect(other.locator("#canvas img")).to_have_count(0)
    expect(other.locator("#verdict")).not_to_contain_text("Mark")
    context.close()
