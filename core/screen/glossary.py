"""Words of user interfaces in other languages than English, for the parts that understand English alone.

``glossary.txt`` holds them; its head explains the form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from core.screen.lexical import words

_FILE = Path(__file__).with_name("glossary.txt")
_SIGNS = r"\u3040-\u30ff\u3400-\u9fff"
_IDEOGRAPHS = re.compile(rf"[{_SIGNS}]+")
_PIECE = re.compile(rf"[{_SIGNS}]+|[^\W{_SIGNS}]+")
_OF = "的の"
"""What stands before one of these in a run of ideographs only says whose the thing is."""
_GRAMMAR = "-"
"""Stands in the file for the meaning of words that have none by themselves."""
_ENGLISH = frozenset(
    "the my your this that of and to for with at from by is it its show open click play delete call book search edit "
    "add save select choose go turn".split()
)
"""Words that no other language here has: a sentence with one of them is English, whatever names are in it."""
_SHORT = 3
"""Parts of so few letters are whole words."""
_REACH = 3
"""The parts of a phrase ("melde ... an") follow one another within so many words."""
_PREFIXES = frozenset("ab an auf aus ein hinzu um zu vor weiter wieder her zurück".split())
"""What German verbs leave at the end of the sentence."""


@dataclass(frozen=True)
class Known:
    """A word or phrase of the glossary in a text: where its parts stand, and what it means, "" for one of grammar."""

    spans: tuple[tuple[int, int], ...]
    english: str


def is_deed(english: str) -> bool:
    """Whether what is known of a text in English begins with what is to be done."""
    return any(f"{english} ".startswith(f"{deed} ") for deed in _deeds())


def is_foreign(text: str) -> bool:
    """Whether an instruction is in another language than English: in another script, with its grammar, or of words
    that the glossary knows alone."""
    text = _normal(text)
    pieces = [piece.casefold() for piece in _PIECE.findall(text)]
    known = known_words(text)
    telling = [found for found in known if found.english]
    other = any(not piece.isascii() and piece.isalpha() for piece in pieces)
    # "Diagramm herunterladen": German puts what to do last.
    infinitive = len(pieces) > 1 and pieces[-1].endswith(("en", "ern", "eln")) and _in_words(pieces[-1:]) is not None
    grammar = len(known) - len(telling)
    if not _ENGLISH.isdisjoint(pieces):
        return False
    if grammar > 1 or (other and known):
        return True
    return bool(telling) and (grammar == 1 or infinitive or len(known) == len(pieces))


@lru_cache(maxsize=4096)
def in_english(text: str) -> str:
    """What is known of the text in English, in the order of its words; the text itself where nothing is.

    Words that are not known are left out: they would only stand in the way of those that are. What is to be done comes
    first, as in English.
    """
    found = [known.english for known in _heads(_normal(text))]
    deeds = [i for i, english in enumerate(found) if english in _deeds()]
    if deeds and deeds[0] > 0:
        deed = found.pop(deeds[-1] if deeds[-1] == len(found) - 1 else deeds[0])
        found.insert(0, deed)
    return " ".join(found) or text


def deed_and_object(text: str) -> tuple[str, str] | None:
    """What is to be done, in English, and the rest of the text as it stands: ("edit", "den Stand") for "den Stand
    bearbeiten"; None where no word says it or nothing is left."""
    text = _normal(text)
    known = known_words(text)
    deeds = [found for found in known if found.english in _deeds()]
    if known[-1:] == deeds[-1:]:
        deeds = deeds[-1:] + deeds
    particles = [
        span for found in known if not found.english for span in found.spans if _IDEOGRAPHS.match(text[span[0]])
    ]
    for deed in deeds:
        rest = text
        for start, end in sorted([*deed.spans, *particles], reverse=True):
            rest = f"{rest[:start]} {rest[end:]}"
        if words(rest):
            return deed.english, " ".join(rest.split())
    return None


def translations(text: str) -> dict[str, str]:
    """The folded words of a text that the glossary knows -> what they mean, "" for words of grammar."""
    text = _normal(text)
    return {
        word: known.english
        for known in known_words(text)
        for start, end in known.spans
        for word in words(text[start:end])
    }


@lru_cache(maxsize=4096)
def known_words(text: str) -> tuple[Known, ...]:
    """What the glossary knows of a text in Unicode's form NFKC, in the order of its words."""
    pieces = [(match.group().casefold(), match.span()) for match in _PIECE.finditer(text)]
    found: list[Known] = []
    taken: set[int] = set()
    for at, (piece, (start, _)) in enumerate(pieces):
        if _IDEOGRAPHS.match(piece):
            found += [Known(((start + i, start + i + len(word)),), english) for i, word, english in _in_run(piece)]
        elif at not in taken and (match := _in_words([piece for piece, _ in pieces[at:]])):
            english, places = match
            taken.update(at + place for place in places)
            found.append(Known(tuple(pieces[at + place][1] for place in places), english))
    return tuple(found)


def unspaced(listed: Sequence[str]) -> str:
    """Words as a text, ideographs without spaces between them."""
    return re.sub(rf"(?<=[{_SIGNS}]) (?=[{_SIGNS}])", "", " ".join(listed))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _heads(text: str) -> list[Known]:
    """What is known and more than grammar, without what only says whose a thing is: of the loudness of the film, the
    loudness."""
    telling = [known for known in known_words(text) if known.english]
    owners: set[Known] = set()
    for run in _IDEOGRAPHS.finditer(text):
        inside = [known for known in telling if run.start() <= known.spans[0][0] < run.end()]
        of = max(text.rfind(sign, run.start(), run.end()) for sign in _OF)
        things = [known for known in inside if known.english not in _deeds()]
        if any(known.spans[0][0] > of for known in things):
            owners |= {known for known in things if known.spans[0][0] < of}
    return [known for known in telling if known not in owners]


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


def _in_words(pieces: Sequence[str]) -> tuple[str, list[int]] | None:
    """What the first of the words begins, and which of them belong to it."""
    first = pieces[0]
    for length in range(len(first), 0, -1):
        for parts, english in _entries().get(first[:length], ()):
            if length == len(first) or parts[1:] == ("",) or (len(parts) > 1 and _begins(first, parts[0])):
                places = _follow(parts[1:], pieces)
                if places is not None:
                    return english, places
    return next(((english, [0]) for tail, english in _tails() if first.endswith(tail)), None)


def _begins(piece: str, part: str) -> bool:
    """Whether a word begins with a part of a phrase; a short part is a word of its own: "sal de" is not "Salzburg"."""
    return piece == part if len(part) <= _SHORT else piece.startswith(part)


def _follow(parts: Sequence[str], pieces: Sequence[str]) -> list[int] | None:
    """Which of the words, the first included, are those that begin with the parts; None where one is missing."""
    places = [0]
    for part in filter(None, parts):
        reach = range(places[-1] + 1, min(places[-1] + 1 + _REACH, len(pieces)))
        at = next((i for i in reach if _begins(pieces[i], part)), None)
        if at is None and part in _PREFIXES and part == pieces[-1] and places[-1] < len(pieces) - 1:
            at = len(pieces) - 1
        if at is None:
            return None
        places.append(at)
    return places


@cache
def _lines() -> list[tuple[str, str]]:
    """(English, word) for every word of the file."""
    pairs = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            english, listed = line.split(":", 1)
            english = "" if english == _GRAMMAR else english
            pairs += [(english, word.casefold().replace("'", "*").replace("-", "*")) for word in listed.split()]
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
