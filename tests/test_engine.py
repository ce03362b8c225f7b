from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_magma import BASE_VOCABULARY, ID, make_checkpoint

from core import selection, skills
from core.conversation import Conversation
from core.decode_step import Buffers, choose, renew_noise
from core.decoding import MAX_RECORDED, Decoder
from core.engine import UNFINISHED, Engine
from core.errors import UserError
from core.magma import MagmaForCausalLM, MagmaProcessor, Message
from core.robot_actions import RobotAction, action_token_ids

ACTIONS = action_token_ids(BASE_VOCABULARY)
NOISE = Image.effect_noise((150, 70), 90).convert("RGB")
PICTURES = [NOISE, NOISE.crop((0, 0, 60, 60)), NOISE.rotate(90, expand=True)]
CONVERSATIONS = [
    skills.click_prompt(PICTURES[0], "sign in"),
    skills.answer_prompt(PICTURES[1], "What is this?"),
    Conversation("No picture here.", max_new_tokens=20),
    Conversation("Two of them.", (PICTURES[2], PICTURES[1]), max_new_tokens=33),
    skills.move_prompt(PICTURES[2]),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Engine:
    return Engine.load(str(checkpoint), device="cpu")


@pytest.fixture
def copied(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own to damage."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copied"))


def with_favourite(checkpoint: Path, token: int) -> Engine:
    """An engine whose every logit of this token is far above the others."""
    model = MagmaForCausalLM.from_pretrained(checkpoint)
    head = model.language_model.lm_head
    biased = torch.nn.Linear(head.in_features, head.out_features)
    biased.weight.data, biased.bias.data = head.weight.data, torch.zeros(head.out_features)
    biased.bias.data[token] = 1e4
    model.language_model.lm_head = biased
    return Engine(model, MagmaProcessor.from_pretrained(checkpoint), "biased", "", compile=False)


def of_transformers(checkpoint: Path, conversation: Conversation) -> list[int]:
    """What transformers' own greedy generation says, up to the end of the turn."""
    model = MagmaForCausalLM.from_pretrained(checkpoint).eval()
    messages = [Message("system", conversation.system), Message("user", conversation.text, conversation.images)]
    inputs = MagmaProcessor.from_pretrained(checkpoint)([messages])
    banned = None if conversation.actions else list(ACTIONS)
    output = model.generate(
        **inputs, do_sample=False, max_new_tokens=conversation.max_new_tokens, suppress_tokens=banned
    )
    tokens = output[0, inputs["input_ids"].shape[1] :].tolist()
    return tokens[: tokens.index(ID["<|eot_id|>"])] if ID["<|eot_id|>"] in tokens else tokens


def test_importing_the_engine_imports_neither_torch_nor_transformers():
    script = "import sys, core.engine; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1]).returncode == 0


# ---- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.text[:20])
def test_tokens_are_those_of_transformers_greedy_generation(
    engine: Engine, checkpoint: Path, conversation: Conversation
):
    reply = engine.generate(conversation)
    assert list(reply.token_ids) == of_transformers(checkpoint, conversation)
    assert reply == replace(engine.generate(conversation), seconds=reply.seconds)
    assert reply.seconds.keys() == {"preprocess", "prefill", "decode"} and min(reply.seconds.values()) >= 0


def test_robot_actions_are_those_of_transformers_too(engine: Engine, checkpoint: Path):
    conversation = skills.robot_action_prompt(PICTURES[0], "open the drawer")
    assert list(engine.generate(conversation).token_ids) == of_transformers(checkpoint, conversation)


def test_a_batch_says_what_each_says_alone(engine: Engine):
    alone = [engine.generate(conversation).token_ids for conversation in CONVERSATIONS]
    assert [reply.token_ids for reply in engine.generate_batch(CONVERSATIONS)] == alone
    many = [Conversation(f"Number {number}.", max_new_tokens=5 + number % 3) for number in range(18)]
    alone = [engine.generate(conversation).token_ids for conversation in many]
    assert [reply.token_ids for reply in engine.generate_batch(many)] == alone
    assert engine.generate_batch([]) == []


