"""What goes into the learnt trackers and comes out, on stand-ins with their interfaces; no network is touched."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.generators import finish
from core.traces import learnt, track

FRAMES = [np.full((120, 200, 3), 40 * number, np.uint8) for number in range(4)]
POINTS = np.array([[10.5, 20.5], [150.0, 100.0]], np.float32)
STEP = np.array([3.0, -2.0])
"""Pixels a frame that every stand-in moves every point by, in the frames' own size."""


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.setattr(learnt, "_load", lambda model, weights, name: model)


def check(tracks) -> None:
    expected = POINTS[None] + np.arange(len(FRAMES))[:, None, None] * STEP
    assert tracks.points.dtype == np.float32 and np.abs(tracks.points - expected).max() < 1e-3
    assert tracks.visible.tolist() == [[True, True], [True, False], [True, False], [True, False]]


def test_cotracker3(monkeypatch):
    class Predictor(torch.nn.Module):
        model = None

        def forward(self, video, queries):
            assert video.shape == (1, 4, 3, 120, 200) and video[0, 3].max() == 120
            assert queries.tolist() == [[[0.0, 10.0, 20.0], [0.0, 149.5, 99.5]]]
            steps = torch.arange(4)[:, None, None] * torch.tensor(STEP)
            visible = torch.tensor([[[True, False]] * 4])
            return (queries[:, None, :, 1:] + steps).float(), visible

    def load(repository, entry, **options):
        assert len(repository.partition(":")[2]) == 40 and options["pretrained"] is False
        return Predictor()

    monkeypatch.setattr(torch.hub, "load", load)
    check(finish(track(FRAMES, POINTS, "cotracker3")))


class FakeTAPIR(torch.nn.Module):
    def __init__(self, pyramid_level):
        super().__init__()

    def forward(self, frames, query_points):
        assert frames.shape == (1, 4, 256, 256, 3) and -1 <= frames.min() and frames.max() <= 1
        start = query_points[..., [2, 1]][:, :, None]
        step = torch.tensor(STEP * [256 / 200, 256 / 120])
        tracks = (start + torch.arange(4)[:, None] * step).float()
        hidden = torch.tensor([[[-9.0] * 4, [9.0] * 4]])
        return {"tracks": tracks, "occlusion": hidden, "expected_dist": torch.full((1, 2, 4), -9.0)}


class FakeTAPNext(torch.nn.Module):
    def __init__(self, image_size):
        super().__init__()
        assert image_size == (256, 256)

    def forward(self, video, query_points=None, state=None):
        assert video.shape == (1, 1, 256, 256, 3)
        time, asked = state or (0, query_points)
        step = torch.tensor(STEP[::-1] * [256 / 120, 256 / 200])
        tracks = (asked[:, None, :, 1:] + time * step).float()
        return tracks, None, torch.tensor([[[[4.0], [-4.0]]]]), (time + 1, asked)


@pytest.mark.parametrize(
    ("name", "module", "attribute", "stand_in"),
    [
        ("tapir", "tapnet.torch.tapir_model", "TAPIR", FakeTAPIR),
        ("tapnext", "tapnet.tapnext.tapnext_torch", "TAPNext", FakeTAPNext),
    ],
)
def test_tapir_and_tapnext(monkeypatch, name, module, attribute, stand_in):
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), ModuleType(parts[end - 1]))
        if end > 1:
            setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], sys.modules[".".join(parts[:end])])
    setattr(sys.modules[module], attribute, stand_in)
    check(finish(track(FRAMES, POINTS, name)))


@pytest.mark.parametrize("name", ["tapir", "tapnext"])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "tapnet", None)
    with pytest.raises(UserError, match="pip install"):
        finish(track(FRAMES, POINTS, name))


def test_code_that_cannot_be_fetched_is_named_with_the_remedy(monkeypatch):
    def load(*arguments, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load", load)
    with pytest.raises(UserError, match=r"no route to host.*lucas-kanade"):
        finish(track(FRAMES, POINTS, "cotracker3"))


def test_weights_that_cannot_be_had_are_named(monkeypatch):
    monkeypatch.undo()

    def download(*arguments, **options):
        raise OSError("offline")

    monkeypatch.setattr(learnt, "hf_hub_download", download)
    with pytest.raises(UserError, match=r"TAPIR's weights cannot be had.*google/tapnet.*lucas-kanade"):
        learnt._load(torch.nn.Linear(1, 1), learnt.TAPIR_WEIGHTS, "TAPIR")


def test_weights_are_read_into_the_model_and_pickles_are_not(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(learnt, "hf_hub_download", lambda *arguments, **options: str(tmp_path / "weights.pt"))
    source = torch.nn.Linear(2, 2)
    torch.save(
        {"state_dict": {f"tapnext.{key}": value for key, value in source.state_dict().items()}}, tmp_path / "weights.pt"
    )
    loaded = learnt._load(torch.nn.Linear(2, 2), learnt.TAPNEXT_WEIGHTS, "TAPNext")
    assert torch.equal(loaded.weight.cpu(), source.weight)
    torch.save({"weight": UserError}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="weights cannot be had"):
        learnt._load(torch.nn.Linear(2, 2), learnt.TAPNEXT_WEIGHTS, "TAPNext")
