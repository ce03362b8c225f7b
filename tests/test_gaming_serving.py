"""The gaming agent over HTTP: the API as clients use it, MCP, many callers at once, bad input."""

from __future__ import annotations

import ast
import asyncio
import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from apps.gaming_agent.agent import Episode, GameSettings, GamingAgent
from apps.gaming_agent.game import best_directions
from apps.gaming_agent.recording import recording_of, replay
from core.skills import Move, format_move
from tests.conftest import Server, serve_app
from tests.tiny_magma import make_checkpoint


@pytest.fixture(scope="module")
def gaming_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    model = make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")
    folder = tmp_path_factory.mktemp("gaming")
    yield from serve_app("apps/gaming_agent/app.py", folder, "--mcp", "--model", str(model))


@pytest.fixture(scope="module")
def client(gaming_server) -> Client:
    return Client(gaming_server.url, verbose=False)


def picture(record: dict) -> np.ndarray:
    head, _, data = record["picture"].partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def best_reply(record: dict) -> str:
    episode = replay(record["game"])
    return format_move(Move(best_directions(episode.view.board)[0]), episode.view.marks)


def test_a_caller_plays_a_game_that_it_holds_itself(client):
    record = client.predict(api_name="/new_game", seed=3, permute_marks=True, steps=20, blocks=2)
    assert record["last"] is None and record["steps_left"] == 20 and record["percent"] is None
    for number in range(1, 21):
        seen = replay(record["game"]).view
        assert np.array_equal(picture(record), np.asarray(seen.picture()))
        record = client.predict(record["game"], best_reply(record), api_name="/step")
        assert record["last"]["number"] == number and record["last"]["outcome"] in ("moved", "collected")
        assert record["last"]["prompt"] == record["question"]
    assert record["score"] == record["shortest"] == record["game"]["score"] > 0 and record["percent"] == 100.0
    assert record["steps_left"] == 0
    with pytest.raises(Exception, match="over"):
        client.predict(record["game"], "1", api_name="/step")


def test_a_game_branches_and_a_refused_reply_costs_the_step(client):
    start = client.predict(api_name="/new_game", seed=1)
    up, no = (client.predict(start["game"], reply, api_name="/step") for reply in ("1", "no idea"))
    assert up["game"]["replies"] == ["1"] and no["game"]["replies"] == ["no idea"] and not start["game"]["replies"]
    assert (
        no["last"]["outcome"] == "refused" and no["last"]["direction"] is None and "no number" in no["last"]["reason"]
    )
    assert np.array_equal(picture(no), picture(start)) and no["steps_left"] == 99
    assert client.predict(start["game"], "1", api_name="/step")["game"] == up["game"]


def test_marks_lists_those_on_the_picture(client):
    record = client.predict(api_name="/new_game", size=2)
    assert len(record["marks"]) == 2
    assert record["last"] is None


def test_policies_reply_by_themselves(client):
    for policy in ("shortest", "random", "model"):
        record = client.predict(policy, 2, api_name="/new_game")
        for _ in range(2):
            record = client.predict(record["game"], api_name="/step")
        assert len(record["game"]["replies"]) == 2
        assert record["game"]["model"] == ("tiny" if policy == "model" else "")
        with pytest.raises(Exception, match="send no reply"):
            client.predict(record["game"], "1", api_name="/step")
    with pytest.raises(Exception, match="send a reply"):
        client.predict(client.predict(api_name="/new_game")["game"], api_name="/step")


def test_whole_games_are_played_as_from_python(client):
    played = client.predict("random", 4, 3, api_name="/play", steps=30, obstacles=5)
    assert [game["seed"] for game in played["games"]] == [4, 5, 6]
    for game in played["games"]:
        episode = Episode(GameSettings(game["seed"], steps=30, obstacles=5), "random")
        for _ in GamingAgent("none").play(episode):
            pass
        assert recording_of(episode) | {"seconds": []} == game | {"seconds": []}
    score = played["score"]
    assert score["games"] == 3 and score["steps"] == 90 and score["refusals"] == 0
    assert score["mean"] == pytest.approx(sum(game["score"] for game in played["games"]) / 3, abs=1e-3)
    assert client.predict("model", api_name="/play", steps=3)["score"]["model"] == "tiny"


