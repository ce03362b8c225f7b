"""Words of user interfaces in other languages than English, for the parts that understand English alone.

``glossary.txt`` holds them; its head explains the form.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("glossary.txt")
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_PIECE = re.compile(rf"{_IDEOGRAPHS.pattern}|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_PARTICLES = str.maketrans(dict.fromkeys("把将给在从的了我请", " "))
_REACH = 3
"""The parts of a phrase ("melde ... an") follow one another within so many words."""
_GRAMMAR = frozenset(
    "der das den dem ein eine einen mein meine meinen mich mir dich dir sich bitte auf zu zum zur im "
    "und für wie wird ist "
    "le la les un une des du mon ma mes ce cette sur dans et est "
    "el los las mi mis este esta con para por y lo gli il della del al o um minha meu".split()
)


def is_foreign(text: str) -> bool:
    """Whether an instruction is in another language than English: in another script, with its grammar, or of words
    that the glossary knows alone."""
    pieces = _pieces(text)
    known = _found(pieces)
    other = any(not piece.isascii() and piece.isalpha() for piece in pieces)
    grammar = sum(piece in _GRAMMAR for piece in pieces)
    # "Diagramm herunterladen": German puts what to do last.
    infinitive = len(pieces) > 1 and pieces[-1].endswith(("en", "ern", "eln")) and bool(_in_words(pieces[-1:]))
    return bool(known) and (other or grammar > 0 or infinitive or len(known) == len(pieces))


@lru_cache(maxsize=4096)
def in_english(text: str) -> str:
    """What is known of the text in English, in the order of its words; the text itself where nothing is.

    Words that are not known are left out: they would only stand in the way of those that are. What is to be done comes
    first, as in English.
    """
    found = _found(_pieces(text))
    if len(found) > 1 and found[-1] in _deeds() and found[0] not in _deeds():
        found = [found[-1], *found[:-1]]
    return " ".join(found) or text


def deed_and_object(text: str) -> tuple[str, str] | None:
    """What is to be done, in English, and the rest of the text as it stands: ("edit", "den Stand") for "den Stand
    bearbeiten"; None where no word says it or nothing is left."""
    spans = [match.span() for match in _PIECE.finditer(text)]
    for start, end in dict.fromkeys([*spans[-1:], *spans]):
        piece = text[start:end].casefold()
        if _IDEOGRAPHS.match(piece):
            for at, word, english in _in_run(piece):
                if english in _deeds():
                    rest = f"{text[: start + at]} {text[start + at + len(word) :]}".translate(_PARTICLES).strip()
                    return (english, rest) if rest else None
        elif (found := _in_words([piece])) and found[0] in _deeds():
            rest = f"{text[:start]}{text[end:]}".strip()
            return (found[0], rest) if rest else None
    return None


def _pieces(text: str) -> list[str]:
    """The words of a text; a run of ideographs is one."""
    return _PIECE.findall(unicodedata.normalize("NFKC", text).casefold().replace("'", " ").replace("’", " "))


def _found(pieces: list[str]) -> list[str]:
    found: list[str] = []
    for at, piece in enumerate(pieces):
        if _IDEOGRAPHS.match(piece):
            found += [english for _, _, english in _in_run(piece)]
        else:
            found += _in_words(pieces[at : at + 3 * _REACH])
    return found


def _in_run(run: str) -> list[tuple[int, str, str]]:
    """The known words of a run without spaces, the longest first from the left: where each begins, itself, and what it
    means."""
    found, at = [], 0
    while at < len(run):
        length = next((n for n in range(min(8, len(run) - at), 0, -1) if run[at : at + n] in _entries()), 0)
        if length:
            word = run[at : at + length]
            found.append((at, word, _entries()[word][0][1]))
        at += length or 1
    return found


def _in_words(pieces: list[str]) -> list[str]:
    """What the first of the words begins, at most one."""
    first = pieces[0]
    for length in range(len(first), 1, -1):
        for parts, english in _entries().get(first[:length], ()):
            if (length == len(first) or len(parts) > 1) and _follow(parts[1:], pieces[1:]):
                return [english]
    return [english for tail, english in _tails() if first.endswith(tail)][:1]


def _follow(parts: tuple[str, ...], pieces: list[str]) -> bool:
    for part in parts:
        if part:
            at = next((i for i, piece in enumerate(pieces[:_REACH]) if piece.startswith(part)), None)
            if at is None:
                return False
            pieces = pieces[at + 1 :]
    return True


@cache
def _lines() -> list[tuple[str, str]]:
    """(English, word) for every word of the file."""
    pairs = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            english, words = line.split(":", 1)
            pairs += [(english, word.casefold().replace("'", "*").replace("-", "*")) for word in words.split()]
    return pairs


@cache
def _deeds() -> frozenset[str]:
    """What is to be done, in English: the file's first section."""
    section = _FILE.read_text(encoding="utf-8").split("# What to do")[1].split("\n# ")[0]
    return frozenset(line.split(":", 1)[0] for line in section.splitlines() if ":" in line)


@cache
def _entries() -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """First part of a word -> its parts and what it means, those of most parts first."""
    index: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for english, word in _lines():
        if not word.startswith("*"):
            parts = tuple(word.split("*"))
            index.setdefault(parts[0], []).append((parts, english))
    for listed in index.values():
        listed.sort(key=lambda entry: -len(entry[0]))
    return index


@cache
def _tails() -> list[tuple[str, str]]:
    return [(word[1:], english) for english, word in _lines() if word.startswith("*")]
