"""The gaming agent's page in a real browser, as a visitor uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from apps.gaming_agent import play
from apps.gaming_agent.agent import Episode, GameSettings
from apps.gaming_agent.game import best_directions
from apps.gaming_agent.recording import from_json, recording_of, to_json
from tests.conftest import Server, serve_app, set_number
from tests.tiny_magma import make_checkpoint

SLOW = 90_000
"""Milliseconds: the model loads at its first step, on a busy machine for minutes."""


@pytest.fixture(scope="module")
def gaming_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page as a user starts it, with a checkpoint that has learnt nothing."""
    model = make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")
    yield from serve_app("apps/gaming_agent/app.py", tmp_path_factory.mktemp("gaming"), "--model", str(model))


@pytest.fixture
def visitor(browser, gaming_server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    yield opened(context, gaming_server)
    context.close()


def opened(context, server: Server) -> Page:
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda fault: page.faults.append(fault))
    page.goto(server.url)
    expect(page.locator("#reset")).to_be_enabled(timeout=SLOW)
    return page


def figure(page: Page, name: str) -> str:
    return page.locator(".figures div").filter(has=page.get_by_text(name, exact=True)).locator("b").inner_text()


def steps(page: Page) -> int:
    return int(figure(page, "step").split("/")[0])


def expect_steps(page: Page, count: int) -> None:
    expect(page.locator(".figures b").first).to_have_text(re.compile(rf"^{count}/"), timeout=SLOW)


def expect_more_steps(page: Page, than: int) -> None:
    page.wait_for_function(f"parseInt(document.querySelector('.figures b').innerText) > {than}", timeout=SLOW)


def choose(page: Page, player: str) -> None:
    page.locator("#policy").get_by_text(player, exact=True).click()
    policy = {"shortest path": "shortest", "you": "person"}.get(player, player)
    expect_game(page, lambda episode: episode.policy == policy and not episode.steps)
    expect_steps(page, 0)


def expect_game(page: Page, wanted: Callable[[Episode], bool]) -> None:
    """Wait until the game on the page is as wanted."""
    for _ in range(SLOW // 100):
        if page.evaluate("sessionStorage.getItem('gaming-agent')") and wanted(kept(page)):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the game stays as it is: {recording_of(kept(page))}")


def set_seed(page: Page, seed: int) -> None:
    set_number(page.locator("#seed input"), seed)
    expect_game(page, lambda episode: episode.settings.seed == seed)


def set_rule(page: Page, label: str, name: str, value: int) -> None:
    set_number(page.get_by_label(f"number input for {label}"), value)
    expect_game(page, lambda episode: getattr(episode.settings, name) == value)


def set_speed(page: Page, moves_per_second: int) -> None:
    set_number(page.locator("#speed input[type=number]"), moves_per_second)


def kept(page: Page) -> Episode:
    """The game that the browser's tab holds, which is the one on the page."""
    return from_json(page.evaluate("sessionStorage.getItem('gaming-agent')"))


def picture(page: Page) -> str:
    return page.locator("#board img").get_attribute("src")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_a_game_is_started_paused_stepped_and_reset(visitor):
    choose(visitor, "shortest path")
    fresh = picture(visitor)
    expect(visitor.locator("#pause")).to_be_disabled(timeout=SLOW)
    visitor.click("#start")
    expect_more_steps(visitor, 2)
    expect(visitor.locator("#start")).to_be_disabled(timeout=SLOW)
    visitor.click("#pause")
    expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
    visitor.wait_for_timeout(300)
    stopped = steps(visitor)
    visitor.wait_for_timeout(1000)
    assert steps(visitor) == stopped < 100
    visitor.click("#step")
    expect_steps(visitor, stopped + 1)
    visitor.click("#start")
    expect_more_steps(visitor, stopped + 3)
    visitor.click("#reset")
    expect_steps(visitor, 0)
    visitor.wait_for_timeout(700)
    assert steps(visitor) == 0 and picture(visitor) == fresh
    assert not visitor.faults


def test_the_game_is_over_and_says_so(visitor):
    visitor.locator("#rules").get_by_text("Board and marks").click()
    set_rule(visitor, "Steps of a game", "steps", 10)
    choose(visitor, "shortest path")
    set_speed(visitor, 20)
    visitor.click("#start")
    expect(visitor.locator(".over")).to_contain_text("Game over", timeout=SLOW)
    expect(visitor.locator(".over")).to_contain_text("100 % of the shortest path")
    assert figure(visitor, "step") == "10/10" and figure(visitor, "of shortest") == "100 %"
    assert kept(visitor).over and kept(visitor).score == int(figure(visitor, "blocks")) > 0
    expect(visitor.locator("#start")).to_be_disabled(timeout=SLOW)
    expect(visitor.locator("#step")).to_be_disabled(timeout=SLOW)
    visitor.click("#reset")
    expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)