def test_results_are_typed(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/new_game", "/step", "/play"}
    returns = {name: endpoint["returns"][0]["type"]["properties"] for name, endpoint in endpoints.items()}
    assert returns["/new_game"] == returns["/step"]
    assert returns["/step"]["score"] == {"type": "integer"}
    assert returns["/step"]["game"]["properties"]["replies"] == {"type": "array", "items": {"type": "string"}}
    assert set(returns["/play"]["score"]["properties"]) >= {"mean", "low", "high", "percent", "refusals"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**40}, "seed"),
        ({"seed": "zero"}, "seed"),
        ({"seed": None}, "seed"),
        ({"size": 1}, "cells"),
        ({"size": 10**9}, "cells"),
        ({"size": 3, "blocks": 9}, "no room"),
        ({"steps": 0}, "steps"),
        ({"steps": 10**9}, "steps"),
        ({"policy": "magic"}, "Who plays"),
        ({"looks": "shiny"}, "Looks"),
        ({"permute_marks": "yes"}, "permute_marks"),
    ],
)
def test_games_that_cannot_be_played_are_refused_with_a_reason(client, options, reason):
    with pytest.raises(Exception, match=reason):
        client.predict(api_name="/new_game", **options)
    with pytest.raises(Exception, match=reason.replace("Who plays", "Who plays|policy")):
        client.predict(api_name="/play", **options)


@pytest.mark.parametrize(
    "changes", [{"score": 5}, {"seed": "0"}, {"replies": ["1"]}, {"version": 0}, {"policy": 1}, {"steps": 10**12}]
)
def test_what_is_no_game_is_refused_with_a_reason(client, changes):
    game = client.predict(api_name="/new_game")["game"]
    with pytest.raises(Exception, match=r"recording|must be|has 1 to"):
        client.predict(game | changes, "1", api_name="/step")
    for broken in ({}, {"seed": 0}, [], "game", None, 7):
        with pytest.raises(Exception, match="recording"):
            client.predict(broken, "1", api_name="/step")


def test_too_much_at_once_is_refused(client):
    for options in ({"games": 101}, {"games": 2, "steps": 9999}, {"games": 0}, {"games": -1}):
        with pytest.raises(Exception, match=r"games|game is"):
            client.predict("random", api_name="/play", **options)
    game = client.predict(api_name="/new_game")["game"]
    with pytest.raises(Exception, match="1,001 characters"):
        client.predict(game, "1" * 1001, api_name="/step")


def test_ten_callers_at_once_each_play_their_own_game(gaming_server):
    def visit(seed: int) -> tuple[dict, Episode]:
        caller = Client(gaming_server.url, verbose=False, httpx_kwargs={"timeout": 120})
        record = caller.predict(api_name="/new_game", seed=seed, steps=8)
        while record["steps_left"]:
            reply = "1" if seed % 2 else best_reply(record)
            record = caller.predict(record["game"], reply, api_name="/step")
        alone = Episode(GameSettings(seed, steps=8), "person")
        for reply in record["game"]["replies"]:
            alone.take(reply)
        return record, alone

    with ThreadPoolExecutor(10) as pool:
        for seed, (record, alone) in enumerate(pool.map(visit, range(10))):
            assert record["game"] == recording_of(alone)
            assert record["game"]["seed"] == seed and record["score"] == alone.score
            assert np.array_equal(picture(record), np.asarray(alone.view.picture()))


def test_the_endpoints_are_mcp_tools_with_typed_arguments(gaming_server):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def converse():
        async with streamable_http_client(f"{gaming_server.url}/gradio_api/mcp/") as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                tools = {tool.name.removeprefix("gaming_agent_"): tool for tool in (await session.list_tools()).tools}
                started = await session.call_tool(tools["new_game"].name, {"seed": 5})
                record = ast.literal_eval(started.content[0].text)  # Gradio writes results as Python does
                stepped = await session.call_tool(tools["step"].name, {"game": record["game"], "reply": "4"})
                return tools, ast.literal_eval(stepped.content[0].text)

    with ThreadPoolExecutor(1) as pool:  # this thread's event loop may be the browser's
        tools, record = pool.submit(lambda: asyncio.run(converse())).result()
    assert set(tools) == {"new_game", "step", "play"}
    arguments = tools["step"].inputSchema["properties"]
    assert arguments["game"]["properties"]["replies"]["type"] == "array" and arguments["reply"]["type"] == "string"
    assert record["game"]["replies"] == ["4"] and record["game"]["seed"] == 5


def test_nothing_went_wrong_unseen(gaming_server, client):
    with pytest.raises(Exception, match="seed"):
        client.predict(api_name="/new_game", seed=-1)
    assert "Traceback" not in gaming_server.log.read_text()