@pytest.mark.skipif(not shutil.which("g++"), reason="compiling for the CPU needs g++")
def test_the_compiled_step_gives_the_eager_tokens_at_every_length_from_one_compilation(tmp_path: Path):
    checkpoint = make_checkpoint(tmp_path, layers=1)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = Engine.load(str(checkpoint), device="cpu", compile=True)
    eager = Engine.load(str(checkpoint), device="cpu")
    short = [skills.click_prompt(PICTURES[0], "sign in"), *CONVERSATIONS[1:3]]  # and an idle row to make four
    long = [replace(conversation, max_new_tokens=300) for conversation in short]
    for conversations in (short, long, short):
        expected = [reply.token_ids for reply in eager.generate_batch(conversations)]
        assert [reply.token_ids for reply in compiled.generate_batch(conversations)] == expected
    sampled = [engine.generate_batch(short, temperature=1.0, seed=1) for engine in (compiled, eager)]
    assert [reply.token_ids for reply in sampled[0]] == [reply.token_ids for reply in sampled[1]]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_recorded_steps_serve_padded_batches_and_the_least_used_are_given_up(
    checkpoint: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch, "compile", lambda step, **options: step)
    recorded = Engine.load(str(checkpoint), device="cpu", compile=True)
    for length in (8, 260, 600, 8):
        for rows in (1, 3, 5):
            batch = [replace(conversation, max_new_tokens=length) for conversation in CONVERSATIONS[:rows]]
            expected = [reply.token_ids for reply in engine.generate_batch(batch)]
            assert [reply.token_ids for reply in recorded.generate_batch(batch)] == expected
            assert 1 <= len(recorded._decoder._recorded) <= MAX_RECORDED
    assert {rows for rows, _ in recorded._decoder._recorded} <= {1, 4, 8}


