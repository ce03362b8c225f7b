"""Loading and saving: the released layout in and out, no remote code, and an error for every kind of damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from core.magma import MagmaConfig, MagmaForCausalLM, MagmaImageProcessor, MagmaProcessor
from tests.tiny_magma import ID, make_checkpoint, make_model

BLOCK = "vision_tower.clip_vision_model.trunk.stages.2.blocks.1."


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("sharded"))


@pytest.fixture
def folder(sharded, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(sharded, tmp_path / "checkpoint"))


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def stored(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors and write them back as one file."""
    tensors = stored(folder)
    change(tensors)
    for file in [*shards(folder), folder / "model.safetensors.index.json"]:
        file.unlink()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def reconfigure(folder: Path, **values) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for name, value in values.items():
        part = config["vision_config"] if name in config["vision_config"] else config
        part[name] = value
    path.write_text(json.dumps(config))


def logits(model: MagmaForCausalLM) -> torch.Tensor:
    ids = torch.cat([torch.arange(5), torch.full((6,), ID["<image>"]), torch.arange(7)])[None]
    pixels = torch.randn(1, 1, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return model(input_ids=ids, pixel_values=pixels, image_sizes=torch.ones(1, 1, 2, dtype=torch.long)).logits


def test_the_tiny_checkpoint_looks_like_the_released_one(sharded):
    assert len(shards(sharded)) > 1
    names = stored(sharded)
    assert BLOCK + "gamma" in names and "language_model.model.embed_tokens.weight" in names
    assert "modeling_magma.MagmaForCausalLM" in (sharded / "config.json").read_text()
    assert "remote code" in (sharded / "modeling_magma.py").read_text()


@pytest.mark.parametrize("trust", [None, False, True])
def test_auto_classes_load_it_without_its_remote_code(sharded, trust, monkeypatch):
    def refuse(*_):
        raise AssertionError("asked whether remote code may run")

    monkeypatch.setattr("builtins.input", refuse)
    assert type(AutoConfig.from_pretrained(sharded, trust_remote_code=trust)) is MagmaConfig
    assert type(AutoProcessor.from_pretrained(sharded, trust_remote_code=trust)) is MagmaProcessor
    assert type(AutoImageProcessor.from_pretrained(sharded, trust_remote_code=trust)) is MagmaImageProcessor
    assert AutoTokenizer.from_pretrained(sharded, trust_remote_code=trust).eos_token_id == ID["<|eot_id|>"]
    for auto in (AutoModelForCausalLM, AutoModelForImageTextToText):
        assert type(auto.from_pretrained(sharded, trust_remote_code=trust)) is MagmaForCausalLM


def test_what_is_loaded_is_what_was_saved(sharded):
    model = MagmaForCausalLM.from_pretrained(sharded)
    assert not model.training
    assert torch.equal(logits(model), logits(make_model()))
    assert model.config.text_config.rope_parameters["rope_theta"] == 500000.0
    assert model.generation_config.eos_token_id == ID["<|eot_id|>"]


def test_saving_keeps_names_shapes_and_values(sharded, tmp_path):
    MagmaForCausalLM.from_pretrained(sharded).save_pretrained(tmp_path)
    before, after = stored(sharded), stored(tmp_path)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["MagmaForCausalLM"] and config["model_type"] == "magma"
    assert "auto_map" not in config
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(tmp_path)), logits(make_model()))


def test_the_processor_survives_saving(sharded, tmp_path):
    processor = AutoProcessor.from_pretrained(sharded)
    processor.save_pretrained(tmp_path)
    again = MagmaProcessor.from_pretrained(tmp_path)
    assert again.image_processor.base_img_size == 64
    assert again.tokenizer.chat_template == processor.tokenizer.chat_template
    assert "_magma.Magma" not in "".join(path.read_text() for path in tmp_path.glob("*config.json"))


