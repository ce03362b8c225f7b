"""The UI agent over HTTP: the API as clients use it, MCP, many visitors, bad input."""

from __future__ import annotations

import ast
import asyncio
import base64
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.pictures import SIGN_IN, dialog

CLICK_KEYS = {
    "kind", "instruction", "size", "point", "point_unit", "mark", "sure", "reason", "answer", "top", "prompt", "reply",
    "model", "parser", "seconds", "elements",
}  # fmt: skip


@pytest.fixture(scope="module")
def client(ui_server) -> Client:
    return Client(ui_server.url, verbose=False)


@pytest.fixture(scope="module")
def screenshot(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("screens") / "dialog.png"
    dialog().save(path)
    return str(path)


def inside(point: list[float]) -> bool:
    return SIGN_IN.x1 <= point[0] <= SIGN_IN.x2 and SIGN_IN.y1 <= point[1] <= SIGN_IN.y2


def test_act_clicks_the_button(client, screenshot):
    step = client.predict(handle_file(screenshot), "Click the Sign in button", api_name="/act")
    assert set(step) == CLICK_KEYS
    assert step["kind"] == "click" and inside(step["point"]) and step["size"] == [800, 450]
    assert step["point_unit"] == [round(step["point"][0] / 800, 5), round(step["point"][1] / 450, 5)]
    assert step["top"][0]["mark"] == step["mark"]


def test_parse_lists_the_elements_and_the_threshold_thins_them(client, screenshot):
    screen = client.predict(handle_file(screenshot), api_name="/parse")
    assert any(element["text"] == "Sign in" for element in screen["elements"])
    assert [element["mark"] for element in screen["elements"]] == list(range(1, len(screen["elements"]) + 1))
    least = sorted(element["confidence"] for element in screen["elements"])[2]
    strict = client.predict(handle_file(screenshot), box_threshold=least + 0.00005, api_name="/parse")
    assert 0 < len(strict["elements"]) < len(screen["elements"])
    assert all(element["confidence"] >= least for element in strict["elements"])


def test_results_are_typed(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/parse", "/act", "/batch"}
    types = {name: endpoint["returns"][0]["type"] for name, endpoint in endpoints.items()}
    assert set(types["/act"]["properties"]) == CLICK_KEYS
    assert types["/parse"]["properties"]["elements"]["items"]["properties"]["mark"] == {"type": "integer"}
    assert types["/batch"]["items"]["properties"]["kind"] == {"type": "string"}


def test_a_question_is_answered_by_quoting(client, screenshot):
    step = client.predict(handle_file(screenshot), "Q: What if I forgot my password?", api_name="/act")
    assert step["kind"] == "answer" and "Forgot your password?" in step["answer"] and step["point"] is None


def test_batch_answers_every_item_and_one_bad_item_spoils_none(client, screenshot, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("no picture at all")
    results = client.predict(
        [handle_file(screenshot), handle_file(str(text)), handle_file(screenshot)],
        ["Sign in", "Sign in", ""],
        api_name="/batch",
    )
    assert [result["kind"] for result in results] == ["click", "error", "parse"]
    assert "text file" in results[1]["reason"] and inside(results[0]["point"])
    with pytest.raises(Exception, match="1 images and 2 instructions"):
        client.predict([handle_file(screenshot)], ["a", "b"], api_name="/batch")


EMPTY_IDAT = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"just text", "text file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "SVG"),
        (png_header(12_000, 12_000) + EMPTY_IDAT, "12000 x 12000"),
        (png_header(100, 100) + b"\0\0\1\0IDATxyz", "damaged"),
    ],
)
def test_bad_pictures_are_refused_with_a_reason(client, tmp_path, data, message):
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(Exception, match=message):
        client.predict(handle_file(str(path)), "Sign in", api_name="/act")


def test_unusual_pictures_are_read(client, tmp_path):
    pictures = {
        "one_pixel.png": Image.new("RGB", (1, 1)),
        "black.png": Image.new("RGB", (640, 400)),
        "grey16.png": Image.fromarray(np.full((60, 80), 40_000, np.uint16)),
        "cmyk.jpg": dialog().convert("CMYK"),
        "thin.png": Image.new("RGB", (20_000, 10), "white"),
        "emoji and \u4e2d\u6587.png": dialog("\u767b\u5f55 \U0001f511"),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
        step = client.predict(handle_file(str(tmp_path / name)), "Click the Sign in button", api_name="/act")
        assert step["size"] == list(picture.size)
        assert step["point"] is None or all(0 <= v < side for v, side in zip(step["point"], picture.size, strict=True))
        assert step["point"] is not None or step["reason"]
    step = client.predict(handle_file(str(tmp_path / "cmyk.jpg")), "Click the Sign in button", api_name="/act")
    assert inside(step["point"])


@pytest.mark.parametrize(
    "text",
    ["\U0001f680\U0001f511", "\u70b9\u51fb\u767b\u5f55", "\u0627\u0646\u0642\u0631", "\0\x1b[2J", "<b>x</b>", "%s{}"],
)
def test_any_script_is_an_instruction(client, screenshot, text):
    assert client.predict(handle_file(screenshot), text, api_name="/act")["kind"] in ("click", "parse")


def test_a_long_instruction_is_refused(client, screenshot):
    with pytest.raises(Exception, match="10,000 characters"):
        client.predict(handle_file(screenshot), "a" * 10_000, api_name="/act")


@pytest.mark.parametrize(
    "image",
    [
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/passwd"},
        "/etc/passwd",
        {"path": "../../README.md", "meta": {"_type": "gradio.FileData"}},
        {"path": str(Path(__file__).parents[1] / "README.md")},
        None,
        7,
    ],
)
def test_only_uploads_can_be_named(ui_server, image):
    call = f"{ui_server.url}/gradio_api/call/act"
    event = httpx.post(call, json={"data": [image, "Sign in", None, None, None, None]}).json()["event_id"]
    answer = httpx.get(f"{call}/{event}", timeout=30).text
    assert "event: error" in answer and "root:" not in answer


@pytest.mark.parametrize("marked", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_the_page_too_takes_only_uploads(ui_server, marked):
    page = httpx.get(f"{ui_server.url}/config").json()
    ours = str(Path(__file__).parents[1] / "assets" / "examples" / "ui" / "writer.png")
    asked = 0
    for dependency in page["dependencies"]:
        if len(dependency["inputs"]) != 9:  # the step's: picture, instruction, view, style, state, four options
            continue
        asked += 1
        data = [{"path": ours, **marked}, "", "chosen element", "boxes and numbers", None, None, None, None, ""]
        body = {"data": data, "fn_index": dependency["id"], "session_hash": "visitor"}
        httpx.post(f"{ui_server.url}/gradio_api/queue/join", json=body).raise_for_status()
        with httpx.stream("GET", f"{ui_server.url}/gradio_api/queue/data?session_hash=visitor", timeout=30) as events:
            told = "".join(line for line in events.iter_lines())
        assert '"success":false' in told.replace(" ", "") and "annotated.png" not in told
    assert asked


@pytest.mark.parametrize("options", [("z", None, None), (7, None, None), (None, -1, None), (None, None, "abc")])
def test_options_out_of_range_are_refused(client, screenshot, options):
    with pytest.raises(Exception, match="must be"):
        client.predict(handle_file(screenshot), "Sign in", *options, api_name="/act")


def test_twenty_visitors_at_once_each_get_their_own(ui_server, tmp_path):
    def visit(number: int) -> tuple[str, dict]:
        name = f"Button {number:02d}"
        path = tmp_path / f"{number}.png"
        dialog(name).save(path)
        step = Client(ui_server.url, verbose=False).predict(handle_file(str(path)), f"Click {name}", api_name="/act")
        return name, step

    with ThreadPoolExecutor(20) as pool:
        for name, step in pool.map(visit, range(20)):
            texts = [element["text"] for element in step["elements"]]
            assert name in texts and sum(text.startswith("Button") for text in texts) == 1
            assert inside(step["point"])


def test_the_endpoints_are_mcp_tools_with_typed_arguments(ui_server, screenshot):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    address = "data:image/png;base64," + base64.b64encode(Path(screenshot).read_bytes()).decode()

    async def converse():
        async with streamable_http_client(f"{ui_server.url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = {tool.name: tool for tool in (await session.list_tools()).tools}
                result = await session.call_tool(
                    next(name for name in tools if name.endswith("act")),
                    {"image": address, "instruction": "Click the Sign in button"},
                )
                return tools, result

    with ThreadPoolExecutor(1) as pool:  # this thread's event loop is the browser's
        tools, result = pool.submit(lambda: asyncio.run(converse())).result()
    assert {name.rsplit("_", 1)[-1] for name in tools} == {"parse", "act", "batch"}
    act = next(tool for name, tool in tools.items() if name.endswith("act"))
    assert act.inputSchema["properties"]["instruction"]["type"] == "string"
    assert "screenshot" in act.description
    assert inside(ast.literal_eval(result.content[0].text)["point"])  # Gradio writes results as Python does


def test_the_server_listens_on_this_machine_alone_and_shares_nothing(ui_server):
    config = httpx.get(f"{ui_server.url}/config").json()
    assert not config.get("analytics_enabled") and ui_server.url.startswith("http://127.0.0.1")
    assert "gradio.live" not in ui_server.log.read_text()