def test_a_step_that_cannot_be_compiled_runs_eagerly_and_says_why(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def without_compiler(*args):
        raise RuntimeError("no compiler found")

    monkeypatch.setattr(torch, "compile", lambda step, **options: without_compiler)
    fallen_back = Engine.load(str(checkpoint), device="cpu", compile=True)
    conversation = CONVERSATIONS[0]
    assert fallen_back.generate(conversation).token_ids == tuple(of_transformers(checkpoint, conversation))
    assert "no compiler found" in caplog.text


def test_reading_a_token_while_the_next_step_runs_changes_none(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    """The order of a GPU, on the CPU."""
    ahead = Engine.load(str(checkpoint), device="cpu")
    expected = [ahead.generate(conversation).token_ids for conversation in CONVERSATIONS]
    monkeypatch.setattr(ahead._decoder, "_runs_ahead", True)
    assert [ahead.generate(conversation).token_ids for conversation in CONVERSATIONS] == expected
    one = replace(CONVERSATIONS[0], max_new_tokens=1)
    assert ahead.generate(one).token_ids == expected[0][:1]


def test_action_tokens_are_banned_in_text_skills_and_allowed_in_robot_actions(checkpoint: Path):
    """The most reported fault of the original, provoked: an action token is the argmax everywhere."""
    biased = with_favourite(checkpoint, ACTIONS[100])
    robot = skills.robot_action_prompt(NOISE, "push the block")
    for temperature in (0.0, 5.0):
        for conversation in CONVERSATIONS:
            reply = biased.generate(conversation, temperature=temperature, seed=1)
            assert reply.token_ids and not set(reply.token_ids) & set(ACTIONS)
        assert set(biased.generate(robot, temperature=temperature, seed=1).token_ids) == {ACTIONS[100]}
    text, action = biased.generate_batch([CONVERSATIONS[0], robot])
    assert not set(text.token_ids) & set(ACTIONS)
    action = skills.parse_robot_action(action.token_ids[:7], biased.base_vocabulary)
    assert isinstance(action, RobotAction)


def test_the_end_of_the_turn_ends_the_reply_and_is_no_part_of_it(checkpoint: Path):
    biased = with_favourite(checkpoint, ID["<|eot_id|>"])
    reply = biased.generate(CONVERSATIONS[0])
    assert (reply.text, reply.token_ids) == ("", ())
    assert list(biased.stream(CONVERSATIONS[0])) == []


def test_any_token_that_the_generation_configuration_names_ends_the_reply(copied: Path, engine: Engine):
    longer = engine.generate(CONVERSATIONS[2]).token_ids
    config = {"eos_token_id": [ID["<|end_of_text|>"], longer[4]]}
    (copied / "generation_config.json").write_text(json.dumps(config))
    stopped = Engine.load(str(copied), device="cpu").generate(CONVERSATIONS[2]).token_ids
    assert stopped == longer[: longer.index(longer[4])]


def test_a_reply_keeps_to_its_length(engine: Engine):
    for length in (1, 2, 7):
        conversation = replace(CONVERSATIONS[2], max_new_tokens=length)
        assert engine.generate(conversation).token_ids == engine.generate(CONVERSATIONS[2]).token_ids[:length]
    lengths = [3, 1, 9]
    batch = [replace(CONVERSATIONS[2], max_new_tokens=length) for length in lengths]
    assert [len(reply.token_ids) for reply in engine.generate_batch(batch)] == lengths


# ---- sampling -------------------------------------------------------------------------------------------------------


def test_a_seed_fixes_what_is_sampled_alone_or_in_a_batch(engine: Engine):
    conversation = CONVERSATIONS[0]
    sampled = [engine.generate(conversation, temperature=1.0, seed=seed).token_ids for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]
    batch = engine.generate_batch([conversation, CONVERSATIONS[2]], temperature=1.0, seed=1)
    assert batch[0].token_ids == sampled[0]
    unseeded = {engine.generate(conversation, temperature=1.0).token_ids for _ in range(3)}
    assert len(unseeded) > 1


def test_a_temperature_near_nought_is_greedy_and_a_negative_one_a_bug(engine: Engine):
    greedy = engine.generate(CONVERSATIONS[2]).token_ids
    assert engine.generate(CONVERSATIONS[2], temperature=1e-9, seed=1).token_ids == greedy
    with pytest.raises(ValueError):
        engine.generate(CONVERSATIONS[2], temperature=-1.0)


def test_tokens_are_sampled_with_the_probabilities_of_the_softmax():
    draws, temperature = 20_000, 0.7
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(draws, 4)
    buffers = Buffers(
        tokens=torch.zeros(draws, dtype=torch.long),
        slot=torch.zeros(1),
        positions=torch.zeros(1),
        first=torch.zeros(1),
        sharpness=torch.tensor([1 / temperature]),
        banned=torch.tensor([False, False, True, False]).expand(draws, 4),
        noise=torch.zeros(draws, 4),
        keys=[],
        values=[],
    )
    renew_noise(buffers.noise.view(1, -1), [torch.Generator().manual_seed(0)])
    choose(buffers, logits)
    shares = torch.bincount(buffers.tokens, minlength=4) / draws
    expected = torch.tensor([0.0, 1.0, -torch.inf, 3.0]).div(temperature).softmax(-1)
    assert shares[2] == 0 and (shares - expected).abs().max() < 0.015


# ---- streaming ------------------------------------------------------------------------------------------------------


def collect(stream: Generator) -> tuple[list[str], object]:
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.text[:20])
def test_the_stream_is_the_reply_in_pieces(engine: Engine, conversation: Conversation):
    pieces, reply = collect(engine.stream(conversation))
    assert "".join(pieces) == reply.text == engine.generate(conversation).text
    assert len(pieces) > 1 and all(pieces)


class Scripted(Decoder):
    """Says what it is told, and counts how far it was asked."""

    def __init__(self, tokens: list[int]) -> None:
        self.script, self.asked = tokens, 0

    def tokens(self, *args) -> Generator[list[int], None, None]:
        for token in self.script:
            self.asked += 1
            yield [token]


@pytest.mark.parametrize("text", ["naïve 🙂 日本語 ok", "🙂", "שלום", "a\u0301b"])
def test_streamed_pieces_are_whole_characters(checkpoint: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    engine = Engine.load(str(checkpoint), device="cpu")
    tokens = engine._processor.tokenizer.encode(text, add_special_tokens=False)
    monkeypatch.setattr(engine, "_decoder", Scripted([*tokens, ID["<|eot_id|>"]]))
    pieces, reply = collect(engine.stream(Conversation("Say it.")))
    assert "".join(pieces) == reply.text == text
    assert not any(UNFINISHED in piece for piece in pieces)


def test_a_character_that_never_ends_is_not_lost(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    engine = Engine.load(str(checkpoint), device="cpu")
    tokens = engine._processor.tokenizer.encode("a🙂", add_special_tokens=False)[:-1]
    monkeypatch.setattr(engine, "_decoder", Scripted([*tokens, ID["<|eot_id|>"]]))
    pieces, reply = collect(engine.stream(Conversation("Say it.")))
    assert pieces[0] == "a" and "".join(pieces) == reply.text and reply.text.endswith(UNFINISHED)


def test_a_stopped_stream_ends_within_one_token_and_frees_the_engine(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    engine = Engine.load(str(checkpoint), device="cpu")
    own = engine._decoder
    scripted = Scripted(engine._processor.tokenizer.encode("one two three", add_special_tokens=False))
    monkeypatch.setattr(engine, "_decoder", scripted)
    stream = engine.stream(CONVERSATIONS[0])
    next(stream)
    next(stream)
    assert engine._lock.locked()
    stream.close()
    assert scripted.asked <= 3 and not engine._lock.locked()
    monkeypatch.setattr(engine, "_decoder", own)
    assert engine.generate(CONVERSATIONS[2]).token_ids


def test_a_stream_stopped_midway_leaves_nothing_behind(engine: Engine):
    expected = engine.generate(CONVERSATIONS[1]).token_ids
    stream = engine.stream(CONVERSATIONS[0])
    next(stream)
    del stream  # as an abandoned page does
    assert engine.generate(CONVERSATIONS[1]).token_ids == expected


# ---- several callers ------------------------------------------------------------------------------------------------


def test_many_threads_get_each_its_own_reply(engine: Engine):
    jobs = [replace(CONVERSATIONS[number % 5], text=f"Visitor {number} asks.") for number in range(20)]
    expected = [engine.generate(job) for job in jobs]
    start = threading.Barrier(5)

    def visit(number: int):
        if number < 5:
            start.wait()
        if number % 3 == 0:
            return collect(engine.stream(jobs[number]))[1]
        if number % 3 == 1:
            return engine.generate_batch([jobs[number], jobs[0]])[0]
        return engine.generate(jobs[number])

    with ThreadPoolExecutor(5) as pool:
        replies = list(pool.map(visit, range(20)))
    assert [reply.token_ids for reply in replies] == [reply.token_ids for reply in expected]
    assert [reply.text for reply in replies] == [reply.text for reply in expected]


def test_a_request_that_fails_does_not_keep_the_engine(engine: Engine):
    with pytest.raises(UserError):
        engine.generate(Conversation(" \n"))
    with pytest.raises(UserError):
        engine.generate(Conversation("word " * 9000))
    assert engine.generate(CONVERSATIONS[2]).token_ids


def test_too_little_memory_for_a_prompt_says_so_and_frees_the_engine(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    engine = Engine.load(str(checkpoint), device="cpu")

    def exhausted(inputs):
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patch:
        patch.setattr(engine._decoder, "prefill", exhausted)
        with pytest.raises(UserError, match="smaller pictures"):
            engine.generate(CONVERSATIONS[0])
    assert engine.generate(CONVERSATIONS[0]).token_ids


# ---- prompts that cannot be answered --------------------------------------------------------------------------------


def test_an_empty_prompt_says_so(engine: Engine):
    for text in ("", " \n\t"):
        with pytest.raises(UserError, match="empty"):
            engine.generate(Conversation(text))


def test_a_prompt_longer_than_the_context_says_so_and_one_near_it_is_cut(copied: Path):
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 100
    (copied / "config.json").write_text(json.dumps(config))
    small = Engine.load(str(copied), device="cpu")
    with pytest.raises(UserError, match="shorten"):
        small.generate(Conversation("x " * 100))
    long = Conversation("x", max_new_tokens=1000)
    prompt = len(small._inputs([long])["input_ids"][0])
    assert len(small.generate(long).token_ids) <= 100 - prompt


def test_a_picture_that_cannot_be_read_says_so(engine: Engine, tmp_path: Path):
    NOISE.save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    with pytest.raises(UserError, match="cannot read"):
        engine.generate(Conversation("What is this?", (Image.open(tmp_path / "cut.png"),)))


# ---- loading --------------------------------------------------------------------------------------------------------


def test_a_checkpoint_without_the_field_has_all_skills_and_others_those_they_declare(copied: Path, engine: Engine):
    assert engine.skills == skills.SKILLS
    assert engine.name in engine.note and (engine.device.type, engine.dtype) == ("cpu", torch.float32)
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"skills": ["move", "answer"]}))
    assert Engine.load(str(copied), device="cpu").skills == {"move", "answer"}
    (copied / "config.json").write_text(json.dumps(config | {"skills": ["fly"]}))
    with pytest.raises(UserError, match="fly"):
        Engine.load(str(copied), device="cpu")


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def rewrite_config(folder: Path, **values) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


DAMAGES = {
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "config.json"),
    "empty configuration": (lambda folder: (folder / "config.json").write_text(""), "config.json"),
    "nested configuration": (lambda folder: (folder / "config.json").write_text("[" * 100_000), "config.json"),
    "another model": (lambda folder: rewrite_config(folder, model_type="llama"), "llama"),
    "unknown strategy": (lambda folder: rewrite_config(folder, vision_config={"img_anyres_strategy": "x"}), "strategy"),
    "missing shard": (lambda folder: shards(folder)[0].unlink(), "model-00001"),
    "empty shard": (lambda folder: shards(folder)[0].write_bytes(b""), "model-00001"),
    "truncated shard": (
        lambda folder: shards(folder)[0].write_bytes(shards(folder)[0].read_bytes()[:-5]),
        "model-00001",
    ),
    "pickled weights": (
        lambda folder: [
            *(path.unlink() for path in folder.glob("*.safetensors*")),
            (folder / "pytorch_model.bin").write_bytes(b"\x80"),
        ],
        "safetensors",
    ),
    "no weights": (lambda folder: [path.unlink() for path in folder.glob("*.safetensors*")], "no checkpoint"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer"),
    "empty tokenizer": (lambda folder: (folder / "tokenizer.json").write_text(""), "tokenizer.json cannot be read"),
    "no image processor": (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_name(copied: Path, damage: str):
    act, word = DAMAGES[damage]
    act(copied)
    with pytest.raises(UserError, match=word):
        Engine.load(str(copied), device="cpu")


def test_a_wrong_shape_is_refused_by_name(copied: Path):
    rewrite_config(
        copied, text_config=json.loads((copied / "config.json").read_text())["text_config"] | {"intermediate_size": 128}
    )
    with pytest.raises(UserError, match="mlp"):
        Engine.load(str(copied), device="cpu")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"model": "nowhere"}, "neither a folder"),
        ({"model": "a/b/c"}, "neither a folder"),
        ({"device": "gpu"}, "no device"),
        ({"device": "cuda:99"}, "not available"),
        ({"device": "meta"}, "not available"),
        ({"dtype": "int8"}, "no precision"),
        ({"quantize": "int2"}, "no quantisation"),
        ({"quantize": "nf4", "device": "cpu"}, "CUDA"),
    ],
)
def test_what_cannot_be_had_is_named(checkpoint: Path, options: dict, word: str):
    with pytest.raises(UserError, match=word):
        Engine.load(**{"model": str(checkpoint), **options})


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def unreachable(name: str, **options):
        raise OSError("Name or service not known\nand a long story")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(UserError, match=r"nobody/nothing cannot be fetched .*\(Name or service not known\).*folder"):
        Engine.load("nobody/nothing")


