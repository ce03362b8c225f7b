"""The model against plain formulas and itself, and the released configuration in its full size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import StaticCache

from core.magma import MagmaConfig, MagmaForCausalLM, MagmaForConditionalGeneration, MagmaVisionConfig
from core.magma.vision import ChannelLayerNorm, ConvNextBlock, Projector, Trunk, tile
from tests.tiny_magma import ID, make_model


@pytest.fixture(scope="module")
def model() -> MagmaForCausalLM:
    return make_model()


def prompt(grids: list[tuple[int, int]], words: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """One row: text, the visual tokens of each grid, text."""
    generator = torch.Generator().manual_seed(seed)
    visual = sum(rows * 2 * (cols * 2 + 1) for rows, cols in grids)
    text = torch.randint(0, 256, (words,), generator=generator)
    ids = torch.cat([text[:4], torch.full((visual,), ID["<image>"]), text[4:]])[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if grids:
        crops = sum(rows * cols for rows, cols in grids)
        inputs["pixel_values"] = torch.randn(1, crops, 3, 64, 64, generator=generator)
        inputs["image_sizes"] = torch.tensor([grids])
    return inputs


def batch(*rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rows with the same number of pictures, padded: tokens on the left, crops at the end."""
    length = max(row["input_ids"].shape[1] for row in rows)
    crops = max(row["pixel_values"].shape[1] for row in rows)

    def left(tensor: torch.Tensor, value: int) -> torch.Tensor:
        return torch.nn.functional.pad(tensor, (length - tensor.shape[1], 0), value=value)

    return {
        "input_ids": torch.cat([left(row["input_ids"], ID["<pad>"]) for row in rows]),
        "attention_mask": torch.cat([left(row["attention_mask"], 0) for row in rows]),
        "pixel_values": torch.cat(
            [
                torch.nn.functional.pad(row["pixel_values"], (0,) * 7 + (crops - row["pixel_values"].shape[1],))
                for row in rows
            ]
        ),
        "image_sizes": torch.cat([row["image_sizes"] for row in rows]),
    }


def greedy(model: MagmaForCausalLM, inputs: dict[str, torch.Tensor], steps: int = 6, **options) -> list[list[int]]:
    tokens = model.generate(**inputs, max_new_tokens=steps, do_sample=False, eos_token_id=None, **options)
    return tokens[:, inputs["input_ids"].shape[1] :].tolist()


def released_names() -> dict[str, tuple[int, ...]]:
    """Every name and shape of the released checkpoint."""
    shapes: dict[str, tuple[int, ...]] = {}

    def pair(name: str, weight: tuple[int, ...]) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]

    clip = "vision_tower.clip_vision_model."
    trunk = clip + "trunk."
    pair(trunk + "stem.0", (384, 3, 4, 4))
    pair(trunk + "stem.1", (384,))
    for stage, (depth, d, before) in enumerate(
        zip((3, 4, 30, 3), (384, 768, 1536, 3072), (None, 384, 768, 1536), strict=True)
    ):
        if before:
            pair(f"{trunk}stages.{stage}.downsample.0", (before,))
            pair(f"{trunk}stages.{stage}.downsample.1", (d, before, 2, 2))
        for number in range(depth):
            block = f"{trunk}stages.{stage}.blocks.{number}."
            shapes[block + "gamma"] = (d,)
            pair(block + "conv_dw", (d, 1, 7, 7))
            pair(block + "norm", (d,))
            pair(block + "mlp.fc1", (4 * d, d))
            pair(block + "mlp.fc2", (d, 4 * d))
    pair(trunk + "head.norm", (3072,))
    shapes[clip + "head.proj.weight"] = (1024, 3072)
    pair("multi_modal_projector.proj.0", (4096, 3072))
    pair("multi_modal_projector.proj.2", (4096, 4096))
    shapes["multi_modal_projector.row_seperator"] = (1, 1, 4096)
    shapes["language_model.lm_head.weight"] = (128261, 4096)
    shapes["language_model.model.embed_tokens.weight"] = (128261, 4096)
    shapes["language_model.model.norm.weight"] = (4096,)
    for number in range(32):
        layer = f"language_model.model.layers.{number}."
        for name, shape in {
            "self_attn.q_proj": (4096, 4096),
            "self_attn.k_proj": (1024, 4096),
            "self_attn.v_proj": (1024, 4096),
            "self_attn.o_proj": (4096, 4096),
            "mlp.gate_proj": (14336, 4096),
            "mlp.up_proj": (14336, 4096),
            "mlp.down_proj": (4096, 14336),
            "input_layernorm": (4096,),
            "post_attention_layernorm": (4096,),
        }.items():
            shapes[f"{layer}{name}.weight"] = shape
    return shapes


