"""Training conversations from LLaVA-style JSON, the form of Magma-820K and of our own Trace-of-Mark tool.

``[{"image": NAME or [NAME, ...], "conversations": [{"from": "human" | "gpt", "value": TEXT}, ...]}, ...]``. ``<image>``
in a text only says that the pictures come with it; they always stand before the first question, as in Magma's prompts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from core.conversation import SYSTEM
from core.errors import UserError
from core.images import open_image
from core.magma import MagmaProcessor, Message
from core.magma.processing import IMAGE

SPEAKERS = (("human", "user"), ("gpt", "assistant"))
"""By turns: the name in the file, and the role in the conversation."""


@dataclass(frozen=True)
class Example:
    """Paths of the pictures and (role, text) of each turn, a question first, then replies and questions by turns."""

    images: tuple[Path, ...]
    turns: tuple[tuple[str, str], ...]

    def messages(self) -> list[Message]:
        """Opens the pictures. Raises UserError for one that cannot be read."""
        return as_messages([open_image(path) for path in self.images], self.turns)


def as_messages(pictures: Sequence[Image.Image], turns: Iterable[tuple[str, str]]) -> list[Message]:
    """Magma's system text, then the turns as (role, text), the pictures before the first."""
    messages = [Message("system", SYSTEM)]
    for place, (role, text) in enumerate(turns):
        messages.append(Message(role, text, () if place else tuple(pictures)))
    return messages


def read_examples(path: Path, images: Path) -> list[Example]:
    """The file's examples; names of pictures are relative to ``images`` and must stay inside it.

    Raises UserError that names the first example that is not of the form, or whose picture is not there.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}.") from error
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path} holds no list of examples.")
    root = Path(images).resolve()
    examples = []
    for number, row in enumerate(rows):
        try:
            examples.append(_example(row, root))
        except (ValueError, OSError) as error:
            raise UserError(f"{path}, example {number}: {error}.") from error
    return examples


def _example(row: object, root: Path) -> Example:
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    names = row.get("image", [])
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("image is neither a name nor a list of names")
    paths = tuple((root / name).resolve() for name in names)
    for name, path in zip(names, paths, strict=True):
        if not path.is_relative_to(root):
            raise ValueError(f"the picture {name} lies outside the folder of pictures")
        if not path.is_file():
            raise ValueError(f"the picture {name} is not there")
    said = row.get("conversations")
    if not isinstance(said, list) or len(said) < 2 or len(said) % 2:
        raise ValueError("conversations is no list of questions, each with its reply")
    turns = []
    for place, turn in enumerate(said):
        speaker, role = SPEAKERS[place % 2]
        text = turn.get("value") if isinstance(turn, dict) and turn.get("from") == speaker else None
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"turn {place} is no text by {speaker}")
        if role == "user":  # in a reply it would be text to learn
            if IMAGE in text and not paths:
                raise ValueError(f"turn {place} speaks of a picture, and there is none")
            text = text.replace(IMAGE, "").strip()
        turns.append((role, text))
    return Example(paths, tuple(turns))


class Collator:
    """Examples to the model's inputs, with labels on the replies alone. Raises UserError for a conversation of more
    than ``context`` tokens."""

    def __init__(self, processor: MagmaProcessor, context: int) -> None:
        self._processor, self._context = processor, context

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        conversations = [example.messages() for example in examples]
        batch = dict(self._processor(conversations, add_generation_prompt=False, labels=True))
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        for example, length in zip(examples, lengths, strict=True):
            if length > self._context:
                raise UserError(
                    f'The conversation that begins "{example.turns[0][1][:60]}" has {length:,} tokens, and the model '
                    f"takes {self._context:,}: shorten it."
                )
        return batch
