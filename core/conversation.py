"""What goes into an engine and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

SYSTEM = "You are agent that can see, talk and act."


@dataclass(frozen=True)
class Conversation:
    """One user turn: pictures (RGB), then text, with the limits its skill sets on the reply.

    ``actions`` allows the 7-DoF action tokens; everywhere else they are banned, because a prompt that sounds like a
    robot task makes Magma answer with them and they decode to noise.
    """

    text: str
    images: tuple[Image.Image, ...] = ()
    system: str = SYSTEM
    max_new_tokens: int = 128
    actions: bool = False


@dataclass(frozen=True)
class Reply:
    """What the model said: the text, its token ids, and seconds by stage (preprocess, prefill, decode)."""

    text: str
    token_ids: tuple[int, ...]
    seconds: dict[str, float]