def test_the_full_size_has_exactly_the_released_names_and_shapes():
    with torch.device("meta"):
        full = MagmaForCausalLM(MagmaConfig())
    assert {name: tuple(tensor.shape) for name, tensor in full.state_dict().items()} == released_names()
    assert sum(name.endswith("gamma") for name in full.state_dict()) == 40

    def count(part: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in part.parameters())

    assert count(full.vision_tower) == 846_543_744
    assert count(full.multi_modal_projector) == 29_372_416
    assert count(full.language_model) == 8_030_302_208
    assert full.config.text_config.rope_parameters["rope_theta"] == 500000.0


def test_both_names_are_one_class():
    assert MagmaForConditionalGeneration is MagmaForCausalLM


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    variance = x.var(-1, keepdims=True)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(variance + 1e-5) * weight + bias


def test_a_block_follows_the_formula():
    torch.manual_seed(0)
    block = ConvNextBlock(8).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.5)
    # Small activations, so that another epsilon in the layer norm would show.
    x = torch.randn(2, 8, 5, 6, dtype=torch.float64) * 1e-3
    block.conv_dw.bias.data.zero_()
    p = {name: value.numpy() for name, value in block.state_dict().items()}
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))
    mixed = np.einsum("bchwij,cij->bhwc", windows, p["conv_dw.weight"][:, 0])
    hidden = layer_norm(mixed, p["norm.weight"], p["norm.bias"])
    hidden = gelu(hidden @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"])
    update = (hidden @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]) * p["gamma"]
    np.testing.assert_allclose(block(x).detach().numpy(), x.numpy() + update.transpose(0, 3, 1, 2), atol=1e-12)


