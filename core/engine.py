"""One loaded checkpoint that every app shares: a conversation in, a Reply out.

The engine knows checkpoints, tokens and text; it knows nothing of what a prompt means (core/skills.py) nor how a step
is computed (core/decoding.py). Importing this module is cheap: torch and transformers come with ``Engine.load``.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from PIL import Image

from core.conversation import Conversation, Reply
from core.errors import UserError
from core.generators import finish
from core.robot_actions import action_token_ids
from core.skills import SKILLS, click_prompt, move_prompt

if TYPE_CHECKING:
    import torch

    from core.magma import MagmaForCausalLM, MagmaProcessor
    from core.selection import Selection

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

log = logging.getLogger(__name__)

UNFINISHED = "\ufffd"
"""What the bytes of a character decode to while some are still missing."""


class Engine:
    """Answers conversations with one checkpoint.

    Any number of threads may call; requests are served one after the other (``generate_batch`` serves many at once).
    ``name`` and ``note`` say which checkpoint this is and why it was taken; ``skills`` what it was trained on;
    ``base_vocabulary`` is the vocabulary whose last 256 ids are action tokens.
    """

    def __init__(self, model: MagmaForCausalLM, processor: MagmaProcessor, name: str, note: str, compile: bool) -> None:
        from core.decoding import Decoder

        config = model.config
        self.name, self.note = name, note
        self.skills = _declared_skills(config, name)
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.language_model.lm_head.weight.dtype
        self.base_vocabulary: int = config.tokenizer_vocab_size
        self._processor = processor
        self._context: int = config.text_config.max_position_embeddings
        self._stops = _stop_tokens(model, processor)
        self._vocabulary: int = config.text_config.vocab_size
        self._decoder = Decoder(model.eval().requires_grad_(False), compile)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        model: str = "auto",
        device: str = "auto",
        dtype: str = "auto",
        quantize: str = "auto",
        compile: bool | None = None,
        skill: str | None = None,
    ) -> Engine:
        """Load "auto", "mini", a hub id or a folder; see core/selection.py for the choices.

        "auto" takes Magma-8B where a CUDA GPU has room for it (4-bit where only that fits), otherwise the small
        checkpoint, if that has the ``skill`` which the caller cannot do without. ``compile`` None compiles on CUDA,
        unless in 4 bit. Raises UserError with the remedy.
        """
        import torch

        from core.selection import select

        selection = select(model, device, dtype, quantize, skill)
        on_cuda = selection.device.type == "cuda"
        try:
            engine = cls(
                *load_checkpoint(selection),
                name=selection.name,
                note=selection.note,
                compile=on_cuda and not selection.four_bit if compile is None else compile,
            )
        except torch.OutOfMemoryError as error:
            raise UserError(f"{selection.name} does not fit on {selection.device}: free memory there.") from error
        except (OSError, ValueError) as error:
            raise UserError(f"{selection.name} cannot be loaded: {error}") from error
        log.info("%s", engine.note)
        if on_cuda:
            engine.warm_up()
        return engine

    def generate(self, conversation: Conversation, *, temperature: float = 0.0, seed: int | None = None) -> Reply:
        """The whole reply. Temperature 0 always gives the same one; else ``seed`` decides, None means a random seed."""
        return finish(self.stream(conversation, temperature=temperature, seed=seed))

    def stream(
        self, conversation: Conversation, *, temperature: float = 0.0, seed: int | None = None
    ) -> Generator[str, None, Reply]:
        """Yield the reply's text as it comes, in whole characters, and return the Reply.

        The engine is taken from the first ``next`` until the generator ends or is closed, which it does within one
        token; the same thread must not call the engine meanwhile.
        """
        pending: list[int] = []
        with closing(self._answer([conversation], temperature, seed)) as answer:
            while True:
                try:
                    pending.append(next(answer)[0][-1])
                except StopIteration as end:
                    (reply,) = end.value
                    break
                text = self._text(pending)
                if text and not text.endswith(UNFINISHED):
                    yield text
                    pending = []
        if text := self._text(pending):
            yield text
        return reply

    def generate_batch(
        self, conversations: Sequence[Conversation], *, temperature: float = 0.0, seed: int | None = None
    ) -> list[Reply]:
        """The replies in the conversations' order, decoded together; ``seed`` counts for each of them."""
        from core.decoding import MAX_BATCH

        replies: list[Reply] = []
        for start in range(0, len(conversations), MAX_BATCH):
            replies += finish(self._answer(conversations[start : start + MAX_BATCH], temperature, seed))
        return replies

    def warm_up(self) -> None:
        """Compile and record what the first requests would wait for: a picture of one crop, one of four."""
        side = self._processor.image_processor.base_img_size
        for conversation in (
            move_prompt(Image.new("RGB", (side, side))),
            click_prompt(Image.new("RGB", (2 * side, 2 * side)), "start"),
        ):
            self.generate(conversation)

    def _answer(
        self, conversations: Sequence[Conversation], temperature: float, seed: int | None
    ) -> Generator[list[list[int]], None, list[Reply]]:
        """Yield the tokens of every reply so far, each time there are more, and return the replies."""
        import torch

        if temperature < 0:
            raise ValueError(f"temperature is {temperature}; it must not be negative")
        began = time.perf_counter()
        inputs = self._inputs(conversations)
        prepared = time.perf_counter()
        replies: list[list[int]] = [[] for _ in conversations]
        unfinished = set(range(len(conversations)))
        with self._lock:
            taken = time.perf_counter()
            first = None
            try:
                steps = self._tokens(inputs, conversations, temperature, secrets.randbits(63) if seed is None else seed)
                with closing(steps):
                    for tokens in steps:
                        first = first or time.perf_counter()
                        grown = False
                        for row in tuple(unfinished):
                            if tokens[row] not in self._stops:
                                replies[row].append(tokens[row])
                                grown = True
                            if tokens[row] in self._stops or len(replies[row]) == conversations[row].max_new_tokens:
                                unfinished.remove(row)
                        if grown:
                            yield replies
                        if not unfinished:
                            break
            except torch.OutOfMemoryError as error:
                self._decoder.forget()
                raise UserError(
                    f"{self.device} has not enough memory for this prompt: use fewer or smaller pictures, or fewer "
                    "conversations at once."
                ) from error
        seconds = {"preprocess": prepared - began, "prefill": first - taken, "decode": time.perf_counter() - first}
        return [Reply(self._text(reply), tuple(reply), dict(seconds)) for reply in replies]

    def _inputs(self, conversations: Sequence[Conversation]) -> Mapping[str, torch.Tensor]:
        """The batch as tensors on the CPU."""
        from core.magma import Message

        if not all(conversation.text.strip() for conversation in conversations):
            raise UserError("The prompt is empty: write what to do or to answer.")
        turns = [
            (Message("system", conversation.system), Message("user", conversation.text, conversation.images))
            for conversation in conversations
        ]
        try:
            inputs = self._processor(turns)
        except (OSError, ValueError) as error:
            raise UserError(f"The model cannot read this prompt: {error}") from error
        length = inputs["input_ids"].shape[1]
        if length >= self._context:
            raise UserError(
                f"The prompt has {length} tokens and the model reads fewer than {self._context}: shorten the text or "
                "use fewer pictures."
            )
        return inputs

    def _tokens(
        self, inputs: Mapping[str, torch.Tensor], conversations: Sequence[Conversation], temperature: float, seed: int
    ) -> Generator[list[int], None, None]:
        """The decoder's tokens within the conversations' limits."""
        import torch

        inputs = {name: tensor.to(self.device) for name, tensor in inputs.items()}
        rows, prompt = inputs["input_ids"].shape
        banned = torch.zeros(rows, self._vocabulary, dtype=torch.bool)
        actions = action_token_ids(self.base_vocabulary)
        for row, conversation in enumerate(conversations):
            banned[row, actions.start : actions.stop] = not conversation.actions
        wanted = max(conversation.max_new_tokens for conversation in conversations)
        return self._decoder.tokens(inputs, banned, min(wanted, self._context - prompt), temperature, seed)

    def _text(self, token_ids: Sequence[int]) -> str:
        return self._processor.tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def load_checkpoint(selection: Selection) -> tuple[MagmaForCausalLM, MagmaProcessor]:
    """Model and processor, on the device. Raises ValueError or OSError for files that are not as they should be."""
    from transformers import BitsAndBytesConfig

    from core.magma import MagmaForCausalLM, MagmaProcessor
    from core.selection import FOUR_BIT_SKIPPED

    options = {}
    if selection.four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=selection.dtype,
            llm_int8_skip_modules=list(FOUR_BIT_SKIPPED),
        )
    if selection.device.type != "cpu" and importlib.util.find_spec("accelerate"):
        options["device_map"] = {"": selection.device}  # without accelerate the weights pass through the host's memory
    try:
        processor = MagmaProcessor.from_pretrained(selection.folder)
    except Exception as error:
        if type(error) is not Exception:
            raise
        # The tokenizers library has no exception type of its own.
        raise ValueError(f"its tokenizer.json cannot be read ({error}); fetch it again") from error
    model = MagmaForCausalLM.from_pretrained(
        selection.folder, dtype=selection.dtype, attn_implementation="sdpa", **options
    )
    return model if selection.four_bit else model.to(selection.device), processor


def _declared_skills(config, name: str) -> frozenset[str]:
    """``skills`` of config.json; a released checkpoint has no such field, and all of them."""
    declared = getattr(config, "skills", None)
    if declared is None:
        return SKILLS
    if not isinstance(declared, list) or not set(declared) <= SKILLS:
        raise ValueError(f"config.json of {name} declares skills {declared!r}; known are {', '.join(sorted(SKILLS))}")
    return frozenset(declared)


def _stop_tokens(model: MagmaForCausalLM, processor: MagmaProcessor) -> frozenset[int]:
    """The end of a turn, by any of the places that may name it."""
    configured = model.generation_config.eos_token_id
    named = list(configured) if isinstance(configured, list) else [configured]
    tokenizer = processor.tokenizer
    named += [tokenizer.eos_token_id, tokenizer.get_added_vocab().get("<|eot_id|>")]
    return frozenset(token for token in named if token is not None)
