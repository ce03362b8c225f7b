from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from core import bench


def test_the_benchmark_measures_both_sides_and_finds_the_same_tokens(tmp_path: Path, capsys: pytest.CaptureFixture):
    file = tmp_path / "figures.json"
    options = "--config tiny --random-weights --device cpu --tokens 8 --repeats 1 --json"
    assert bench.main([*options.split(), str(file)]) == 0
    found = json.loads(file.read_text())
    figures = found["figures"]
    assert all(value > 0 for sides in figures.values() for value in sides.values())
    for name in (
        bench._speed(16),
        "vision tower and prefill, 4 crops, ms",
        '"click" reply from picture to 32 tokens, ms',
    ):
        assert figures[name].keys() == {"plain", "engine"}
    limit = figures["bandwidth limit of decode, batch 1, tokens/s"]["both"]
    assert figures[bench.SHARE]["engine"] == pytest.approx(100 * figures[bench._speed(1)]["engine"] / limit)
    for equal, total in found["equal_tokens"].values():
        assert equal == total > 100
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in figures) and "open" in printed


def test_the_pictures_have_the_crops_that_the_figures_name():
    config = bench.configuration("tiny")
    measured = bench.Bench(bench.random_model(config, torch.device("cpu"), torch.float32), 1, 1)
    grids = [measured.inputs(picture)["image_sizes"].tolist() for picture in (measured.one_crop, measured.four_crops)]
    assert grids == [[[[1, 1]]], [[[2, 2]]]]


def test_the_full_size_reads_15_gigabytes_for_each_token():
    config = bench.configuration("8b")
    with torch.device("meta"):
        model = bench.MagmaForCausalLM(config).to(torch.bfloat16)
    assert bench.Bench(model, 1, 1).bytes_per_token() / 1e9 == pytest.approx(15.0, abs=0.02)


def test_a_machine_too_small_for_the_configuration_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(bench, "free_bytes", lambda device: 8 * 10**9)
    assert bench.main(["--config", "8b", "--random-weights", "--device", "cpu"]) == 2
    assert "needs about 41 GB" in capsys.readouterr().err


def test_a_device_that_is_not_there_says_so(capsys: pytest.CaptureFixture):
    assert bench.main(["--config", "tiny", "--random-weights", "--device", "cuda:99"]) == 2
    assert "not available" in capsys.readouterr().err