def test_a_hub_copy_loads_like_a_folder(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def cached(name: str, local_files_only: bool = False, **options) -> str:
        asked.append(local_files_only)
        if local_files_only and len(asked) == 1:
            raise OSError("not in the cache")
        return str(checkpoint)

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    fetched = selection.select("some/model", "cpu", "auto", "auto")
    assert (fetched.folder, fetched.name, asked) == (checkpoint, "some/model", [True, False, False])
    assert selection.select("some/model", "cpu", "auto", "auto") == fetched and len(asked) == 4


CUDA = torch.device("cuda")
GIGA = 10**9


def fitted(monkeypatch: pytest.MonkeyPatch, gigabytes: float, quantize: str = "auto", place: torch.device = CUDA):
    """What is chosen for a model of Magma-8B's size on a GPU with this much memory free."""
    shapes = {
        "language_model.model.layers.0.mlp.up_proj.weight": (6_979, 1_000_000),
        "everything.else": (1_927, 1_000_000),
    }
    monkeypatch.setattr(selection, "free_bytes", lambda place: gigabytes * GIGA)
    return selection._fitted(shapes, Path("folder"), "Magma", place, torch.bfloat16, quantize)


def test_a_gpu_takes_bfloat16_where_it_fits_and_4_bit_where_only_that_fits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert not fitted(monkeypatch, 24).four_bit
    small = fitted(monkeypatch, 12)
    assert small.four_bit and "only that fits" in small.note
    assert fitted(monkeypatch, 80, "nf4").four_bit
    for gigabytes, quantize, place in ((4, "auto", CUDA), (12, "none", CUDA), (12, "auto", torch.device("cpu"))):
        with pytest.raises(UserError, match="GB"):
            fitted(monkeypatch, gigabytes, quantize, place)


def test_4_bit_names_the_packages_it_lacks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "bitsandbytes" else name)
    with pytest.raises(UserError, match=r"pip install bitsandbytes$"):
        fitted(monkeypatch, 12)


