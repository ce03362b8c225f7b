"""A thesaurus of user interfaces: meanings with the words, the icons and the places they usually have.

``thesaurus.txt`` holds it, one meaning a line; its head explains the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from core.screen.lexical import stem, words

_FILE = Path(__file__).with_name("thesaurus.txt")
_ARTICLES = frozenset("a an the this that these those my your our".split())


@dataclass(frozen=True)
class Meaning:
    """``phrases`` are what people say or screens show, ``icons`` what its icon may be named, best first.

    ``place`` is where it usually stands, each axis 0, 1 or None.
    """

    phrases: tuple[str, ...]
    icons: tuple[str, ...]
    place: tuple[float | None, float | None]


@cache
def meanings() -> tuple[Meaning, ...]:
    listed = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            phrases, icons, place = ([p.strip() for p in part.split(",") if p.strip()] for part in _parts(line))
            where = " ".join(place)
            x = 0.0 if "left" in where else 1.0 if "right" in where else None
            y = 0.0 if "top" in where else 1.0 if "bottom" in where else None
            listed.append(Meaning(tuple(phrases), tuple(icons), (x, y)))
    return tuple(listed)


def _parts(line: str) -> list[str]:
    parts = line.split("|")
    return parts + [""] * (3 - len(parts))


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words without articles and possessives."""
    return tuple(stem(word) for word in words(text) if word not in _ARTICLES)


@cache
def _by_phrase() -> dict[tuple[str, ...], tuple[int, ...]]:
    """Stems of each phrase -> the meanings that list it."""
    index: dict[tuple[str, ...], tuple[int, ...]] = {}
    for number, meaning in enumerate(meanings()):
        for phrase in meaning.phrases:
            key = stems(phrase)
            index[key] = (*index.get(key, ()), number)
    return index


@cache
def _by_icon() -> dict[frozenset[str], dict[int, float]]:
    """Words of each icon name -> the meanings it may bear, with how surely: earlier names are surer."""
    index: dict[frozenset[str], dict[int, float]] = {}
    for number, meaning in enumerate(meanings()):
        for rank, icon in enumerate(meaning.icons):
            known = index.setdefault(frozenset(stems(icon)), {})
            known[number] = max(known.get(number, 0.0), 1.0 / (1.0 + 0.15 * rank))
    return index


@lru_cache(maxsize=4096)
def of_text(text: str) -> dict[int, float]:
    """Meanings of a text, each with the share of the text's words that its phrase covers, 0..1.

    A phrase inside a longer one says nothing of its own: "search by voice" is not "search".
    """
    listed = stems(text)[:64]
    found: list[tuple[int, int, tuple[int, ...]]] = []
    index = _by_phrase()
    for length in range(min(7, len(listed)), 0, -1):
        for start in range(len(listed) - length + 1):
            numbers = index.get(listed[start : start + length])
            covered = any(s <= start and start + length <= e for s, e, _ in found)
            if numbers and not covered:
                found.append((start, start + length, numbers))
    shares: dict[int, float] = {}
    for start, end, numbers in found:
        for number in numbers:
            shares[number] = max(shares.get(number, 0.0), (end - start) / len(listed))
    return shares


@lru_cache(maxsize=4096)
def of_icon(name: str) -> dict[int, float]:
    """Meanings that an icon of this name may bear, 0..1. Word order does not matter: "left arrow" is "arrow left"."""
    key = frozenset(stems(name))
    index = _by_icon()
    found = dict(index.get(key, {}))
    # A variant ("user circle", "trash filled") keeps the meaning of its stem, less surely.
    for icon, numbers in index.items():
        if icon and icon < key:
            for number, share in numbers.items():
                found[number] = max(found.get(number, 0.0), share * 0.8 * len(icon) / len(key))
    return found
