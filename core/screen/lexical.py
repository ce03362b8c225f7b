"""How alike two short texts are, word by word: inflections, shortened words and slips of text recognition included."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

# Ideographs, kana and Hangul have no spaces between words: each character is a word of its own.
_IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+")
_SUFFIXES = ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "ed", "es", "er", "s", "y", "e")
# What a text recogniser confuses, folded to one letter each.
_LOOKALIKES = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "8": "b"})
FUNCTION_WORDS = frozenset(
    "a an the this that these those my your our their his her its it me i myself you we to of in on at for from with "
    "by and or as is are be so into onto up there here which where what please then just "
    "der die das den dem des am vom beim von bei mit "
    "ein eine einen mein meine meinen diese dieser auf zu zum zur und für mich "
    "le la les un une des du de mon ma mes ce cette sur dans et el los las mi mis esta este "
    "的 了 我 把 在 个 这 一".split()
)
# Verbs that lead somewhere or change something, but seldom stand on the control that does it.
LEADING_VERBS = frozenset(
    "open go browse switch show view see use apply launch visit navigate access bring display change set enable "
    "disable turn flip take make get find check read watch enter type fill head jump start run activate look want need "
    "have is how on off "
    "öffne öffnen zeige zeigen gehe gehen wechsle ouvre ouvrir affiche afficher montre aller abre abrir muestra".split()
)
# Those of them that are also what some controls do.
DOING_VERBS = frozenset("find look check run apply start launch".split())
# Words for the two ways along one line, by line: what goes the other way is not meant.
_WAYS = (
    ("right next forward redo clockwise", "left previous back undo counterclockwise anticlockwise"),
    ("up upwards", "down downwards"),
    ("first", "last"),
    ("increase bigger larger enlarge zoomin", "decrease smaller reduce shrink zoomout"),
    ("indent", "outdent unindent"),
    ("ascending", "descending"),
    ("horizontal horizontally", "vertical vertically"),
    ("import", "export"),
    ("expand", "collapse"),
    ("upload", "download"),
    ("connect", "disconnect"),
)
_WAY = {
    word: (line, sign)
    for line, sides in enumerate(_WAYS)
    for sign, side in zip((1, -1), sides, strict=True)
    for word in side.split()
}
# Verbs that make something: what is made says more than they do ("insert a chart").
MAKING_VERBS = frozenset("add insert create make draw start begin".split())


def fold(text: str) -> str:
    """The text in one spelling: compatibility forms unified, case folded, apostrophes dropped ("I'm" -> "im")."""
    # Signs such as ① and ☆ are icons that a recogniser took for characters.
    text = "".join(" " if unicodedata.category(c) in ("No", "So") else c for c in text)
    return re.sub(r"['’‘`´]", "", unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> list[str]:
    """The folded words of a text; punctuation and emoji fall away."""
    return _WORD.findall(fold(text))


@lru_cache(maxsize=1 << 12)
def ways(text: str) -> frozenset[tuple[int, int]]:
    """The ways that a text names, as (line, 1 or -1); a line whose two ways it names is left out."""
    joined = re.sub(
        r"\bnext to\b|\b(?:left|right) of\b", " ", re.sub(r"\bzoom(?:ed)? (in|out)\b", r"zoom\1", fold(text))
    )
    found = {_WAY[word] for word in words(joined) if word in _WAY}
    return frozenset((line, sign) for line, sign in found if (line, -sign) not in found)


def opposed(asked: frozenset[tuple[int, int]], text: str) -> bool:
    """Whether a text goes the other way than is asked: "rotate right" for "turn it to the left"."""
    return any((line, -sign) in asked for line, sign in ways(text))


# British spelling, put in American; both sides of a comparison are, so that other words do no harm.
_BRITISH = (
    (re.compile(r"(?<=...)our"), "or"),
    (re.compile(r"(?<=...)tre(?=d?$)"), "ter"),
    (re.compile(r"(?<=...)is(?=e$|ed$|es$|ing$|ation$)"), "iz"),
)


# "The 26th" is written 26 in a calendar.
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")


@lru_cache(maxsize=1 << 14)
def stem(word: str) -> str:
    """The word without its English inflection: "saved", "saving" and "saves" become "sav", "26th" becomes "26"."""
    if day := _DAY.fullmatch(word):
        return day[1]
    for pattern, american in _BRITISH:
        word = pattern.sub(american, word)
    for suffix in _SUFFIXES:
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            word = word[: -len(suffix)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1].isalpha() else word


SLIPS = 2
"""Letters that a recogniser adds or leaves out in a name at most."""

INFLECTED, SHORTENED = 0.95, 0.8
"""How alike words of one stem are, and a word and its beginning."""


@lru_cache(maxsize=1 << 14)
def unaccented(word: str) -> str:
    """The word without the accents that recognisers lose and people leave out: "café", "cafe"."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@lru_cache(maxsize=1 << 17)