def test_it_loads_in_bfloat16(sharded):
    model = MagmaForCausalLM.from_pretrained(sharded, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert (logits(model).float() - logits(make_model())).abs().max() < 0.5


def test_the_other_spelling_of_gamma_is_read_and_the_released_one_written(folder, tmp_path):
    def respell(tensors):
        for name in [name for name in tensors if name.endswith(".gamma")]:
            tensors[name.removesuffix("gamma") + "weight"] = tensors.pop(name)

    rewrite(folder, respell)
    model = MagmaForCausalLM.from_pretrained(folder)
    assert torch.equal(logits(model), logits(make_model()))
    model.save_pretrained(tmp_path / "saved")
    assert stored(tmp_path / "saved").keys() == make_model().state_dict().keys()


def test_clips_head_may_be_absent(folder):
    rewrite(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if ".head." in name])
    model = MagmaForCausalLM.from_pretrained(folder)
    assert torch.equal(logits(model), logits(make_model()))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_the_size_of_a_foreign_trunk_is_read_from_the_tensors(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for name in ("depths", "widths", "projection_dim"):
        del config["vision_config"][name]
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="neither depths nor widths"):
        MagmaForCausalLM(MagmaConfig.from_pretrained(folder))
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.vision_config.depths == (1, 1, 2, 1)
    assert torch.equal(logits(model), logits(make_model()))


@pytest.mark.parametrize(
    "name",
    [
        BLOCK + "gamma",
        BLOCK + "norm.bias",
        "multi_modal_projector.row_seperator",
        "language_model.lm_head.weight",
        "language_model.model.norm.weight",
    ],
)
def test_a_missing_tensor_is_an_error(folder, name):
    rewrite(folder, lambda tensors: tensors.pop(name))
    with pytest.raises(ValueError, match="lacks " + name.replace(".", r"\.")):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_whole_missing_block_is_an_error_where_the_size_is_known(folder):
    rewrite(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith(BLOCK)])
    with pytest.raises(ValueError, match=r"lacks .* and 5 more"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_wrong_shape_is_an_error(folder):
    rewrite(folder, lambda tensors: tensors.update({BLOCK + "gamma": torch.ones(65)}))
    with pytest.raises(ValueError, match=r"gamma \[65\] instead of \[64\]"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_vocabulary_other_than_the_files_is_an_error(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["text_config"]["vocab_size"] += 1
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"lm_head.weight \[778, 64\] instead of \[779, 64\]"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_missing_shard_is_an_error(folder):
    shards(folder)[1].unlink()
    with pytest.raises(OSError, match="lacks model-00002-of-"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 5, 1000, -100])
def test_a_damaged_shard_is_an_error(folder, keep):
    shard = shards(folder)[0]
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(OSError, match="is damaged"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_an_error(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(OSError, match="is no index"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "pytorch_model.bin"])
def test_an_index_names_nothing_but_safetensors_beside_it(folder, name):
    shard = shards(folder)[0]
    shutil.copy(shard, folder / name)
    index = folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace(shard.name, name))
    with pytest.raises(OSError, match="is no index of safetensors"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_pickled_weights_are_refused(folder):
    tensors = stored(folder)
    for file in [*shards(folder), folder / "model.safetensors.index.json"]:
        file.unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(OSError, match="pickle"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_folder_without_weights_is_no_checkpoint(folder):
    for file in folder.glob("model*"):
        file.unlink()
    with pytest.raises(OSError, match="no checkpoint"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_an_unknown_name_on_the_hub_is_an_error(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError):
        MagmaForCausalLM.from_pretrained("nobody/nothing")


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OSError, match="neither a folder nor"):
        MagmaForCausalLM.from_pretrained(tmp_path / "absent")


@pytest.mark.parametrize(
    "values",
    [{"mm_projector_type": "resampler"}, {"img_anyres_strategy": "tiles"}, {"vision_backbone": "vit"}],
    ids=str,
)
def test_unknown_configuration_values_are_errors(folder, values):
    reconfigure(folder, **values)
    with pytest.raises(ValueError, match=next(iter(values))):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_tokenizer_without_image_tokens_is_refused(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        path = folder / name
        path.write_text(path.read_text().replace("<image>", "<picture>"))
    with pytest.raises(ValueError, match="lacks <image>"):
        AutoProcessor.from_pretrained(folder)