def test_a_persons_keys_and_buttons_move_the_robot(visitor):
    expect(visitor.locator("#move-up")).to_have_count(0)
    choose(visitor, "you")
    expect(visitor.locator("#move-up")).to_be_visible(timeout=SLOW)
    expect(visitor.locator("#start")).to_be_disabled(timeout=SLOW)
    pressed = ["up", "left", "left", "down", "right", "up", "right", "down"]
    for direction in pressed:
        visitor.keyboard.press(f"Arrow{direction.capitalize()}")
    expect_steps(visitor, 8)
    assert [step.direction for step in kept(visitor).steps] == pressed
    visitor.click("#move-left")
    expect_steps(visitor, 9)
    assert kept(visitor).steps[-1].direction == "left" and figure(visitor, "refusals") == "0"
    expect(visitor.locator("#panel")).to_contain_text("you replied")

    visitor.locator("#seed input").focus()  # there the arrows are the field's own
    visitor.keyboard.press("ArrowLeft")
    visitor.wait_for_timeout(500)
    assert steps(visitor) == 9
    assert not visitor.faults


def test_a_person_can_win(visitor):
    choose(visitor, "you")
    while kept(visitor).score < 2:
        episode = kept(visitor)
        visitor.keyboard.press(f"Arrow{best_directions(episode.view.board)[0].capitalize()}")
        expect_steps(visitor, len(episode.steps) + 1)
    assert figure(visitor, "blocks") == "2" and figure(visitor, "of shortest") == "100 %"
    expect(visitor.locator(".badge")).to_have_text("block collected")


def test_the_model_is_asked_and_its_raw_reply_is_shown(visitor):
    visitor.click("#step")
    expect_steps(visitor, 1)
    expect(visitor.locator("#notes")).to_contain_text("tiny")
    (step,) = kept(visitor).steps
    assert visitor.locator("#panel blockquote").inner_text().split() == (step.reply or "(nothing)").split()
    expect(visitor.locator("#panel")).to_contain_text("Which mark is closer to green block?")
    assert figure(visitor, "refusals") == str(int(step.outcome == "refused"))
    assert kept(visitor).model == "tiny" and step.seconds > 0


def test_a_reload_in_mid_game_goes_on_where_it_was(visitor):
    set_seed(visitor, 7)
    choose(visitor, "random")
    visitor.click("#start")
    expect_more_steps(visitor, 4)
    visitor.reload()
    expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
    count, shown = steps(visitor), picture(visitor)
    assert 4 < count < 100
    expect(visitor.locator("#seed input")).to_have_value("7")
    expect(visitor.get_by_label("random")).to_be_checked(timeout=SLOW)
    visitor.wait_for_timeout(500)
    assert steps(visitor) == count and picture(visitor) == shown
    visitor.click("#step")
    expect_steps(visitor, count + 1)
    alone = Episode(GameSettings(7), "random")
    for step in kept(visitor).steps:
        alone.take(step.reply, step.seconds)
    assert to_json(recording_of(alone)) == to_json(recording_of(kept(visitor)))


def test_what_the_tab_kept_may_be_anything(browser, gaming_server):
    context = browser.new_context()
    context.add_init_script("sessionStorage.setItem('gaming-agent', '{\"version\": 0}')")
    page = opened(context, gaming_server)
    expect_steps(page, 0)
    context.close()


