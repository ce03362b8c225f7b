"""Token by token through Magma's Llama: prefill, then the step of core/decode_step.py as often as is wanted.

The decoder knows tensors and token ids, nothing of text, pictures or checkpoints. On CUDA the step is compiled and
recorded as a CUDA graph, one for each batch size and buffer length in use, and the host reads a token while the next
step already runs. Not thread-safe: the engine lets one caller in at a time.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial

import torch
from transformers import Cache

from core.decode_step import Buffers, Step, choose, renew_noise
from core.magma import MagmaForCausalLM

log = logging.getLogger(__name__)

LENGTH_STEP = 256
"""Recorded steps have buffers of whole multiples of this many tokens."""
MAX_BATCH = 16
"""Rows that are decoded at once."""
MAX_RECORDED = 4
"""Recorded steps, with their buffers, that are kept; the least recently used goes first."""
MIN_TEMPERATURE = 1e-4
"""Below it the most probable token is taken."""


class Decoder:
    """Decodes with one model, whose linear layers it joins in place. ``compile`` records steps, else they run eagerly.

    A step that cannot be compiled is logged with its reason and runs eagerly.
    """

    def __init__(self, model: MagmaForCausalLM, compile: bool) -> None:
        llama = model.language_model
        self._model = model
        self._step = Step(llama).eval()
        self._config = llama.config
        self._device, self._dtype = llama.lm_head.weight.device, llama.lm_head.weight.dtype
        self._recorded: OrderedDict[tuple[int, int], Buffers] = OrderedDict()
        self._compiled: Callable[..., None] | None = None
        if compile:
            # Coordinate descent writes the products with one row as reductions, which stream weights faster than GEMM.
            tuned = {"coordinate_descent_tuning": True} if self._device.type == "cuda" else {}
            self._compiled = torch.compile(self._step, dynamic=False, fullgraph=True, options=tuned)
        self._runs_ahead = self._device.type == "cuda"  # elsewhere the host computes the step itself
        self.forget()  # joining the layers left their old memory free

    @torch.no_grad()
    def prefill(self, inputs: Mapping[str, torch.Tensor]) -> tuple[Cache, torch.Tensor]:
        """Read the prompts: the cache, and the logits [B, vocabulary] of what comes next."""
        outputs = self._model(**inputs, use_cache=True, logits_to_keep=1)
        return outputs.past_key_values, outputs.logits[:, -1]

    @torch.no_grad()
    def tokens(
        self,
        inputs: Mapping[str, torch.Tensor],
        banned: torch.Tensor,
        limit: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Generator[list[int], None, None]:
        """Yield ``limit`` times the next token of every row; the caller closes the generator when all rows have ended.

        ``inputs`` are the model's, on its device, left-padded, at most ``MAX_BATCH`` rows. Tokens where ``banned``
        [B, vocabulary] holds are never chosen. Rows with the same logits and seed sample the same tokens, whatever
        the batch.
        """
        cache, logits = self.prefill(inputs)
        mask = inputs["attention_mask"]
        rows, prompt = mask.shape
        buffers = self._buffers(rows, prompt + limit)
        self._fill(buffers, cache, mask, banned, temperature)
        del cache  # it lives on in the buffers
        sampled = rows if temperature >= MIN_TEMPERATURE else 0
        generators = [torch.Generator(self._device).manual_seed(seed) for _ in range(sampled)]
        renew_noise(buffers.noise, generators)
        choose(buffers, torch.cat([logits, logits[:1].expand(len(buffers.tokens) - rows, -1)]))
        read = self._reader(buffers, rows, 0)
        for turn in range(1, limit):
            if not self._runs_ahead:
                yield read()
            self._advance(buffers, generators)
            following = self._reader(buffers, rows, turn)
            if self._runs_ahead:
                yield read()
            read = following
        yield read()

    def forget(self) -> None:
        """Give memory back: the recorded steps', and what is free in PyTorch's hands."""
        self._recorded.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _advance(self, buffers: Buffers, generators: Sequence[torch.Generator]) -> None:
        renew_noise(buffers.noise, generators)
        buffers.used += 1
        if buffers.replay:
            buffers.replay()
        else:
            keys, values = ([part[:, :, : buffers.used] for part in parts] for parts in (buffers.keys, buffers.values))
            self._step(buffers, keys, values)

    def _reader(self, buffers: Buffers, rows: int, turn: int) -> Callable[[], list[int]]:
        """A call that gives the tokens as they are now; on CUDA it waits for them, and for nothing later."""
        if self._device.type != "cuda":
            now = buffers.tokens[:rows].tolist()
            return lambda: now
        landing = buffers.landing[turn % 2]
        landing.copy_(buffers.tokens, non_blocking=True)
        landed = torch.cuda.Event()
        landed.record(torch.cuda.current_stream(self._device))

        def read() -> list[int]:
            landed.synchronize()
            return landing[:rows].tolist()

        return read

    def _fill(
        self, buffers: Buffers, cache: Cache, attention_mask: torch.Tensor, banned: torch.Tensor, temperature: float
    ) -> None:
        """Start from a prefill. Rows beyond its batch decode one token over and over, read by nobody."""
        rows, prompt = attention_mask.shape
        lengths = attention_mask.sum(-1)
        buffers.used = prompt
        buffers.slot.fill_(prompt)
        buffers.positions.fill_(prompt)
        buffers.positions[:rows] = lengths
        buffers.first.zero_()
        buffers.first[:rows] = prompt - lengths
        buffers.sharpness.fill_(1 / temperature if temperature >= MIN_TEMPERATURE else 1.0)
        buffers.banned[:rows] = banned
        buffers.noise.zero_()
        for number, layer in enumerate(cache.layers):
            buffers.keys[number][:rows, :, :prompt] = layer.keys
            buffers.values[number][:rows, :, :prompt] = layer.values

    def _buffers(self, rows: int, length: int) -> Buffers:
        if self._compiled is None:
            return self._allocate(rows, length)
        shape = (1 << (rows - 1).bit_length(), -(-length // LENGTH_STEP) * LENGTH_STEP)
        if shape not in self._recorded:
            while len(self._recorded) >= MAX_RECORDED:
                self._recorded.popitem(last=False)
            buffers = self._allocate(*shape)
            self._record(buffers)
            self._recorded[shape] = buffers
        self._recorded.move_to_end(shape)
        return self._recorded[shape]

    def _allocate(self, rows: int, length: int) -> Buffers:
        config, device = self._config, self._device
        layer_shape = (rows, config.num_key_value_heads, length, config.head_dim)
        keys, values = (
            [torch.zeros(layer_shape, dtype=self._dtype, device=device) for _ in range(config.num_hidden_layers)]
            for _ in range(2)
        )
        for part in keys + values:
            torch._dynamo.maybe_mark_dynamic(part, 2)  # one compilation serves all lengths
        count = partial(torch.zeros, dtype=torch.long, device=device)
        return Buffers(
            tokens=count(rows),
            slot=count(1),
            positions=count(rows),
            first=count(rows),
            sharpness=torch.ones(1, device=device),
            banned=torch.zeros(rows, config.vocab_size, dtype=torch.bool, device=device),
            noise=torch.zeros(rows, config.vocab_size, device=device),
            keys=keys,
            values=values,
            landing=[torch.zeros(rows, dtype=torch.long, pin_memory=True) for _ in range(2)]
            if device.type == "cuda"
            else [],
        )

    def _record(self, buffers: Buffers) -> None:
        """Give the buffers a step to replay: compiled, and on CUDA captured; failing that they have none."""
        run = partial(self._compiled, buffers, buffers.keys, buffers.values)
        try:
            run()  # compiles
            buffers.replay = _captured(run, self._device) if self._device.type == "cuda" else run
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ImportError, OSError) as error:  # what a compiler and its tools fail with
            log.warning("Decoding runs eagerly, because its step could not be compiled: %s", error)
            self._compiled, buffers.replay = None, None


def _captured(run: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """The replay of ``run`` as a CUDA graph: the same work on the same addresses, without the host's share."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):  # what allocates or tunes on its first run must not do so while recording
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile; only this one's mistakes shall count.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            run()
    return graph.replay
