"""OmniParser's models as a parser, with stand-ins of the same input and output form."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import omniparser_standins as standins
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from transformers import Florence2ForConditionalGeneration

from core.errors import UserError
from core.generators import finish
from core.geometry import Box
from core.screen import ParseOptions, Screen
from core.screen.captions import IconCaptioner, native_config, native_state
from core.screen.embedded import EmbeddedParser
from core.screen.loading import load_parser
from core.screen.omniparser import OmniParser
from core.screen.regions import Letterbox, RegionDetector, suppress
from core.screen.weights import OMNIPARSER, REVISIONS, find_files

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return standins.save_omniparser(tmp_path_factory.mktemp("OmniParser-v2.0"))


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A folder to spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def unreachable_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and a hub at an address where nothing listens."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
        "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}",
    )


@pytest.fixture
def cached_weights(folder: Path, tmp_path: Path, unreachable_hub: None) -> None:
    """The hub's cache holds the stand-ins, and the hub itself is out of reach."""
    for repository, names, source in [
        (OMNIPARSER, ["icon_detect_v3/model.pt", "icon_caption/config.json", "icon_caption/model.safetensors"], folder),
        ("microsoft/Florence-2-base", ["tokenizer.json"], folder / "icon_caption"),
    ]:
        snapshots = tmp_path / "cache" / f"models--{repository.replace('/', '--')}" / "snapshots"
        for name in names:
            target = snapshots / REVISIONS[repository] / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target)


@pytest.fixture(scope="module")
def detector(folder: Path) -> RegionDetector:
    return RegionDetector.load(folder / "icon_detect_v3" / "model.pt", CPU)


@pytest.fixture(scope="module")
def captioner(folder: Path) -> IconCaptioner:
    files = find_files(str(folder))
    return IconCaptioner.load(files.caption_config, files.caption_weights, files.tokenizer, CPU)


@pytest.fixture(scope="module")
def parser(folder: Path) -> OmniParser:
    return OmniParser.load(str(folder), device="cpu")


def rectangles(size: tuple[int, int], *boxes: tuple[int, int, int, int], grey: int = 255) -> Image.Image:
    """Rectangles of pixels x1..x2-1, y1..y2-1 on black."""
    image = Image.new("RGB", size)
    for x1, y1, x2, y2 in boxes:
        ImageDraw.Draw(image).rectangle((x1, y1, x2 - 1, y2 - 1), fill=(grey, grey, grey))
    return image


def near(box: Box, expected: tuple[float, float, float, float], within: float) -> bool:
    actual = (box.x1, box.y1, box.x2, box.y2)
    return max(abs(a - b) for a, b in zip(actual, expected, strict=True)) <= within


# The letterbox


sizes = st.tuples(st.integers(1, 8000), st.integers(1, 8000))
parts = st.floats(0, 1)


@given(sizes, st.integers(64, 3840), parts, parts, parts, parts)
def test_a_box_comes_back_from_the_square_where_it_was(size, side, a, b, c, d):
    box = Box(min(a, c) * size[0], min(b, d) * size[1], max(a, c) * size[0], max(b, d) * size[1])
    fit = Letterbox.fit(size, side)
    back = fit.back(fit.into(box))
    assert near(back, (box.x1, box.y1, box.x2, box.y2), within=1e-6 * max(size))


@given(sizes, st.integers(64, 3840))
def test_the_picture_fills_the_square_from_edge_to_edge_in_the_middle(size, side):
    fit = Letterbox.fit(size, side)
    assert side <= fit.side < side + 32 and fit.side % 32 == 0
    whole = fit.into(Box(0, 0, *size))
    assert max(whole.width, whole.height) == pytest.approx(fit.side)
    assert near(whole, (fit.left, fit.top, fit.left + fit.width, fit.top + fit.height), within=1e-6)
    assert (
        abs(fit.left - (fit.side - fit.left - fit.width)) <= 1 and abs(fit.top - (fit.side - fit.top - fit.height)) <= 1
    )


