"""Links inside lines of text: words in another colour, coloured ones in square brackets, and the entries of a list in
one line, parted by dots, bars, slashes or arrows. In short lines of two colours every run of words may be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from core.geometry import Box
from core.screen.elements import Element, Word

ALIKE = float(np.cos(np.radians(10)))
"""The cosine, as seen from their ground, below which the colours of two inks differ."""
THIN = 2.0
"""Grey levels that ink adds to its box on average, below which its colour is not known."""
INK = 40
"""Grey levels by which ink differs from its ground."""
LISTED, SHORT = 20, 8
"""Words of a line up to which dots and the like part the entries of a list in it, and up to which every run of one
colour may be a link."""
MOST = 6
"""A line with more links than this is rather one of a program, coloured by what its words are."""
_SEPARATORS = frozenset("·•|/›»→‹«")
_PLAIN, _PARTING, _COLOURED = "plain", "parting", "coloured"


def with_links(image: np.ndarray, elements: Iterable[Element]) -> list[Element]:
    """The elements of an RGB picture [H, W, 3] uint8 with the links in its lines as elements of their own.

    A line stays whole beside them, for whoever reads it; but what ends it in square brackets, such as "[edit]" beside
    a headline, is no part of it.
    """
    result = []
    for element in elements:
        if element.kind == "text" and len(element.words) > 1:
            result += _taken_apart(image, element)
        else:
            result.append(element)
    return result


def _taken_apart(image: np.ndarray, line: Element) -> list[Element]:
    """The line and its links."""
    words, sorts = line.words, _sorts(image, line.words)
    listed = len(words) <= (LISTED if _PARTING in sorts else SHORT)
    runs = [(sort, tuple(words[i] for i, _ in run)) for sort, run in groupby(enumerate(sorts), lambda pair: pair[1])]
    links = [run for sort, run in runs if sort != _PARTING and (listed or sort != _PLAIN)]
    links = [run for run in links if any(character.isalnum() for word in run for character in word.text)]
    if len(runs) < 2 or not 0 < len(links) <= MOST:
        return [line]
    kept = len(runs)
    while kept > 1 and runs[kept - 1][0].startswith("["):
        kept -= 1
    if kept < len(runs):
        rest = tuple(word for _, run in runs[:kept] for word in run)
        cut = line.text.rfind(" ".join(word.text for word in runs[kept][1]))
        text = line.text[:cut].rstrip() if cut > 0 else " ".join(word.text for word in rest)
        line = replace(line, text=text, words=rest, box=_around(rest))
    return [line, *(_link(image, line, run) for run in links if run != line.words)]


def _link(image: np.ndarray, line: Element, run: Sequence[Word]) -> Element:
    box = _around(run)
    pixels, top = _pixels(image, box).astype(np.int16), max(0.0, float(box.as_ints()[1]))
    # A footnote's number stands high in its line.
    rows = np.flatnonzero((np.abs(pixels - _ground(pixels)).max(axis=2) > INK).any(axis=1)) if pixels.size else ()
    if len(rows):
        box = Box(box.x1, top + float(rows[0]), box.x2, top + float(rows[-1] + 1))
    text = " ".join(word.text for word in run).strip(" .,;:")
    return Element(0, box, "text", text, confidence=line.confidence, words=tuple(run))


def _sorts(image: np.ndarray, words: Sequence[Word]) -> list[str]:
    """Of each word: plain, parting, coloured (one name for each colour), or which square brackets it stands in."""
    ground = _ground(_pixels(image, _around(words)))
    inks = [_ink(image, word.box, ground) for word in words]
    known = [(ink, word.box.width) for ink, word in zip(inks, words, strict=True) if ink is not None]
    widths = [sum(width for other, width in known if float(ink @ other) >= ALIKE) for ink, _ in known]
    colours = [known[int(np.argmax(widths))][0]] if known else []
    sorts, bracket, before = [], 0, _PLAIN
    inside = False
    for word, ink in zip(words, inks, strict=True):
        if word.text.startswith("[") and (ink is None or float(ink @ colours[0]) < ALIKE):
            inside, bracket = True, bracket + 1
        if inside:
            sort = f"[{bracket}"
        elif word.text in _SEPARATORS:
            sort = _PARTING
        elif ink is None:
            sort = before
        else:
            number = next((i for i, colour in enumerate(colours) if float(ink @ colour) >= ALIKE), len(colours))
            if number == len(colours):
                colours.append(ink)
            sort = f"{_COLOURED} {number}" if number else _PLAIN
        sorts.append(sort)
        before = sort if not inside and sort != _PARTING else _PLAIN
        inside = inside and "]" not in word.text
    return sorts if not inside else [_PLAIN if sort.startswith("[") else sort for sort in sorts]


def _pixels(image: np.ndarray, box: Box) -> np.ndarray:
    x1, y1, x2, y2 = (max(0, at) for at in box.as_ints())
    return image[y1:y2, x1:x2]


def _ground(pixels: np.ndarray) -> np.ndarray:
    return np.median(pixels.reshape(-1, 3), axis=0) if pixels.size else np.zeros(3)


def _ink(image: np.ndarray, box: Box, ground: np.ndarray) -> np.ndarray | None:
    """The colour of a word as seen from its ground, [3] of length 1; blurred edges do not change it."""
    pixels = _pixels(image, box)
    if not pixels.size:
        return None
    added = (pixels.reshape(-1, 3) - ground).mean(axis=0)
    length = float(np.linalg.norm(added))
    return added / length if length >= THIN else None


def _around(words: Sequence[Word]) -> Box:
    box = words[0].box
    for word in words[1:]:
        box = box.union(word.box)
    return box
