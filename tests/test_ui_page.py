"""The UI agent's page in a real browser, as a visitor uses it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.pictures import EMAIL, SIGN_IN, dialog

SLOW = 60_000
"""Milliseconds: models load at the first step."""


@pytest.fixture
def screenshot(tmp_path) -> str:
    dialog().save(tmp_path / "dialog.png")
    return str(tmp_path / "dialog.png")


@pytest.fixture
def visitor(browser, ui_server) -> Page:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000},
        accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.goto(ui_server.url)
    expect(page.locator("#submit")).to_be_visible(timeout=SLOW)
    yield page
    context.close()


def instruction(page: Page):
    return page.locator("#instruction textarea, #instruction input")


def submit(page: Page, screenshot: str | None, text: str) -> None:
    if screenshot:
        page.set_input_files("#screenshot input[type=file]", screenshot)
        expect(page.locator("#screenshot img")).to_be_visible()
    instruction(page).fill(text)
    instruction(page).press("Enter")


def result_point(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the result picture is on the page."""
    page.locator("#result img").scroll_into_view_if_needed()
    left, top, width, height, natural_width, natural_height = page.evaluate(
        """() => { const i = document.querySelector("#result img"), r = i.getBoundingClientRect();
        return [r.x, r.y, r.width, r.height, i.naturalWidth, i.naturalHeight]; }"""
    )
    scale = min(width / natural_width, height / natural_height)
    return left + (width - natural_width * scale) / 2 + x * scale, top + (
        height - natural_height * scale
    ) / 2 + y * scale


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def coordinates(page: Page, elem_id: str) -> list[float]:
    return [float(value) for value in page.locator(f"#{elem_id} textarea, #{elem_id} input").input_value().split(",")]