def test_the_square_shows_the_picture_where_the_letterbox_says():
    image = rectangles((301, 97), (100, 20, 200, 80))
    fit = Letterbox.fit(image.size, 640)
    pixels = np.asarray(fit.draw(image).convert("L"))
    rows, columns = np.where(pixels > 200)
    found = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    expected = fit.into(Box(100, 20, 200, 80))
    assert near(found, (expected.x1, expected.y1, expected.x2, expected.y2), within=1.5)
    assert pixels[0, 0] == 114 and pixels[-1, -1] == 114


# Suppression


def greedy(boxes: list[Box], scores: list[float], threshold: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(boxes[index].iou(boxes[other]) <= threshold for other in kept):
            kept.append(index)
    return kept


corners = st.integers(0, 12)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(corners, corners, st.integers(1, 8), st.integers(1, 8)), max_size=25),
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]),
    st.randoms(use_true_random=False),
)
def test_suppression_keeps_what_the_greedy_rule_keeps(shapes, threshold, random):
    boxes = [Box(x, y, x + width, y + height) for x, y, width, height in shapes]
    scores = [index / 100 for index in range(len(boxes))]
    random.shuffle(scores)
    rows = torch.tensor([[box.x1, box.y1, box.x2, box.y2] for box in boxes], dtype=torch.float64).reshape(-1, 4)
    kept = suppress(rows, torch.tensor(scores), threshold).tolist()
    assert kept == greedy(boxes, scores, threshold)


# The detector