def test_too_little_memory_is_found_before_loading(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selection, "free_bytes", lambda place: 1_000_000)
    monkeypatch.setattr("core.engine.load_checkpoint", lambda selection: pytest.fail("loaded"))
    with pytest.raises(UserError, match=r"needs about 0\.5 GB on cpu"):
        Engine.load(str(checkpoint), device="cpu")


def test_auto_takes_the_small_checkpoint_where_magma_cannot_run_and_says_why(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(selection, "MINI", checkpoint)
    engine = Engine.load("auto", device="cpu")
    assert engine.name == checkpoint.name and "needs a CUDA GPU" in engine.note
    assert Engine.load("mini", device="cpu").name == checkpoint.name

    def unreachable(*args):
        raise UserError("The hub cannot be reached.")

    monkeypatch.setattr(selection, "_from_hub", unreachable)
    note = selection._automatic(CUDA, torch.bfloat16, "auto", None).note if torch.cuda.is_available() else None
    assert note is None or "cannot be reached" in note


def test_auto_leaves_a_small_checkpoint_alone_that_lacks_the_skill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small = make_checkpoint(tmp_path / "small")
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps(config | {"skills": ["move"]}))
    monkeypatch.setattr(selection, "MINI", small)
    assert Engine.load("auto", device="cpu", skill="move").skills == {"move"}
    with pytest.raises(UserError, match="has not learnt the skill 'click'"):
        Engine.load("auto", device="cpu", skill="click")


def test_auto_and_mini_without_the_small_checkpoint_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selection, "MINI", tmp_path / "none")
    for model in ("auto", "mini"):
        with pytest.raises(UserError, match="small checkpoint"):
            Engine.load(model, device="cpu")


def test_replies_differ_between_conversations(engine: Engine):
    """So that a test of mixed-up replies can fail."""
    replies = Counter(engine.generate(conversation).token_ids for conversation in CONVERSATIONS)
    assert len(replies) == len(CONVERSATIONS)