def test_a_game_is_recorded_downloaded_opened_and_played_again(visitor, tmp_path, capsys):
    choose(visitor, "random")
    set_speed(visitor, 20)
    visitor.click("#start")
    expect_more_steps(visitor, 8)
    visitor.click("#pause")
    expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
    visitor.wait_for_timeout(300)
    count, shown = steps(visitor), picture(visitor)
    open_tab(visitor, "Recording")
    visitor.click("#record")
    expect(visitor.locator("#film video")).to_be_attached(timeout=SLOW)
    visitor.wait_for_function("document.querySelector('#film video').readyState >= 2", timeout=SLOW)
    files = {}
    for name in ("mp4", "gif", "json"):
        with visitor.expect_download() as download:
            visitor.click(f"#{name}")
        files[name] = tmp_path / f"game.{name}"
        download.value.save_as(files[name])
    assert next(imageio_ffmpeg.read_frames(str(files["mp4"])))["codec"] == "h264"
    assert Image.open(files["gif"]).n_frames > 8
    recording = json.loads(files["json"].read_text())
    assert (recording["seed"], recording["policy"], len(recording["replies"])) == (0, "random", count)
    assert to_json(recording_of(from_json(files["json"].read_text()))) == files["json"].read_text()

    again = tmp_path / "again.gif"
    assert play.main(["--replay", str(files["json"]), "--record", str(again)]) == 0
    assert again.read_bytes() == files["gif"].read_bytes()

    open_tab(visitor, "Play")
    choose(visitor, "shortest path")
    open_tab(visitor, "Recording")
    visitor.set_input_files("input[type=file]", str(files["json"]))
    open_tab(visitor, "Play")
    expect_steps(visitor, count)
    assert picture(visitor) == shown
    expect(visitor.get_by_label("random")).to_be_checked(timeout=SLOW)


def test_what_is_no_recording_is_told_and_loses_nothing(visitor, tmp_path):
    choose(visitor, "shortest path")
    visitor.click("#step")
    expect_steps(visitor, 1)
    open_tab(visitor, "Recording")
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe no")
    (tmp_path / "other.json").write_text('{"seed": 1}')
    for name, words in (("bad", "it is not text"), ("other", "it has other keys")):
        visitor.set_input_files("input[type=file]", str(tmp_path / f"{name}.json"))
        expect(visitor.get_by_text(words).first).to_be_visible(timeout=SLOW)
    open_tab(visitor, "Play")
    assert steps(visitor) == 1


def test_two_visitors_play_at_once_and_see_only_their_own(browser, gaming_server, visitor):
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = opened(context, gaming_server)
    choose(visitor, "random")
    choose(other, "shortest path")
    set_seed(other, 5)
    expect(other.locator("#start")).to_be_enabled(timeout=SLOW)
    visitor.click("#start")
    other.click("#start")
    expect_more_steps(visitor, 5)
    expect_more_steps(other, 5)
    for page, policy, seed in ((visitor, "random", 0), (other, "shortest", 5)):
        episode = kept(page)
        assert (episode.policy, episode.settings.seed) == (policy, seed)
    visitor.click("#pause")
    expect(visitor.locator("#start")).to_be_enabled(timeout=SLOW)
    visitor.wait_for_timeout(300)
    mine, theirs = steps(visitor), steps(other)
    expect_more_steps(other, theirs + 2)
    assert steps(visitor) == mine
    context.close()


def test_the_board_is_set_up(visitor):
    visitor.locator("#rules").get_by_text("Board and marks").click()
    before = picture(visitor)
    set_rule(visitor, "Cells a side", "size", 6)
    set_rule(visitor, "Blocks at once", "blocks", 3)
    set_rule(visitor, "Obstacles", "obstacles", 5)
    visitor.get_by_label("Number the marks anew at every step").check()
    visitor.get_by_label("held-out").check()
    expect_game(visitor, lambda episode: episode.settings.looks == "held-out")
    choose(visitor, "shortest path")
    visitor.click("#step")
    expect_steps(visitor, 1)
    assert kept(visitor).settings == GameSettings(0, 6, 3, 5, 100, True, "held-out")
    assert picture(visitor) != before
    set_rule(visitor, "Cells a side", "size", 4)
    set_number(visitor.get_by_label("number input for Obstacles"), 14)
    expect(visitor.get_by_text("has no room for").first).to_be_visible(timeout=SLOW)


