"""The planner over HTTP: the API as clients use it, MCP, bad input."""

from __future__ import annotations

import ast
import asyncio
import base64
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import imageio_ffmpeg
import pytest
from gradio_client import Client, handle_file

from apps.robot_planner.tabletop import make_scene
from core.generators import finish
from core.video import write_video
from tests.conftest import Server, serve_app

SCENE = make_scene(5)
STEP_KEYS = {
    "task", "source", "size", "planner", "sure", "confidence", "reason", "notes", "steps", "speed",
    "frames_per_second", "marks", "traces", "prompt", "reply", "action", "action_reason", "comparison", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def planner_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("planner")
    yield from serve_app("apps/robot_planner/app.py", folder, "--model", "none", "--mcp")


@pytest.fixture(scope="module")
def client(planner_server) -> Client:
    return Client(planner_server.url, verbose=False)


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "table.png"
    SCENE.frame(0).save(path)
    return str(path)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("videos") / "table.mp4"
    frames = [SCENE.frame(0)] * 8 + [SCENE.frame(index / 2) for index in range(33)]
    finish(write_video(path, frames, 12))
    return str(path)


def own_marks() -> list[dict]:
    return [{"mark": mark, "x": point.x, "y": point.y} for mark, point in SCENE.marks.items()]


def test_plan_moves_the_right_marks_and_gives_a_film(client, planner_server, picture, tmp_path):
    answer = client.predict(handle_file(picture), SCENE.task, own_marks(), api_name="/plan")
    step = answer["step"]
    assert set(step) == STEP_KEYS and step["size"] == [512, 512] and step["source"] == "picture"
    assert {trace["mark"] for trace in step["traces"]} == set(SCENE.moving)
    for trace in step["traces"]:
        assert len(trace["pixels"]) == len(trace["grid"]) == len(trace["frames"]) == 17
        assert all(isinstance(value, (int, float)) for point in trace["pixels"] for value in point)
    film = tmp_path / "plan.mp4"
    film.write_bytes(httpx.get(planner_server.url + answer["film_url"]).raise_for_status().content)
    assert next(imageio_ffmpeg.read_frames(str(film)))["codec"] == "h264"


def test_a_refusal_has_its_reason_and_no_film(client, picture):
    answer = client.predict(handle_file(picture), "pick up the spanner", api_name="/plan")
    assert answer["film_url"] is None and answer["step"]["traces"] == [] and "spanner" in answer["step"]["reason"]


def test_a_video_is_planned_from_a_frame_and_measured(client, video):
    answer = client.predict(
        handle_file(video), SCENE.task, own_marks(), frame=8, film_too=False, steps=8, api_name="/plan"
    )
    compared = answer["step"]["comparison"]
    assert answer["film_url"] is None and compared["source"] == "tracked"
    assert {"plan", "stay", "constant velocity", "straight line"} <= set(compared["errors"])


def test_marks_are_tracked(client, video):
    answer = client.predict(handle_file(video), own_marks(), frame=8, api_name="/track")
    tracks = {track["mark"]: track for track in answer["tracks"]}
    resting = next(mark for mark in SCENE.marks if mark not in SCENE.moving and mark in tracks)
    assert not tracks[resting]["moves"] and answer["size"] == [512, 512]
    first, last = tracks[resting]["pixels"][0], tracks[resting]["pixels"][-1]
    assert abs(first[0] - last[0]) < 3 and abs(first[1] - last[1]) < 3
    assert set(tracks) | set(answer["lost"]) == set(SCENE.marks)


def test_marks_are_proposed_by_count_and_lie_on_the_picture(client, picture, video):
    for file in (picture, video):
        answer = client.predict(handle_file(file), count=5, api_name="/propose_marks")
        assert [mark["mark"] for mark in answer["marks"]] == [1, 2, 3, 4, 5]
        assert all(0 <= mark[axis] <= 512 for mark in answer["marks"] for axis in "xy")


def test_progress_is_told_and_a_cancelled_call_stops(client, video):
    job = client.submit(handle_file(video), SCENE.task, own_marks(), frame=8, api_name="/plan")
    told = [output["progress"] for output in job]
    assert told[-1] == "" and any(text.startswith("following the marks: frame") for text in told)
    assert any(text.startswith("writing the film: frame") for text in told)
    job = client.submit(handle_file(video), SCENE.task, own_marks(), frame=8, api_name="/plan")
    next(iter(job))
    job.cancel()
    assert client.predict(handle_file(video), count=3, api_name="/propose_marks")["marks"]  # the queue is free again


def test_results_are_typed(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/plan", "/track", "/propose_marks"}
    types = {name: endpoint["returns"][0]["type"] for name, endpoint in endpoints.items()}
    step = next(kind for kind in types["/plan"]["properties"]["step"]["oneOf"] if "properties" in kind)
    assert set(step["properties"]) == STEP_KEYS
    assert types["/propose_marks"]["properties"]["marks"]["items"]["properties"]["x"] == {"type": "number"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("clip.mp4", b"", "empty"),
        ("clip.mp4", b"just text\n" * 100, "text file"),
        ("clip.mp4", b"\0\0\0\x20ftypisom" + bytes(500), "damaged or cut off"),
        ("picture.png", b"just text", "text file"),
        ("unnamed", b"\x00\x01\x02" * 100, "not a video"),
    ],
)
def test_bad_files_are_refused_with_a_reason(client, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Exception, match=message):
        client.predict(handle_file(str(tmp_path / name)), SCENE.task, api_name="/plan")


def test_a_film_of_four_hours_is_refused_unless_a_frame_is_named(client, tmp_path):
    path = tmp_path / "long.mp4"
    source = "color=black:size=32x32:rate=1/60:duration=14400"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", source, str(path)], check=True)
    with pytest.raises(Exception, match="lasts 4 h"):
        client.predict(handle_file(str(path)), SCENE.task, api_name="/plan")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"task": ""}, "Say what"),
        ({"steps": 0}, "steps must be"),
        ({"count": 10_000}, "marks must be"),
        ({"planner": "model"}, "choose the planner"),
        ({"planner": "oracle"}, "no planner"),
        ({"marks": [{"mark": 1, "x": 9999, "y": 1}]}, "not on the picture"),
        ({"marks": [{"mark": 1}]}, "Marks are a list"),
        ({"marks": [{"mark": 1, "x": 1, "y": 1}, {"mark": 1, "x": 2, "y": 2}]}, "Marks are a list"),
        ({"marks": []}, "no marks"),
    ],
)
def test_bad_requests_are_refused_with_a_reason(client, picture, given, message):
    given = {"task": SCENE.task, **given}
    with pytest.raises(Exception, match=message):
        client.predict(handle_file(picture), **given, api_name="/plan")