def test_a_visitor_gets_the_click_the_table_and_the_files(visitor, screenshot):
    submit(visitor, screenshot, "Click the Sign in button")
    expect(visitor.locator("#verdict h3")).to_contain_text('"Sign in"', timeout=SLOW)
    x, y = coordinates(visitor, "pixels")
    assert SIGN_IN.x1 <= x <= SIGN_IN.x2 and SIGN_IN.y1 <= y <= SIGN_IN.y2
    assert coordinates(visitor, "unit") == [round(x / 800, 5), round(y / 450, 5)]
    expect(visitor.locator("#progress .total")).to_contain_text("total")
    expect(visitor.locator("#notes")).to_contain_text("embedded")
    expect(visitor.locator("#ranking tr").first).to_contain_text("%")

    visitor.locator("#pixels button").first.click()
    assert visitor.evaluate("navigator.clipboard.readText()") == f"{x}, {y}"

    open_tab(visitor, "Inspect")
    visitor.mouse.click(*result_point(visitor, EMAIL.center.x, EMAIL.center.y))
    expect(visitor.locator("#inspection")).to_contain_text("field", timeout=SLOW)

    open_tab(visitor, "Elements")
    visitor.locator("#elements [role=gridcell]", has_text="Welcome back").click()
    open_tab(visitor, "Inspect")
    expect(visitor.locator("#inspection")).to_contain_text("Welcome back")

    with visitor.expect_download() as download:
        visitor.click("#csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert "Sign in" in {row["text"] for row in rows}
    with visitor.expect_download() as download:
        visitor.click("#json")
    assert [element["mark"] for element in json.loads(Path(download.value.path()).read_text())] == [
        int(row["mark"]) for row in rows
    ]
    with visitor.expect_download() as download:
        visitor.click("#png")
    assert Image.open(download.value.path()).size == (800, 450)


def test_the_picture_follows_the_view_and_the_style(visitor, screenshot):
    submit(visitor, screenshot, "Click the Sign in button")
    shown = visitor.locator("#result img")
    expect(visitor.locator("#verdict h3")).to_contain_text("Sign in", timeout=SLOW)
    for group, choice in (("#view", "all marks"), ("#style", "numbers"), ("#view", "top 5")):
        before = shown.get_attribute("src")
        visitor.locator(group).get_by_text(choice, exact=True).click()
        expect(shown).not_to_have_attribute("src", before)


def test_mistakes_are_told_and_the_page_goes_on(visitor, screenshot, tmp_path):
    visitor.click("#submit")
    expect(visitor.get_by_text("Add a screenshot first")).to_be_visible(timeout=SLOW)  # models load before it
    (tmp_path / "drawing.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    visitor.set_input_files("#screenshot input[type=file]", str(tmp_path / "drawing.png"))
    expect(visitor.locator("#screenshot img")).to_be_attached()
    visitor.click("#submit")
    expect(visitor.get_by_text("SVG drawing")).to_be_visible()
    visitor.locator("#screenshot").get_by_label("Remove Image").or_(
        visitor.locator("#screenshot").get_by_label("Clear")
    ).first.click()
    submit(visitor, screenshot, "a" * 10_000)
    expect(visitor.get_by_text("10,000 characters")).to_be_visible()
    submit(visitor, None, "Click the Sign in button")
    expect(visitor.locator("#verdict h3")).to_contain_text('"Sign in"', timeout=SLOW)


def test_text_off_the_screen_is_shown_and_never_run(visitor, tmp_path):
    dialog('<img src=x onerror="window.hit=1">', title="<script>hit=1</script>").save(tmp_path / "bad.png")
    submit(visitor, str(tmp_path / "bad.png"), "<b onmouseover=hit=1>Q</b>")
    expect(visitor.locator("#verdict .verdict")).to_be_visible(timeout=SLOW)
    submit(visitor, None, "Q: <img src=x onerror=hit=1> script")
    expect(visitor.locator("#verdict h3")).to_contain_text("script", timeout=SLOW)
    open_tab(visitor, "History and film")
    visitor.wait_for_timeout(500)
    assert visitor.evaluate("window.hit") is None


def test_a_question_is_quoted_and_says_that_nothing_is_generated(visitor, screenshot):
    submit(visitor, screenshot, "Q: What if I forgot my password?")
    expect(visitor.locator("#verdict blockquote")).to_contain_text("Forgot your password?", timeout=SLOW)
    expect(visitor.locator("#verdict")).to_contain_text("nothing is generated")


def test_history_goes_back_runs_again_and_becomes_a_film(visitor, screenshot):
    submit(visitor, screenshot, "Click the Sign in button")
    expect(visitor.locator("#verdict h3")).to_contain_text("Sign in", timeout=SLOW)
    submit(visitor, None, "Type my email address")
    expect(visitor.locator("#verdict h3")).to_contain_text("field", timeout=SLOW)
    open_tab(visitor, "History and film")
    steps = visitor.locator("#history .grid-container button")
    expect(steps).to_have_count(2)
    steps.first.click()
    expect(visitor.locator("#verdict h3")).to_contain_text("Sign in")
    expect(instruction(visitor)).to_have_value("Click the Sign in button")

    open_tab(visitor, "History and film")
    visitor.click("#again")
    expect(visitor.locator("#submit")).to_be_visible()
    expect(visitor.locator("#verdict h3")).to_contain_text("Sign in", timeout=SLOW)
    open_tab(visitor, "History and film")
    expect(steps).to_have_count(3)

    visitor.click("#record")
    expect(visitor.locator("#film video")).to_be_attached(timeout=SLOW)
    visitor.wait_for_function("document.querySelector('#film video').readyState >= 2", timeout=SLOW)
    assert visitor.evaluate("document.querySelector('#film video').duration") > 3
    with visitor.expect_download() as download:
        visitor.click("#gif")
    assert Image.open(download.value.path()).n_frames > 30
    with visitor.expect_download() as download:
        visitor.click("#mp4")
    assert next(imageio_ffmpeg.read_frames(str(download.value.path())))["codec"] == "h264"

    visitor.click("#clear")
    expect(steps).to_have_count(0)


def test_a_batch_of_screenshots(visitor, screenshot, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    open_tab(visitor, "Batch")
    visitor.set_input_files("#batch-files input[type=file]", [screenshot, str(tmp_path / "broken.png")])
    cell = visitor.locator("#batch-items [role=gridcell][data-row='0'][data-col='1']")
    cell.dblclick()
    visitor.keyboard.type("Click the Sign in button")
    visitor.keyboard.press("Enter")
    visitor.click("#batch-run")
    expect(visitor.locator("#batch-status")).to_contain_text("1 of 2 done", timeout=SLOW)
    with visitor.expect_download() as download:
        visitor.click("#batch-zip")
    archive = zipfile.ZipFile(download.value.path())
    assert set(archive.namelist()) == {"001.png", "results.jsonl", "results.csv"}
    results = [json.loads(line) for line in archive.read("results.jsonl").decode().splitlines()]
    assert [result["kind"] for result in results] == ["click", "error"]
    x, y = results[0]["point"]
    assert SIGN_IN.x1 <= x <= SIGN_IN.x2 and SIGN_IN.y1 <= y <= SIGN_IN.y2


def test_an_example_fills_the_page(visitor):
    visitor.locator("table tr").filter(has=visitor.locator("img")).first.click()
    expect(visitor.locator("#screenshot img")).to_be_visible()
    assert instruction(visitor).input_value()


def test_stop_ends_the_step_on_the_server(visitor, tmp_path):
    """A screenshot full of text takes seconds to read; the parse that was stopped has not gone on."""
    page_of_text = Image.new("RGB", (1600, 1200), "white")
    for x in range(2):
        for y in range(0, 1200, 50):
            page_of_text.paste(dialog().crop((150, 120, 650, 170)), (x * 560, y))
    page_of_text.save(tmp_path / "text.png")
    submit(visitor, str(tmp_path / "text.png"), "")
    expect(visitor.locator("#progress .now")).to_contain_text(re.compile("reading text"), timeout=SLOW)
    visitor.click("#stop")
    expect(visitor.locator("#progress")).to_contain_text("stopped")
    expect(visitor.locator("#stop")).to_be_disabled()
    submit(visitor, None, "")  # had the first parse gone on to its end, its result would be there at once
    expect(visitor.locator("#progress .now")).to_contain_text(re.compile("reading text"), timeout=SLOW)
    expect(visitor.locator("#verdict h3")).to_contain_text("elements", timeout=SLOW)


def test_two_visitors_see_only_their_own_steps(browser, ui_server, visitor, screenshot, tmp_path):
    dialog("Log on").save(tmp_path / "other.png")
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = context.new_page()
    other.goto(ui_server.url)
    submit(visitor, screenshot, "Click the Sign in button")
    submit(other, str(tmp_path / "other.png"), "Click Log on")
    expect(visitor.locator("#verdict h3")).to_contain_text("Sign in", timeout=SLOW)
    expect(other.locator("#verdict h3")).to_contain_text("Log on", timeout=SLOW)
    for page, text in ((visitor, "Sign in"), (other, "Log on")):
        open_tab(page, "History and film")
        expect(page.locator("#history .grid-container button")).to_have_count(1)
        expect(page.locator("#history")).to_contain_text(text)
    context.close()


def test_a_screen_is_captured(visitor):
    visitor.evaluate(
        """() => { navigator.mediaDevices.getDisplayMedia = async () => {
        const canvas = document.createElement("canvas"); canvas.width = 320; canvas.height = 200;
        canvas.getContext("2d").fillRect(0, 0, 320, 200); return canvas.captureStream(10); }; }"""
    )
    visitor.click("#capture")
    expect(visitor.locator("#screenshot img")).to_be_visible()
    visitor.wait_for_function("document.querySelector('#screenshot img').naturalWidth === 320")
