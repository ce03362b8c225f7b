"""A thesaurus of user interfaces: meanings with the words, the icons and the places they usually have.

``thesaurus.txt`` holds it, one meaning a line; its head explains the form.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from rapidfuzz import fuzz, process

from core.screen.lexical import DOING_VERBS, FUNCTION_WORDS, LEADING_VERBS, MAKING_VERBS, stem, words
from core.screen.places import Place

_FILE = Path(__file__).with_name("thesaurus.txt")
OBJECT = 0.5
"""What the thing counts that an action is done to, where the action is 1."""

LONG_WORD, MISREAD = 5, 88
"""Stems from this length on may be misread; they are taken for the known stem that is so many percent alike."""

_ARTICLES = frozenset("a an the this that these those my your our".split())


@dataclass(frozen=True)
class Meaning:
    """``phrases`` are what people say or screens show, ``icons`` what its icon may be named, best first.

    ``place`` is where it usually stands. ``held`` is what people ask for that it leads to, as a menu does.
    """

    phrases: tuple[str, ...]
    icons: tuple[str, ...]
    place: Place
    held: tuple[str, ...]


@cache
def meanings() -> tuple[Meaning, ...]:
    listed = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            phrases, icons, place, held = ([p.strip() for p in part.split(",") if p.strip()] for part in _parts(line))
            where = " ".join(place)
            x = 0.0 if "left" in where else 1.0 if "right" in where else None
            y = 0.0 if "top" in where else 1.0 if "bottom" in where else None
            listed.append(Meaning(tuple(phrases), tuple(icons), (x, y), tuple(held)))
    return tuple(listed)


def _parts(line: str) -> list[str]:
    parts = line.split("|")
    return parts + [""] * (4 - len(parts))


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words without articles and possessives."""
    return tuple(stem(word) for word in words(text) if word not in _ARTICLES)


@cache
def _by_phrase(held: bool) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Stems of each phrase -> the meanings that list it or, ``held``, that lead to it."""
    index: dict[tuple[str, ...], tuple[int, ...]] = {}
    for number, meaning in enumerate(meanings()):
        for phrase in meaning.held if held else meaning.phrases:
            key = stems(phrase)
            index[key] = (*index.get(key, ()), number)
    return index


@cache
def _by_icon() -> dict[frozenset[str], dict[int, float]]:
    """Words of each icon name -> the meanings it may bear, with how surely: earlier names are surer."""
    index: dict[frozenset[str], dict[int, float]] = {}
    for number, meaning in enumerate(meanings()):
        for rank, icon in enumerate(meaning.icons):
            known = index.setdefault(frozenset(words(icon)), {})
            known[number] = max(known.get(number, 0.0), 1.0 / (1.0 + 0.15 * rank))
    return index


@cache
def _by_rarest_stem(held: bool) -> dict[str, tuple[frozenset[str], ...]]:
    """The stems of each phrase of two words and more, filed under the one that fewest phrases have."""
    several = {frozenset(s for s in key if s not in FUNCTION_WORDS) for key in _by_phrase(held)}
    several = {phrase for phrase in several if len(phrase) > 1}
    counts = Counter(stem for phrase in several for stem in phrase)
    index: dict[str, tuple[frozenset[str], ...]] = {}
    for phrase in sorted(several, key=sorted):
        rarest = min(sorted(phrase), key=lambda stem: counts[stem])
        index[rarest] = (*index.get(rarest, ()), phrase)
    return index


@cache
def _by_stems(held: bool) -> dict[frozenset[str], tuple[int, ...]]:
    index: dict[frozenset[str], tuple[int, ...]] = {}
    for key, numbers in _by_phrase(held).items():
        phrase = frozenset(s for s in key if s not in FUNCTION_WORDS)
        index[phrase] = tuple(dict.fromkeys((*index.get(phrase, ()), *numbers)))
    return index


@dataclass(frozen=True)
class _Match:
    """A phrase found in a text: which of the text's stems it covers, how surely it is meant, and its meanings."""

    places: frozenset[int]
    surety: float
    numbers: tuple[int, ...]


def _matches(listed: tuple[str, ...], held: bool = False) -> list[_Match]:
    """The phrases in a list of stems. A phrase inside a longer one says nothing of its own: "search by voice" is not
    "search". A phrase whose words stand apart ("make the selected words bold") counts a little less."""
    known = set(listed)
    found: list[_Match] = []
    for length in range(min(7, len(listed)), 0, -1):
        for start in range(len(listed) - length + 1):
            if numbers := _by_phrase(held).get(listed[start : start + length]):
                found.append(_Match(frozenset(range(start, start + length)), 1.0, numbers))
    for rarest in known & _by_rarest_stem(held).keys():
        for phrase in _by_rarest_stem(held)[rarest]:
            if phrase <= known:
                places = frozenset(i for i, s in enumerate(listed) if s in phrase)
                found.append(_Match(places, 0.8, _by_stems(held)[phrase]))
    return [match for match in found if not any(match.places < other.places for other in found)]


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(stem for phrase in _by_phrase(False) for stem in phrase)


