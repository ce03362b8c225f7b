"""Conversations to tensors: the chat format, the place of the pictures, and user text that stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import BatchFeature, ProcessorMixin

IMAGE, IMAGE_START, IMAGE_END = "<image>", "<image_start>", "<image_end>"
IGNORED = -100
"""The label of a token that is not learned."""

# Private-use characters stand for the texts while the template is rendered; what a text itself holds is never searched.
_TEXT = re.compile("\ue000(\\d+)\ue001")
_REPLY = re.compile("(\ue002\\d+\ue001)")

Text = str | Sequence[int]


@dataclass(frozen=True)
class Message:
    """One turn: ``role`` is system, user or assistant; the pictures (PIL or uint8 [H, W, 3]) come before the text.

    An assistant's text may be token ids, for replies such as action tokens whose text does not encode back. A video
    is its frames as pictures.
    """

    role: str
    text: Text
    images: Sequence[Image.Image | np.ndarray] = ()


class MagmaProcessor(ProcessorMixin):
    """The image processor and the tokenizer of one checkpoint.

    Only the chat template and this class place control tokens. Everything in a message is encoded by a copy of the
    tokenizer that knows no control token, so "<image>" or "<|eot_id|>" in a user's text are the letters they are.
    """

    def __init__(self, image_processor=None, tokenizer=None, chat_template: str | None = None) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template)
        self._control = {token: index for token, index in tokenizer.get_added_vocab().items() if token}
        missing = [token for token in (IMAGE, IMAGE_START, IMAGE_END) if token not in self._control]
        if missing or tokenizer.bos_token_id is None:
            raise ValueError(f"the tokenizer lacks {', '.join(missing) or 'a begin-of-text token'}: it is not Magma's")
        longest_first = sorted(self._control, key=len, reverse=True)
        self._split = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")
        self._plain = _without_control_tokens(tokenizer.backend_tokenizer, self._control)

    def __call__(
        self,
        conversations: Sequence[Sequence[Message]],
        add_generation_prompt: bool = True,
        labels: bool = False,
    ) -> BatchFeature:
        """A left-padded batch of conversations as the model's inputs, on the CPU.

        ``input_ids``, ``attention_mask`` [B, S]; with pictures ``pixel_values`` [B, N, 3, base, base] and
        ``image_sizes`` [B, M, 2], both padded with zeros at the end of a row; with ``labels`` the tokens to learn:
        the assistant's texts and the end of each such turn, everything else -100. Raises ValueError for a
        conversation that cannot be put into the chat format.
        """
        rows = [self._encode(conversation, add_generation_prompt) for conversation in conversations]
        if not rows:
            raise ValueError("no conversation given")
        tokens = [[token for token, _ in row.tokens] for row in rows]
        padding = self.tokenizer.pad_token_id
        data = {
            "input_ids": _pad_left(tokens, self.tokenizer.eos_token_id if padding is None else padding),
            "attention_mask": _pad_left([[1] * len(row) for row in tokens], 0),
        }
        if labels:
            learned = [[token if learn else IGNORED for token, learn in row.tokens] for row in rows]
            data["labels"] = _pad_left(learned, IGNORED)
        if any(row.grids for row in rows):
            base = self.image_processor.base_img_size
            nothing = torch.zeros(0, 3, base, base)
            pixels = [torch.cat([nothing, *row.crops]) for row in rows]
            grids = [torch.tensor(row.grids, dtype=torch.long).reshape(-1, 2) for row in rows]
            data["pixel_values"] = torch.nn.utils.rnn.pad_sequence(pixels, batch_first=True)
            data["image_sizes"] = torch.nn.utils.rnn.pad_sequence(grids, batch_first=True)
        return BatchFeature(data)

    @property
    def model_input_names(self) -> list[str]:
        return ["input_ids", "attention_mask", "pixel_values", "image_sizes"]

    def _encode(self, conversation: Sequence[Message], add_generation_prompt: bool) -> _Row:
        pictures = [picture for message in conversation for picture in message.images]
        crops, grids = zip(*map(self.image_processor.crops, pictures), strict=True) if pictures else ((), ())
        counts = (self.image_processor.visual_tokens(*grid) for grid in grids)
        # The template writes one begin-of-text, the tokenizer the other: Magma was trained with both.
        tokens = [(self.tokenizer.bos_token_id, False)]
        texts = [_trimmed(message) for message in conversation]
        tokens += self._tokens(self._render(conversation, texts, add_generation_prompt), texts, counts)
        return _Row(tokens, crops, grids)

    def _render(self, conversation: Sequence[Message], texts: list[Text], add_generation_prompt: bool) -> str:
        """The chat template around stand-ins for the texts."""
        if not self.tokenizer.chat_template:
            raise ValueError("the tokenizer has no chat template")
        turns = []
        for number, message in enumerate(conversation):
            if message.role not in ("system", "user", "assistant"):
                raise ValueError(f"role is {message.role!r}; it must be system, user or assistant")
            content = f"{IMAGE_START}{IMAGE}{IMAGE_END}\n" * len(message.images)
            if message.role == "assistant":
                content += f"\ue002{number}\ue001"
            elif not isinstance(message.text, str):
                raise ValueError("only an assistant's text may be token ids")
            elif texts[number]:
                content += f"\ue000{number}\ue001"
            turns.append({"role": message.role, "content": content})
        return self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)

    def _tokens(self, rendered: str, texts: list[Text], counts: Iterator[int]) -> list[tuple[int, bool]]:
        """(id, whether it is learned) of every token; ``counts`` are the visual tokens of each picture in turn."""
        tokens: list[tuple[int, bool]] = []
        closes_reply = False
        for position, piece in enumerate(self._split.split(rendered)):
            if position % 2:  # a control token
                repeat = next(counts) if piece == IMAGE else 1
                tokens += [(self._control[piece], closes_reply)] * repeat
                closes_reply = False
                continue
            for place, part in enumerate(_REPLY.split(piece)):
                if place % 2:
                    tokens += [(token, True) for token in self._plain_ids(texts[int(part[1:-1])])]
                    closes_reply = True
                else:
                    text = _TEXT.sub(lambda match: texts[int(match[1])], part)
                    tokens += [(token, False) for token in self._plain_ids(text)]
        return tokens

    def _plain_ids(self, text: Text) -> Sequence[int]:
        if not isinstance(text, str):
            return text
        whole = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text
        return self._plain.encode(whole, add_special_tokens=False).ids


@dataclass(frozen=True)
class _Row:
    tokens: list[tuple[int, bool]]
    crops: Sequence[torch.Tensor]
    grids: Sequence[tuple[int, int]]


def _trimmed(message: Message) -> Text:
    """What the chat template's ``trim`` leaves of the text, which it sees only as a stand-in."""
    if not isinstance(message.text, str):
        return message.text
    return message.text.rstrip() if len(message.images) else message.text.strip()


def _without_control_tokens(tokenizer: Tokenizer, control: dict[str, int]) -> Tokenizer:
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    state["post_processor"] = None
    state["model"]["vocab"] = {token: i for token, i in state["model"]["vocab"].items() if token not in control}
    return Tokenizer.from_str(json.dumps(state))


def _pad_left(rows: list[list[int]], value: int) -> torch.Tensor:
    length = max(map(len, rows))
    return torch.tensor([[value] * (length - len(row)) + row for row in rows])