@pytest.mark.parametrize("size", [(1000, 600), (600, 1000), (1920, 1080), (333, 777), (200, 200)])
def test_controls_are_found_where_they_are(detector, size):
    width, height = size
    expected = (width // 4, height // 3, width // 4 + 80, height // 3 + 60)
    regions = detector.detect(rectangles(size, expected), 640, 0.05, 0.1)
    assert len(regions) == 1
    assert near(regions[0].box, expected, within=max(1.0, max(size) / 640))
    assert regions[0].confidence > 0.9


def test_a_larger_image_side_finds_what_a_smaller_one_cannot_see(detector):
    image, box = Image.new("RGB", (1280, 720)), (1014, 352, 1024, 362)
    image.paste((255, 255, 255), box)
    assert detector.detect(image, 320, 0.05, 0.1) == []
    assert [near(control.box, box, 1) for control in detector.detect(image, 1280, 0.05, 0.1)] == [True]


def test_a_higher_box_threshold_leaves_out_the_less_sure(detector):
    sure, unsure = (100, 100, 200, 160), (400, 100, 500, 160)
    image = rectangles((640, 640), sure)
    image.paste((225, 225, 225), unsure)
    assert [near(r.box, box, 1) for r, box in zip(detector.detect(image, 640, 0.05, 0.1), (sure, unsure), strict=True)]
    assert [near(r.box, sure, 1) for r in detector.detect(image, 640, 0.9, 0.1)] == [True]
    assert detector.detect(image, 640, 0.99, 0.1) == []


class TwoOverlapping(torch.nn.Module):
    """Two boxes of 160 x 160 pixels of the square, 32 apart: an IoU of 2/3. Two classes, each box of another."""

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        outputs: list[torch.Tensor] = []
        for stride in (8, 16, 32):
            cells = pixels.shape[2] // stride
            logits = torch.full((1, 2, cells, cells), -20.0)
            if stride == 32 and cells > 5:
                logits[0, 0, 4, 4] = 3.0
                logits[0, 1, 4, 5] = 2.0
            outputs.append(logits)
            outputs.append(torch.full((1, 4, cells, cells), 2.5))
        return outputs


def test_the_iou_threshold_says_how_much_two_regions_may_overlap(tmp_path):
    standins.save_detector(tmp_path / "model.pt", TwoOverlapping())
    detector = RegionDetector.load(tmp_path / "model.pt", CPU)
    image = Image.new("RGB", (640, 640))
    first, second = (64, 64, 224, 224), (96, 64, 256, 224)
    assert [near(r.box, first, 1e-3) for r in detector.detect(image, 640, 0.05, 0.6)] == [True]
    both = detector.detect(image, 640, 0.05, 0.7)
    assert near(both[0].box, first, 1e-3) and near(both[1].box, second, 1e-3) and len(both) == 2


class Classifier(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean(dim=(2, 3))


def test_another_torchscript_model_is_refused(tmp_path):
    standins.save_detector(tmp_path / "model.pt", Classifier())
    with pytest.raises(UserError, match="not OmniParser's detector"):
        RegionDetector.load(tmp_path / "model.pt", CPU)


def test_a_pickled_detector_is_refused_and_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    torch.save({"model": Trap()}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="not OmniParser's detector"):
        RegionDetector.load(tmp_path / "model.pt", CPU)
    assert not (tmp_path / "sprung").exists()


# The captions


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_bad_crops_do_not_shift_the_captions_of_others(captioner):
    image = noise(120, 60)
    good = [Box(0, 0, 20, 20), Box(20, 20, 60, 50), Box(100.2, 40, 119.9, 60), Box(0, 0, 120, 60)]
    alone = [captioner.caption(image, [box])[0] for box in good]
    assert all(alone) and len({guess.name for guess in alone}) > 2
    empty, outside = Box(5, 5, 5, 9), Box(-30, -30, -5, -5)
    together = captioner.caption(image, [empty, good[0], good[1], outside, good[2], empty, good[3]])
    assert [guess and guess.name for guess in together] == [
        None,
        alone[0].name,
        alone[1].name,
        None,
        alone[2].name,
        None,
        alone[3].name,
    ]
    assert captioner.caption(image, [empty, outside]) == [None, None]
    assert captioner.caption(image, []) == []


def test_the_probability_is_the_mean_of_the_caption_s_tokens(captioner):
    """Scored again by teacher forcing, which shares no code with the decoding loop."""
    image, box = noise(64, 64), Box(0, 0, 64, 64)
    [guess] = captioner.caption(image, [box])
    words = [captioner.tokenizer.token_to_id(word) for word in guess.name.split()]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.tensor((np.asarray(image) / 255 - mean) / deviation, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.no_grad():
        logits = captioner.model(
            input_ids=torch.tensor([captioner.prompt]),
            pixel_values=pixels,
            decoder_input_ids=torch.tensor([[2, 0, *words[:-1]]]),
        ).logits[0, 1:]
    logarithms = logits.log_softmax(-1)[torch.arange(len(words)), torch.tensor(words)]
    assert guess.probability == pytest.approx(float(logarithms.mean().exp()), rel=1e-4)


def test_the_prompt_is_the_image_then_the_question(captioner):
    placeholder = captioner.tokenizer.token_to_id("<mask>")
    assert captioner.prompt[:5] == [placeholder] * 5  # 2 x 2 cells of 32 pixels and their mean
    assert captioner.tokenizer.decode(captioner.prompt[5:]) == "What does the image describe ?"
    assert captioner.prompt[5] == 0 and captioner.prompt[-1] == 2


def test_every_tensor_arrives_where_it_belongs(captioner):
    expected = standins.florence().state_dict()
    loaded = captioner.model.state_dict()
    assert set(loaded) == set(expected)
    assert [name for name in expected if not torch.equal(loaded[name], expected[name])] == []
    assert captioner.model.lm_head.weight is captioner.model.model.language_model.shared.weight


@pytest.mark.parametrize(
    "name", ["model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head"]
)
def test_the_embedding_may_lie_under_any_of_its_four_names(name):
    original = standins.original_names(standins.florence())
    embedding = original.pop("language_model.model.shared.weight")
    del original["language_model.lm_head.weight"]
    state = native_state({**original, f"language_model.{name}.weight": embedding})
    assert torch.equal(state["model.language_model.shared.weight"], embedding)


def test_names_and_shapes_are_those_of_the_released_file():
    """A safetensors file is a header of names, types, shapes and offsets, and the data: its size is a witness."""
    config = copy.deepcopy(standins.CONFIG)
    config["vision_config"].update(depths=[1, 1, 9, 1], dim_embed=[128, 256, 512, 1024], projection_dim=768)
    config["vision_config"].update(num_heads=[4, 8, 16, 32], num_groups=[4, 8, 16, 32], window_size=12)
    layers = {"layers": 6, "ffn_dim": 3072, "attention_heads": 12}
    config["text_config"].update({f"{half}_{key}": n for half in ("encoder", "decoder") for key, n in layers.items()})
    config["text_config"].update(vocab_size=51289, d_model=768, max_position_embeddings=1024)
    with torch.device("meta"):
        model = Florence2ForConditionalGeneration(native_config(config, placeholder=50264))
        original = standins.original_names(model)
        state = native_state(original)
    assert {name: tensor.shape for name, tensor in state.items()}.items() <= {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }.items()

    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in sorted(original):
        shape, size = list(original[name].shape), 4 * original[name].numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    length = len(json.dumps(header, separators=(",", ":")))
    assert 8 + length + -length % 8 + offset == 1_083_916_964  # icon_caption_florence/model.safetensors on the hub


# The files


def test_a_folder_is_laid_out_as_on_the_hub(folder):
    files = find_files(str(folder))
    assert files.detector == folder / "icon_detect_v3" / "model.pt"
    assert files.caption_weights == folder / "icon_caption" / "model.safetensors"


def test_the_caption_folder_may_have_the_name_that_omniparser_s_readme_gives_it(copied):
    (copied / "icon_caption").rename(copied / "icon_caption_florence")
    assert find_files(str(copied)).caption_config.is_file()


@pytest.mark.parametrize(
    "name", ["icon_detect_v3/model.pt", "icon_caption/model.safetensors", "icon_caption/config.json"]
)
def test_a_missing_file_is_named_with_the_remedy(copied, name):
    (copied / name).unlink()
    with pytest.raises(UserError, match=rf"{Path(name).name} is missing.*hf download"):
        find_files(str(copied))


def test_without_a_tokenizer_beside_the_weights_the_hub_is_asked(copied, unreachable_hub):
    (copied / "icon_caption" / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json of microsoft/Florence-2-base.*hf download"):
        find_files(str(copied))


def test_pickled_caption_weights_are_refused(copied):
    (copied / "icon_caption" / "model.safetensors").rename(copied / "icon_caption" / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickle"):
        find_files(str(copied))


def load_captioner(folder: Path) -> IconCaptioner:
    files = find_files(str(folder))
    return IconCaptioner.load(files.caption_config, files.caption_weights, files.tokenizer, CPU)


def test_a_pickle_that_is_called_safetensors_is_refused(copied):
    torch.save({}, copied / "icon_caption" / "model.safetensors")
    with pytest.raises(UserError, match="caption model"):
        load_captioner(copied)


@pytest.mark.parametrize("spoil", ["missing", "unknown", "shape"])
def test_caption_weights_with_wrong_tensors_are_refused(copied, spoil):
    tensors = standins.original_names(standins.florence())
    if spoil == "missing":
        del tensors["image_proj_norm.bias"]
    elif spoil == "unknown":
        tensors["surprise"] = torch.zeros(1)
    else:
        tensors["image_projection"] = torch.zeros(3, 3)
    save_file(tensors, copied / "icon_caption" / "model.safetensors")
    with pytest.raises(UserError, match="caption model"):
        load_captioner(copied)


@pytest.mark.parametrize("config", ["", "{}", "[]", '{"vision_config": {}, "text_config": {}}', "\x00"])
def test_a_configuration_of_something_else_is_refused(copied, config):
    (copied / "icon_caption" / "config.json").write_text(config)
    with pytest.raises(UserError, match="caption model"):
        load_captioner(copied)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("vision_config", "dim_embed", None),
        ("vision_config", "num_heads", [3, 5, 7, 9]),
        ("vision_config", "patch_size", [7]),
        ("vision_config", "patch_stride", [0, 0, 0, 0]),
        ("text_config", "vocab_size", -4),
        ("text_config", "activation_function", "magic"),
        ("text_config", "decoder_start_token_id", 99999),
    ],
)
def test_a_configuration_that_cannot_run_is_refused_when_it_is_loaded(copied, part, name, value):
    config = copy.deepcopy(standins.CONFIG)
    config[part][name] = value
    (copied / "icon_caption" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="caption model"):
        load_captioner(copied)


@pytest.mark.parametrize("tokenizer", ["", "{}", '{"model": {}}'])
def test_a_tokenizer_of_something_else_is_refused(copied, tokenizer):
    (copied / "icon_caption" / "tokenizer.json").write_text(tokenizer)
    with pytest.raises(UserError, match="caption model"):
        load_captioner(copied)


def test_a_gpu_that_is_too_full_is_said_so(folder, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(standins.Florence2ForConditionalGeneration, "to", full)
    with pytest.raises(UserError, match="too little free memory"):
        OmniParser.load(str(folder), device="cpu")


@pytest.mark.parametrize("source", ["someone/OmniParser-v2.0", "no/such/folder", ""])
def test_detectors_come_from_the_named_repository_or_a_folder_only(source):
    with pytest.raises(UserError, match="neither"):
        find_files(source)


def test_weights_in_the_hub_s_cache_need_no_network(cached_weights, tmp_path):
    files = find_files(OMNIPARSER)
    assert all(path.is_relative_to(tmp_path / "cache") for path in vars(files).values())


def test_a_hub_out_of_reach_is_said_without_waiting_to_try_again(unreachable_hub, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(UserError, match="hf download"):
        find_files(OMNIPARSER)
    assert waits == []


# The parser


BUTTON = (60, 200, 260, 260)
ICONS = [(400, 200, 440, 240), (520, 208, 552, 232), (460, 340, 500, 380)]


@pytest.fixture(scope="module")
def page() -> Image.Image:
    """A line of text, a button with text, and three icons without."""
    image = rectangles((640, 480), BUTTON)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=28)
    draw.text((60, 80), "Welcome back", fill=(140, 140, 140), font=font)
    draw.text((110, 212), "Sign in", fill=(0, 0, 255), font=font)
    for index, box in enumerate(ICONS):
        pattern = np.random.default_rng(index).integers(0, 255, (box[3] - box[1], box[2] - box[0], 3), dtype=np.uint8)
        pattern[..., 2] = 255
        image.paste(Image.fromarray(pattern), box[:2])
    return image


@pytest.fixture(scope="module")
def screen(parser: OmniParser, page: Image.Image) -> Screen:
    return finish(parser.parse(page))


def test_a_screen_has_its_text_its_buttons_and_its_icons(screen):
    assert [(e.id, e.kind, e.text, e.clickable) for e in screen.elements] == [
        (1, "text", "Welcome back", False),
        (2, "button", "Sign in", True),
        (3, "icon", "", True),
        (4, "icon", "", True),
        (5, "icon", "", True),
    ]
    for element, expected in zip(screen.elements[1:], [BUTTON, *ICONS], strict=True):
        assert near(element.box, expected, within=1)
    assert screen.size == (640, 480) and screen.parser == "OmniParser v2 (cpu)"


def test_each_icon_bears_its_own_caption(screen, page, captioner):
    icons = screen.elements[2:]
    expected = [captioner.caption(page, [icon.box])[0].name for icon in icons]
    assert [icon.icons[0].name for icon in icons] == expected and len(set(expected)) == 3
    assert all(0 < icon.icons[0].probability <= 1 for icon in icons)
    assert screen.elements[0].icons == screen.elements[1].icons == ()


def test_captions_stay_with_their_icons_over_several_batches(parser, page, screen, monkeypatch):
    stages = []
    monkeypatch.setattr(parser._captioner, "batch", 2)
    again = finish(parser.parse(page), stages.append)
    assert [[g.name for g in e.icons] for e in again.elements] == [[g.name for g in e.icons] for e in screen.elements]
    assert stages.count("captioning icons") == 2


def test_an_icon_that_cannot_be_captioned_shifts_no_other(parser, page, screen, monkeypatch):
    caption = parser._captioner.caption

    def without_the_first(image, boxes):
        return [None, *caption(image, boxes)[1:]]

    monkeypatch.setattr(parser._captioner, "caption", without_the_first)
    spoilt = finish(parser.parse(page))
    assert spoilt.elements[2].icons == ()
    assert [e.icons[0].name for e in spoilt.elements[3:]] == [e.icons[0].name for e in screen.elements[3:]]


def test_stages_are_reported_and_timed(parser, page):
    stages = []
    screen = finish(parser.parse(page), stages.append)
    assert list(dict.fromkeys(stages)) == ["reading text", "finding controls", "merging", "captioning icons"]
    assert set(screen.seconds) == {*stages, "total"}


def test_a_parse_can_be_stopped_at_any_stage_and_begun_again(parser, page, screen):
    for stage in ("reading text", "finding controls", "merging", "captioning icons"):
        work = parser.parse(page)
        while next(work) != stage:
            pass
        work.close()
    assert finish(parser.parse(page)).elements == screen.elements


def test_options_say_what_they_do(parser, page, screen):
    boxes = [element.box for element in screen.elements]
    sure = finish(parser.parse(page, ParseOptions(box_threshold=0.99)))
    assert all(element.kind == "text" and element.confidence > 0.99 for element in sure.elements)
    fine = finish(parser.parse(page, ParseOptions(image_side=1280)))
    assert [near(e.box, (b.x1, b.y1, b.x2, b.y2), 1) for e, b in zip(fine.elements[1:], boxes[1:], strict=True)]


@pytest.mark.parametrize("side", [0, -640, 63, 100_000])
def test_an_image_side_that_no_model_can_take_is_refused(parser, side):
    with pytest.raises(UserError, match="image side"):
        finish(parser.parse(Image.new("RGB", (100, 100)), ParseOptions(image_side=side)))


def test_a_language_that_is_not_read_is_refused(parser):
    with pytest.raises(UserError):
        finish(parser.parse(Image.new("RGB", (100, 100)), ParseOptions(language="klingon")))


@pytest.mark.parametrize(
    ("image", "kinds"),
    [
        (Image.new("RGB", (320, 240)), []),
        (Image.new("RGB", (1, 1)), []),
        (Image.new("RGB", (900, 3), (100, 0, 0)), []),
        (rectangles((320, 240), (40, 40, 100, 90)), ["icon"]),
        (rectangles((320, 240), (40, 40, 100, 90)).convert("L"), ["icon"]),
        (rectangles((320, 240), (40, 40, 100, 90)).convert("RGBA"), ["icon"]),
    ],
    ids=["black", "one pixel", "a sliver", "no text", "grey", "with alpha"],
)
def test_a_screen_without_text_or_controls_has_fewer_elements(parser, image, kinds):
    screen = finish(parser.parse(image))
    assert [element.kind for element in screen.elements] == kinds and screen.size == image.size


def test_noise_is_parsed_without_a_crash(parser):
    screen = finish(parser.parse(noise(24, 20)))
    assert all(0 <= e.box.x1 <= e.box.x2 <= 24 and 0 <= e.box.y1 <= e.box.y2 <= 20 for e in screen.elements)


@pytest.mark.parametrize("device", ["cuda", "tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(folder, device, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="device"):
        OmniParser.load(str(folder), device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_sees_what_the_cpu_sees(folder, page, screen):
    seen = finish(OmniParser.load(str(folder), device="cuda").parse(page))
    assert seen.parser == "OmniParser v2 (cuda)"
    for element, expected in zip(seen.elements, screen.elements, strict=True):
        assert (element.kind, element.text) == (expected.kind, expected.text)
        assert near(element.box, (expected.box.x1, expected.box.y1, expected.box.x2, expected.box.y2), within=2)
        assert bool(element.icons) == bool(expected.icons)  # half precision may choose other words


# Which parser


def test_a_folder_or_a_name_takes_that_parser(folder):
    parser, note = load_parser(str(folder))
    assert isinstance(parser, OmniParser) and parser.name in note
    parser, note = load_parser("embedded")
    assert isinstance(parser, EmbeddedParser) and "asked" in note


def test_auto_takes_the_embedded_parser_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    parser, note = load_parser("auto")
    assert isinstance(parser, EmbeddedParser) and "no CUDA GPU" in note and "\n" not in note


def test_auto_takes_the_embedded_parser_where_weights_are_out_of_reach(unreachable_hub, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    parser, note = load_parser("auto")
    assert isinstance(parser, EmbeddedParser) and "hub" in note and "\n" not in note


def test_auto_takes_omniparser_where_gpu_and_weights_are_at_hand(cached_weights, monkeypatch):
    """The GPU is only said to be there, so the models go to the CPU."""
    load = OmniParser.load
    monkeypatch.setattr(OmniParser, "load", lambda source: load(source, device="cpu"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    parser, note = load_parser("auto")
    assert isinstance(parser, OmniParser) and "GPU" in note


def test_a_parser_that_was_named_and_cannot_be_loaded_is_an_error(unreachable_hub, tmp_path):
    for name in ("omniparser", str(tmp_path), "omniparse"):
        with pytest.raises(UserError):
            load_parser(name)
