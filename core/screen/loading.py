"""Which parser to use, and why."""

from __future__ import annotations

from core.errors import UserError
from core.screen.elements import Parser
from core.screen.embedded import EmbeddedParser
from core.screen.weights import OMNIPARSER


def load_parser(name: str = "auto") -> tuple[Parser, str]:
    """The parser, and one line that says which it is and why, for the log and the page.

    ``name``: "embedded", "omniparser" (from the hub or its cache), a folder with OmniParser's weights, or "auto":
    OmniParser where there is a CUDA GPU and its weights are cached or the hub gives them, otherwise the embedded
    parser. Raises UserError where the parser that was named cannot be loaded.
    """
    if name == "embedded":
        return EmbeddedParser(), "Parser: embedded, as asked."
    if name != "auto":
        parser = _omniparser(OMNIPARSER if name == "omniparser" else name)
        return parser, f"Parser: {parser.name}, as asked."
    import torch  # a page is ready seconds earlier without it

    if not torch.cuda.is_available():
        return EmbeddedParser(), "Parser: embedded, because there is no CUDA GPU for OmniParser."
    try:
        parser = _omniparser(OMNIPARSER)
    except UserError as error:
        return EmbeddedParser(), f"Parser: embedded, because OmniParser could not be loaded: {error}"
    return parser, f"Parser: {parser.name}, because there is a CUDA GPU and its weights are at hand."


def _omniparser(source: str) -> Parser:
    from core.screen.omniparser import OmniParser  # transformers is slow to import, and the embedded parser needs none

    return OmniParser.load(source)