def test_what_a_recording_says_is_shown_and_never_run(visitor, tmp_path):
    episode = Episode(GameSettings(), "model", "<img src=x onerror=hit=1>")
    episode.take("<b onmouseover=hit=1><script>hit=1</script>")
    (tmp_path / "game.json").write_text(to_json(recording_of(episode)))
    open_tab(visitor, "Recording")
    visitor.set_input_files("input[type=file]", str(tmp_path / "game.json"))
    expect_game(visitor, lambda opened: opened.model == episode.model)
    open_tab(visitor, "Play")
    expect(visitor.locator("#panel blockquote")).to_contain_text("<script>")
    expect(visitor.locator("#panel .badge")).to_have_text("refused")
    visitor.wait_for_timeout(500)
    assert visitor.evaluate("window.hit") is None and figure(visitor, "refusals") == "1"


def test_another_seed_is_another_game(visitor):
    choose(visitor, "shortest path")
    before = picture(visitor)
    visitor.click("#other-seed")
    visitor.wait_for_function(f"document.querySelector('#board img').src !== {before!r}", timeout=SLOW)
    assert str(kept(visitor).settings.seed) == visitor.locator("#seed input").input_value()


def test_the_leaderboard_compares_on_the_same_seeds_and_can_be_stopped(visitor):
    open_tab(visitor, "Leaderboard")
    visitor.locator("#competitors").get_by_text("model", exact=True).click()
    visitor.locator("#seeds input, #seeds textarea").fill("0-2")
    visitor.click("#compare")
    rows = visitor.locator("#leaderboard tbody tr")
    expect(rows).to_have_count(2, timeout=SLOW)
    expect(rows.first).to_contain_text("shortest path")
    expect(rows.first).to_contain_text("100.0 %")
    expect(visitor.locator("#stop-comparing")).to_be_disabled(timeout=SLOW)

    visitor.locator("#seeds input, #seeds textarea").fill("0-999")
    visitor.click("#compare")
    expect(visitor.locator("#comparing .now")).to_contain_text("of 100,000", timeout=SLOW)
    visitor.click("#stop-comparing")
    expect(visitor.locator("#comparing")).to_contain_text("stopped", timeout=SLOW)
    visitor.locator("#seeds input, #seeds textarea").fill("nonsense")
    visitor.click("#compare")
    expect(visitor.get_by_text("names no seeds")).to_be_visible(timeout=SLOW)


def test_visitors_who_leave_in_mid_game_do_no_harm(browser, gaming_server):
    for _ in range(3):
        context = browser.new_context()
        page = opened(context, gaming_server)
        choose(page, "random")
        page.click("#start")
        expect_more_steps(page, 1)
        context.close()
    context = browser.new_context()
    page = opened(context, gaming_server)
    choose(page, "shortest path")
    page.click("#start")
    expect_more_steps(page, 3)
    context.close()
    assert "Traceback" not in gaming_server.log.read_text()


def test_without_a_checkpoint_the_page_says_so_and_the_others_play(browser, tmp_path):
    (tmp_path / "empty").mkdir()
    for server in serve_app("apps/gaming_agent/app.py", tmp_path, "--model", str(tmp_path / "empty")):
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = opened(context, server)
        page.click("#start")
        expect(page.get_by_text("is no checkpoint").first).to_be_visible(timeout=SLOW)
        expect(page.locator("#notes")).to_contain_text("Model: none")
        expect(page.locator("#start")).to_be_enabled(timeout=SLOW)
        assert steps(page) == 0
        choose(page, "shortest path")
        page.click("#start")
        expect_more_steps(page, 3)
        context.close()


def test_the_page_asks_nothing_of_other_hosts(browser, gaming_server):
    context = browser.new_context()
    page, asked = context.new_page(), set()
    page.on("request", lambda request: asked.add(request.url.split("/")[2] if "//" in request.url[:8] else "inline"))
    page.goto(gaming_server.url)
    expect(page.locator("#reset")).to_be_enabled(timeout=SLOW)
    assert asked <= {gaming_server.url.split("/")[2], "inline"}
    assert "gradio.live" not in Path(gaming_server.log).read_text()
    context.close()
