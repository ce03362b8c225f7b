"""Numbers recorded from the original implementation on a tiny random model, where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from core.magma import MagmaForCausalLM, MagmaImageProcessor
from core.magma.image_processing import crop_grid

PARITY = Path(__file__).parents[2] / "shared" / "parity"
if not PARITY.is_dir():
    pytest.skip("the recordings of the original are not here", allow_module_level=True)

RECORD = json.loads((PARITY / "cases.json").read_text())
CASES = [(case, strategy) for case, record in RECORD["cases"].items() for strategy in record["generated"]]
STEPS = 12


@pytest.fixture(scope="module")
def arrays() -> dict[str, torch.Tensor]:
    return load_file(PARITY / "cases.safetensors")


@pytest.fixture(scope="module")
def model() -> MagmaForCausalLM:
    return MagmaForCausalLM.from_pretrained(PARITY / "model")


@pytest.fixture(scope="module")
def image_processor() -> MagmaImageProcessor:
    return MagmaImageProcessor.from_pretrained(PARITY / "model")


def inputs_of(case: str, arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    text_only = f"{case}/pixel_values" not in arrays
    expanded = "" if text_only else "expanded_"
    inputs = {name: arrays[f"{case}/{expanded}{name}"] for name in ("input_ids", "attention_mask")}
    return inputs | ({} if text_only else {name: arrays[f"{case}/{name}"] for name in ("pixel_values", "image_sizes")})


def greedy(model: MagmaForCausalLM, inputs: dict[str, torch.Tensor], **options) -> torch.Tensor:
    return model.generate(**inputs, max_new_tokens=STEPS, do_sample=False, eos_token_id=None, **options)[:, -STEPS:]


@pytest.fixture(params=CASES, ids="-".join)
def case(request, model) -> str:
    name, strategy = request.param
    model.config.vision_config.img_anyres_strategy = "global" if strategy == "global" else "crop"
    return f"{name}/{strategy}"


def test_crops_are_the_originals(arrays, image_processor):
    for name, record in RECORD["cases"].items():
        for row, names in enumerate(record["images"]):
            if not names:
                continue
            pictures = [Image.fromarray(arrays[f"image/{picture}"].numpy()) for picture in names]
            outcome = image_processor(pictures)
            assert outcome["image_sizes"].tolist() == record["grids"][row]
            recorded = arrays[f"{name}/pixel_values"][row, : len(outcome["pixel_values"])]
            torch.testing.assert_close(outcome["pixel_values"], recorded, atol=1e-6, rtol=0)


def test_image_features(case, model, arrays):
    name = case.split("/")[0]
    if f"{case}/image_features" not in arrays:
        pytest.skip("a case without pictures")
    with torch.no_grad():
        features = model.image_features(arrays[f"{name}/pixel_values"], arrays[f"{name}/image_sizes"])
    assert [len(part) for part in features] == arrays[f"{case}/feature_lens"].tolist()
    torch.testing.assert_close(torch.cat(features), arrays[f"{case}/image_features"], atol=1e-5, rtol=0)


def test_logits(case, model, arrays):
    inputs = inputs_of(case.split("/")[0], arrays)
    with torch.no_grad():
        logits = model(**inputs).logits
    torch.testing.assert_close(logits[:, -1], arrays[f"{case}/logits_last"], atol=1e-4, rtol=0)
    if (recorded := arrays.get(f"{case}/logits")) is not None:
        seen = inputs["attention_mask"].bool()
        torch.testing.assert_close(logits[seen], recorded[seen], atol=1e-4, rtol=0)


@pytest.mark.parametrize("cache", ["dynamic", "static"])
def test_greedy_tokens(case, cache, model, arrays):
    tokens = greedy(model, inputs_of(case.split("/")[0], arrays), cache_implementation=cache)
    assert tokens.tolist() == arrays[f"{case}/generated"].tolist()


def test_one_by_one_gives_the_tokens_of_the_batch(case, model, arrays):
    inputs = inputs_of(case.split("/")[0], arrays)
    for row, recorded in enumerate(arrays[f"{case}/generated"].tolist()):
        seen = inputs["attention_mask"][row].bool()
        alone = {name: inputs[name][row][seen][None] for name in ("input_ids", "attention_mask")}
        alone |= {name: inputs[name][row][None] for name in ("pixel_values", "image_sizes") if name in inputs}
        assert greedy(model, alone).tolist() == [recorded]


def test_crop_grids_and_visual_tokens():
    checked = 0
    for record in json.loads((PARITY / "anyres_grids.json").read_text()):
        for setting in ("512x4", "512x1", "768x4"):
            base, crops = map(int, setting.split("x"))
            grid = crop_grid(record["w"], record["h"], base, crops)
            assert list(grid) == record[setting]["grid_rows_cols"], record
            tokens = MagmaImageProcessor(base_img_size=base, num_crops=crops).visual_tokens(*grid)
            assert tokens == record[setting]["visual_tokens"]
            checked += 1
    assert checked == 90


def test_pixels_at_full_size():
    processor = MagmaImageProcessor()
    for size, probe in json.loads((PARITY / "pixel_probes_512.json").read_text()).items():
        width, height = map(int, size.split("x"))
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        channels = [(x * (3 + c) + y * (5 + 2 * c) + (x * y) // (7 + c)) % 256 for c in range(3)]
        outcome = processor(torch.stack(channels, dim=-1).to(torch.uint8).numpy())
        pixels = outcome["pixel_values"]
        assert outcome["image_sizes"].tolist() == probe["image_sizes"]
        assert list(pixels.shape) == probe["shape"]
        sampled = pixels[tuple(torch.tensor(probe["index"]).T)]
        torch.testing.assert_close(sampled, torch.tensor(probe["value"]), atol=1e-6, rtol=0)