@lru_cache(maxsize=1 << 14)
def _mended(read: str) -> str:
    """The stem of a word that a recogniser slightly misread ("shufl"), or the stem itself."""
    if len(read) < LONG_WORD or not read.isalpha() or read in _vocabulary():
        return read
    alike = process.extractOne(read, _vocabulary(), scorer=fuzz.ratio, score_cutoff=MISREAD)
    return alike[0] if alike and alike[0][0] == read[0] else read


@lru_cache(maxsize=4096)
def of_text(text: str) -> dict[int, float]:
    """Meanings of a text on the screen, each with the share of the text's words that its phrase covers, 0..1."""
    listed = tuple(_mended(stem) for stem in stems(text)[:64])
    shares: dict[int, float] = {}
    for match in _matches(listed):
        for number in match.numbers:
            shares[number] = max(shares.get(number, 0.0), match.surety * len(match.places) / len(listed))
    return shares


@lru_cache(maxsize=256)
def of_request(text: str) -> dict[int, float]:
    """Meanings of what is asked for, each with how much of the request it is, 0..1.

    "Send the message" is about sending: where the first word says what to do, the things that follow count less. A
    first word that only leads somewhere ("open the calendar") says nothing, one that makes something less than what is
    made ("insert a chart").
    """
    listed = stems(text)[:64]
    matches = _matches(listed)
    doing, making = bool(_deeds(listed, matches)), listed[:1] and listed[0] in _stems_of(MAKING_VERBS)
    shares: dict[int, float] = {}
    for match in matches:
        leading = match.places == {0} and _leads(listed)
        if leading and listed[0] not in _stems_of(DOING_VERBS):
            continue
        share = match.surety * _portion(listed, match) ** 0.5
        made = making and match.places == {0} and len(matches) > 1
        if leading or made or (doing and 0 not in match.places):
            share *= OBJECT
        for number in match.numbers:
            if not meanings()[number].held:  # "stop the playback" asks for no menu of that name
                shares[number] = max(shares.get(number, 0.0), share)
    return shares


@lru_cache(maxsize=256)
def leading_to(text: str) -> dict[int, float]:
    """Meanings of what leads to what is asked for, each with how much of the request it answers, 0..1."""
    listed = stems(text)[:64]
    shares: dict[int, float] = {}
    for match in _matches(listed, held=True):
        for number in match.numbers:
            shares[number] = max(shares.get(number, 0.0), match.surety * _portion(listed, match) ** 0.5)
    return shares


def _portion(listed: tuple[str, ...], match: _Match) -> float:
    """How much of a request the phrase is, 0..1. Words such as "of" and "in" add nothing to a request."""
    telling = {i for i, s in enumerate(listed) if s not in FUNCTION_WORDS}
    return max(len(match.places & telling), 1) / max(len(telling), 1)


@lru_cache(maxsize=256)
def deeds(text: str) -> frozenset[int]:
    """Meanings of the first words where they say what to do ("send the message") rather than where to go ("open the
    messages") or what to make ("add a message")."""
    listed = stems(text)[:64]
    return frozenset(number for match in _deeds(listed, _matches(listed)) for number in match.numbers)


@lru_cache(maxsize=256)
def makings(text: str) -> frozenset[int]:
    """Meanings of making something new ("create a new archive"), which what bears only the thing's name does not."""
    listed = stems(text)[:64]
    if not listed or listed[0] not in _stems_of(MAKING_VERBS):
        return frozenset()
    new = {i for i, s in enumerate(listed) if s in ("new", stem("create"))}
    return frozenset(number for match in _matches(listed) if match.places & new for number in match.numbers)


def _deeds(listed: tuple[str, ...], matches: list[_Match]) -> list[_Match]:
    if listed and listed[0] in _stems_of(MAKING_VERBS):
        return []
    # "Open the fraud analyst job" is about no "job opening".
    alone = _leads(listed)
    return [m for m in matches if 0 in m.places and not (alone and (len(m.places) == 1 or m.surety < 1.0))]


def _leads(listed: tuple[str, ...]) -> bool:
    return len(listed) > 1 and listed[0] in _stems_of(LEADING_VERBS)


@cache
def _stems_of(verbs: frozenset[str]) -> frozenset[str]:
    return frozenset(stem(verb) for verb in verbs)


@lru_cache(maxsize=4096)
def of_icon(name: str) -> dict[int, float]:
    """Meanings that an icon of this name or caption may bear, 0..1, whatever the order of its words."""
    found = dict(_by_icon().get(frozenset(words(name)), {}))
    for number, share in of_text(name).items():
        found[number] = max(found.get(number, 0.0), 0.9 * share)
    return found