def test_a_frame_past_the_end_is_refused(client, video):
    with pytest.raises(Exception, match="41 frames"):
        client.predict(handle_file(video), SCENE.task, frame=41, api_name="/plan")
    with pytest.raises(Exception, match="nothing to follow"):
        client.predict(handle_file(video), frame=40, api_name="/track")


@pytest.mark.parametrize(
    "file",
    [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": "/etc/passwd"}, "/etc/passwd", None, 7],
)
def test_only_uploads_can_be_named(planner_server, file):
    call = f"{planner_server.url}/gradio_api/call/propose_marks"
    event = httpx.post(call, json={"data": [file, 8, None, 0]}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=60).text
    assert "event: error" in answer and "root:" not in answer


def test_the_endpoints_are_mcp_tools_with_typed_arguments(planner_server, picture):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    address = "data:image/png;base64," + base64.b64encode(Path(picture).read_bytes()).decode()

    async def converse():
        async with streamable_http_client(f"{planner_server.url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = {tool.name: tool for tool in (await session.list_tools()).tools}
                name = next(name for name in tools if name.endswith("propose_marks"))
                return tools, await session.call_tool(name, {"file": address, "count": 4})

    with ThreadPoolExecutor(1) as pool:  # this thread's event loop may be a browser's
        tools, result = pool.submit(lambda: asyncio.run(converse())).result()
    assert len(tools) == 3
    plan = next(tool for name, tool in tools.items() if name.endswith("plan"))
    assert plan.inputSchema["properties"]["task"]["type"] == "string" and "marks" in plan.description
    assert len(ast.literal_eval(result.content[0].text)["marks"]) == 4


def test_the_server_listens_on_this_machine_alone_and_shares_nothing(planner_server):
    config = httpx.get(f"{planner_server.url}/config").json()
    assert not config.get("analytics_enabled") and "gradio.live" not in planner_server.log.read_text()