def test_every_layer_norm_of_the_trunk_has_its_epsilon():
    trunk = Trunk(MagmaVisionConfig(depths=(1, 1), widths=(8, 16)))
    norms = [module for module in trunk.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert [norm.eps for norm in norms] == [1e-5] * 5
    assert sum(isinstance(norm, ChannelLayerNorm) for norm in norms) == 2


def test_the_projector_closes_every_row():
    projector = Projector(MagmaVisionConfig(depths=(1,), widths=(4,)), hidden_size=3)
    torch.nn.init.normal_(projector.row_seperator)
    picture = torch.randn(2, 5, 3)
    closed = projector.close_rows(picture).reshape(2, 6, 3)
    assert torch.equal(closed[:, :5], picture)
    assert torch.equal(closed[:, 5], projector.row_seperator[0].expand(2, 3))


def test_the_projector_follows_the_formula():
    projector = Projector(MagmaVisionConfig(depths=(1,), widths=(4,)), hidden_size=3).double()
    x = 3 * torch.randn(4, dtype=torch.float64)
    p = {name: value.numpy() for name, value in projector.proj.state_dict().items()}
    expected = p["2.weight"] @ gelu(p["0.weight"] @ x.numpy() + p["0.bias"]) + p["2.bias"]
    np.testing.assert_allclose(projector(x).detach().numpy(), expected, atol=1e-12)


def test_crops_are_laid_row_by_row():
    whole = torch.arange(4 * 6).reshape(4, 6, 1)
    crops = torch.stack([whole[y : y + 2, x : x + 2] for y in (0, 2) for x in (0, 2, 4)])
    assert torch.equal(tile(crops, 2, 3), whole)


def test_crop_sees_seams_where_global_does_not():
    crop, whole = make_model(strategy="crop"), make_model(strategy="global")
    one, two = prompt([(1, 1)]), prompt([(1, 2)])
    with torch.no_grad():
        torch.testing.assert_close(crop(**one).logits, whole(**one).logits)
        assert (crop(**two).logits - whole(**two).logits).abs().max() > 0.01


def test_several_pictures_stand_in_the_order_of_the_prompt(model):
    inputs = prompt([(1, 2), (2, 1)])
    features = model.image_features(inputs["pixel_values"], inputs["image_sizes"])
    assert [len(part) for part in features] == [10, 12]
    second = model.image_features(inputs["pixel_values"][:, 2:], inputs["image_sizes"][:, 1:])[0]
    torch.testing.assert_close(features[1], second)


def test_a_batch_gives_the_tokens_of_its_rows(model):
    rows = [prompt([(1, 2)], words=7, seed=1), prompt([(2, 2)], words=12, seed=2), prompt([(1, 1)], seed=3)]
    expected = [greedy(model, row)[0] for row in rows]
    together = batch(*rows)
    assert greedy(model, together) == expected
    assert greedy(model, together, cache_implementation="static") == expected
    assert greedy(model, together, use_cache=False) == expected


def test_padding_does_not_show_in_a_plain_forward(model):
    rows = [prompt([(1, 2)], words=7, seed=1), prompt([(2, 2)], words=12, seed=2)]
    with torch.no_grad():
        together = model(**batch(*rows)).logits
        for row, logits in zip(rows, together, strict=True):
            alone = model(**row).logits[0]
            torch.testing.assert_close(logits[-len(alone) :], alone, atol=1e-4, rtol=0)


def test_sampling_repeats_each_rows_pictures(model):
    torch.manual_seed(0)
    rows = batch(prompt([(1, 2)], seed=1), prompt([(1, 1)], seed=2))
    tokens = model.generate(
        **rows, max_new_tokens=3, do_sample=True, top_k=1, num_return_sequences=2, eos_token_id=None
    )
    single = greedy(model, rows, steps=3)
    assert tokens[:, -3:].tolist() == [single[0], single[0], single[1], single[1]]


def test_decoding_compiles_without_a_break(model):
    inputs = prompt([], words=8)
    cache = StaticCache(config=model.config.text_config, max_cache_len=16)
    step = torch.compile(model.forward, backend="eager", fullgraph=True)
    with torch.no_grad():
        token = model(**inputs, past_key_values=cache, logits_to_keep=1).logits.argmax(-1)
        tokens = [token.item()]
        for position in range(8, 13):
            logits = step(
                input_ids=token,
                past_key_values=cache,
                position_ids=torch.tensor([[position]]),
                logits_to_keep=1,
            ).logits
            assert logits.shape[1] == 1
            token = logits.argmax(-1)
            tokens.append(token.item())
    assert [tokens] == greedy(model, inputs, steps=6)


@pytest.mark.parametrize("grids", [[], [(1, 2)]], ids=["text only", "with a picture"])
def test_loss_is_the_mean_over_the_learned_tokens(model, grids):
    inputs = prompt(grids)
    labels = torch.full_like(inputs["input_ids"], -100)
    labels[:, -3:] = inputs["input_ids"][:, -3:]
    outputs = model(**inputs, labels=labels)
    chosen = outputs.logits[0, -4:-1].log_softmax(-1).gather(-1, labels[0, -3:, None])
    torch.testing.assert_close(outputs.loss, -chosen.mean())


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing_enable:FutureWarning")
@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_reaches_every_parameter_but_clips_head(checkpointing):
    model = make_model().train()
    if checkpointing:
        model.gradient_checkpointing_enable()
    inputs = prompt([(1, 2)])
    model(**inputs, labels=inputs["input_ids"].masked_fill(inputs["input_ids"] == ID["<image>"], -100)).loss.backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    clip = "vision_tower.clip_vision_model."
    assert without == {clip + "trunk.head.norm.weight", clip + "trunk.head.norm.bias", clip + "head.proj.weight"}
    assert not any(parameter.requires_grad for name, parameter in model.named_parameters() if name in without)


def test_image_tokens_and_pictures_must_agree(model):
    inputs = prompt([(1, 1)])
    with pytest.raises(ValueError, match="6 image tokens in the prompt for 10 visual tokens"):
        model(**inputs | {"pixel_values": torch.zeros(1, 2, 3, 64, 64), "image_sizes": torch.tensor([[[1, 2]]])})
    with pytest.raises(ValueError, match="do not fit"):
        model(**inputs | {"image_sizes": torch.tensor([[[2, 2]]])})


def test_a_fresh_model_has_no_uninitialised_parameter():
    config = make_model().config
    torch.manual_seed(0)
    fresh = MagmaForCausalLM(config)
    for name, parameter in fresh.named_parameters():
        assert parameter.isfinite().all() and parameter.abs().max() < 10, name
        if name.endswith("gamma"):
            assert torch.equal(parameter, torch.full_like(parameter, 1e-6))


def test_the_vocabulary_can_grow():
    model = make_model()
    model.resize_token_embeddings(800)
    assert model.config.text_config.vocab_size == 800
    assert model(**prompt([])).logits.shape[-1] == 800


@pytest.mark.parametrize(
    "values",
    [
        {"vision_backbone": "convnextlarge"},
        {"img_anyres_strategy": "tiles"},
        {"vision_feature_layer": "clip_vis_pooled"},
        {"mm_projector_type": "linear"},
        {"mm_projector_type": "mlp2x_relu"},
        {"img_size": 500},
        {"max_num_crops": 0},
        {"depths": (1, 1), "widths": (8,)},
        {"depths": (1,), "widths": (8,), "mm_hidden_size": 16},
    ],
    ids=str,
)
def test_unknown_vision_values_are_refused(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        MagmaConfig(vision_config=values)


def test_unknown_text_values_are_refused():
    with pytest.raises(ValueError, match="text_config"):
        MagmaConfig(text_config={"model_type": "mistral"})
    with pytest.raises(ValueError, match="outside the vocabulary"):
        MagmaConfig(image_token_index=200000)


def test_older_spellings_of_the_configuration():
    vision = MagmaConfig(vision_config={"mm_projector_type": "mlp2x_gelu_segtokv1", "vision_tower": "x"}).vision_config
    assert vision.projector_layers == 2 and vision.depths == (3, 4, 30, 3)
    assert MagmaConfig(image_token_id=7).image_token_index == 7