def alike(a: str, b: str) -> float:
    """How surely two words mean the same by their letters, 0..1.

    1 for equal words, 0.95 for one stem, other accents or a slip of recognition, 0.8 for a shortened form ("config"),
    less for words of five letters and more that differ in one or two.
    """
    if a == b:
        return 1.0
    if a.isascii() and b.isascii():
        if stem(a) == stem(b):
            return INFLECTED
    elif (plain := unaccented(a)).isascii() and plain == unaccented(b):
        return INFLECTED
    shorter, longer = sorted((len(a), len(b)))
    if shorter < 3:
        return 0.0
    if shorter == longer and a.translate(_LOOKALIKES) == b.translate(_LOOKALIKES):
        return INFLECTED
    if shorter >= 4 and (a.startswith(b) or b.startswith(a)):
        return SHORTENED
    if shorter >= 5 and longer - shorter <= 2:
        ratio = fuzz.ratio(a, b) / 100
        return ratio if ratio >= 0.84 else 0.0
    return 0.0


def overlap(
    wanted: list[str], weights: list[float], found: list[str], spelt: frozenset[str] = frozenset()
) -> tuple[float, float]:
    """(share of the wanted words' weight that is found, share of the found words that are wanted), both 0..1.

    Function words count a tenth among the found words, so that "the" never makes a match. For wanted words that are
    ``spelt`` so elsewhere, others that differ in a letter do not stand.
    """
    if not wanted or not found:
        return 0.0, 0.0
    best_wanted = [0.0] * len(wanted)
    best_found = [0.0] * len(found)
    for i, a in enumerate(wanted):
        for j, b in enumerate(found):
            similarity = alike(a, b)
            if a in spelt and similarity not in (1.0, INFLECTED, SHORTENED):
                continue
            if similarity > best_wanted[i]:
                best_wanted[i] = similarity
            if similarity > best_found[j]:
                best_found[j] = similarity
    total = sum(weights)
    found_weights = [0.1 if word in FUNCTION_WORDS else 1.0 for word in found]
    wanted_share = sum(w * s for w, s in zip(weights, best_wanted, strict=True)) / total if total else 0.0
    found_share = sum(w * s for w, s in zip(found_weights, best_found, strict=True)) / sum(found_weights)
    return wanted_share, found_share


def joined_alike(a: list[str], b: list[str]) -> float:
    """Likeness of two texts without their spaces, 0..1: recognisers glue and split words ("SignIn", "Pass word")."""
    left, right = "".join(a), "".join(b)
    if left == right:
        return 1.0
    if min(len(left), len(right)) < 4 or abs(len(left) - len(right)) > SLIPS:
        return 0.0
    ratio = fuzz.ratio(left.translate(_LOOKALIKES), right.translate(_LOOKALIKES)) / 100
    return ratio if ratio >= 0.85 else 0.0
