"""Text on a screenshot: PP-OCRv6's detector and recogniser, run on the ONNX models inside the rapidocr wheel.

The models are driven here rather than through rapidocr's pipeline because a screenshot is not a page: its text is
level, so boxes need no perspective; lines are split where a menu, a tab or a column ends; each line is recognised on
its own, without padding, in parallel; and a caller can stop between lines. Nothing is ever downloaded.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from core.errors import UserError
from core.geometry import Box
from core.screen.elements import Element, Word

DETECTOR, RECOGNISER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

SCRIPTS: dict[str, tuple[tuple[int, int], ...]] = {
    "latin": (),
    "chinese": ((0x3000, 0x303F), (0x31C0, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF)),
    "japanese": ((0x3000, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF)),
}
"""What the recogniser reads, each with the ranges it needs beyond Latin letters, digits and punctuation."""
LATIN = ((0x20, 0x24F), (0x1E00, 0x1EFF), (0x2010, 0x203E), (0x20A0, 0x20BF), (0x2100, 0x214F))

STRIDE = 32  # the detector's input sides are multiples of this
LINE_HEIGHT = 48  # the recogniser's input height
COLUMN = 8  # its input columns per output step
LONGEST_LINE = 3200  # wider lines are squeezed to this, which keeps memory bounded

PROBABILITY = 0.3  # pixels more probable than this are text
BOX_PROBABILITY = 0.5  # boxes less probable than this on average are not
MOST_LINES = 1000  # the most probable boxes that are read: noise makes many
UNCLIP = 1.6  # the detector is trained on text shrunk by this ratio (Liao et al., Differentiable Binarization, 2019)

# Gaps, in heights of the detected box, which is about one and a half times the size of the font.
LETTER_GAP = 0.18  # letters of a word are closer than this
ACCENT_GAP = 0.12  # dots and accents are closer to their letters than this
SPACE = 0.1  # words are further apart than this
TAB_GAP = 0.4  # a wider gap ends a line if it is also wide for the text: between labels, tabs, menus
TAB_ADVANCE = 2.4  # "wide for the text": this many times the median distance of its characters
COLUMN_GAP = 0.77  # a wider gap ends a line whatever its text
LETTER_REACH = 0.6  # an outer letter reaches no further than this from its middle
SURE = 0.9  # a lone character less probable than this may be an icon
ALONE = "AIaiyoeuàéOYE0123456789$€£¥#@&+-–—•·*(["  # so may any other that begins a line
SURE_ALONE = 0.6  # but one of these only if it is less probable than this
VERTICAL = 2.0  # boxes this many times taller than wide hold a rotated line


def usable_cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TextReader:
    """Both models, loaded once; safe to use from several threads."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or usable_cores()
        self._detector = _session(DETECTOR, self.threads)
        self._recogniser = _session(RECOGNISER, 1)
        characters = self._recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._alphabet = np.array(["", *characters, " "], dtype=object)

    def read(self, image: np.ndarray, side: int, language: str | None = None) -> Generator[None, None, list[Element]]:
        """Lines of an RGB picture [H, W, 3] uint8, not yet numbered; yields whenever a stop is convenient.

        ``side`` is the longer side in pixels at which the detector looks; recognition reads the picture itself.
        ``language`` is one of SCRIPTS, or None for all of them; anything else is a UserError.
        """
        allowed = self._allowed(language)
        boxes = self._detect(image, side)
        yield
        crops = [crop for box in boxes for crop in _split(image, box)]
        lines: list[Element] = []
        for line in _in_parallel(lambda crop: self._recognise(image, crop, allowed), crops, self.threads):
            lines.extend(line)
            yield
        return lines

    def _allowed(self, language: str | None) -> np.ndarray | None:
        """Indices of the alphabet that a language may use, None for all; index 0 is the blank of CTC."""
        if language is None:
            return None
        if language not in SCRIPTS:
            known = ", ".join(SCRIPTS)
            raise UserError(f"The text recogniser does not read {language!r}. Choose one of: {known}, or none for all.")
        ranges = (*LATIN, *SCRIPTS[language])
        codes = [ord(character[0]) if character else -1 for character in self._alphabet]
        return np.array([i for i, code in enumerate(codes) if i == 0 or any(a <= code <= b for a, b in ranges)])

    def _detect(self, image: np.ndarray, side: int) -> list[Box]:
        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        columns, rows = (max(STRIDE, round(length * scale / STRIDE) * STRIDE) for length in (width, height))
        small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
        pixels = (small[:, :, ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        probability = self._detector.run(None, {"x": pixels})[0][0, 0]
        back_x, back_y = width / columns, height / rows
        return [box.scale(back_x, back_y).clamp((width, height)) for box in text_boxes(probability)]

    def _recognise(self, image: np.ndarray, crop: _Crop, allowed: np.ndarray | None) -> list[Element]:
        pixels = crop.pixels(image)
        if pixels.shape[0] < VERTICAL * pixels.shape[1]:
            text, confidence, centers = self._decode(pixels, allowed)
            return _lines(crop, text, confidence, centers) if text else []
        # Rotated either way, or a narrow upright character such as 1 or l: the surest reading wins.
        turned = [self._decode(np.rot90(pixels, turns), allowed)[:2] for turns in (0, 1, 3)]
        text, confidence = max(turned, key=lambda reading: float(np.mean(reading[1])) if reading[0] else 0.0)
        return [Element(0, crop.box, "text", text, confidence=float(np.mean(confidence)))] if text else []

    def _decode(self, pixels: np.ndarray, allowed: np.ndarray | None) -> tuple[str, np.ndarray, np.ndarray]:
        """Greedy CTC: the text, and for each character its probability and its centre, 0..1 of the width."""
        height, width = pixels.shape[:2]
        columns = min(max(round(width * LINE_HEIGHT / height / COLUMN), 2) * COLUMN, LONGEST_LINE)
        line = cv2.resize(pixels, (columns, LINE_HEIGHT), interpolation=cv2.INTER_LINEAR)
        batch = (line[:, :, ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        scores = self._recogniser.run(None, {"x": batch})[0][0]
        if allowed is not None:
            scores = scores[:, allowed]
        best = scores.argmax(axis=1)
        probability = scores[np.arange(len(best)), best]
        starts = (best != 0) & np.concatenate(([True], best[1:] != best[:-1]))
        steps = np.flatnonzero(starts)
        indices = best[steps] if allowed is None else allowed[best[steps]]
        text = "".join(self._alphabet[indices])
        keep = slice(len(text) - len(text.lstrip()), len(text.rstrip()))
        return text[keep], probability[steps][keep], ((steps + 0.5) / len(best))[keep]


def text_boxes(probability: np.ndarray) -> list[Box]:
    """Boxes around the detector's probability map [H, W], grown back by the margin it was trained to shave off."""
    mask = cv2.dilate((probability > PROBABILITY).astype(np.uint8), np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    sums = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=count)
    means = sums / np.maximum(1, stats[:, cv2.CC_STAT_AREA])
    found = [i for i in np.argsort(-means[1:]) + 1 if means[i] > BOX_PROBABILITY and min(stats[i, 2:4]) >= 3]
    boxes = []
    for x, y, width, height, _ in stats[found[:MOST_LINES]].tolist():
        margin = width * height * UNCLIP / (2 * (width + height))
        boxes.append(Box(x, y, x + width, y + height).pad(margin))
    return boxes


@dataclass(frozen=True)
class _Crop:
    """A stretch of a text box: ``frame`` is what the recogniser sees, ``box`` the ink, ``blanks`` its empty columns."""

    frame: tuple[int, int, int, int]
    box: Box
    blanks: tuple[tuple[int, int], ...]

    def pixels(self, image: np.ndarray) -> np.ndarray:
        x1, y1, x2, y2 = self.frame
        return image[y1:y2, x1:x2]

    def stretches(self, gap: float) -> list[tuple[float, float]]:
        """The ink from left to right, as intervals with blanks wider than ``gap`` between them."""
        wide = [blank for blank in self.blanks if blank[1] - blank[0] > gap]
        return list(zip([self.box.x1, *(b for _, b in wide)], [*(a for a, _ in wide), self.box.x2], strict=True))

    def boundary(self, a: float, b: float) -> tuple[float, float]:
        """The widest blank between two characters at ``a`` and ``b``; where ink runs through, the middle."""
        between = [blank for blank in self.blanks if blank[1] > a and blank[0] < b]
        return max(between, key=lambda blank: blank[1] - blank[0], default=((a + b) / 2, (a + b) / 2))


def _split(image: np.ndarray, box: Box) -> list[_Crop]:
    """Cut a text box where it is blank for longer than words are apart."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box.as_ints()
    x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if x2 - x1 < 2 or y2 - y1 < 2:
        return []
    if y2 - y1 > VERTICAL * (x2 - x1):
        return [_Crop((x1, y1, x2, y2), Box(x1, y1, x2, y2), ())]
    pixels = image[y1:y2, x1:x2]
    # A column has ink where it changes from top to bottom; the outer rows may hold the border of a control.
    margin = round((y2 - y1) * 0.12)
    core = pixels[margin : len(pixels) - margin] if len(pixels) > 2 * margin + 1 else pixels
    ink = np.ptp(core, axis=0).max(axis=1)
    ink = ink > max(14.0, 0.2 * float(np.percentile(ink, 95)))
    runs = [(x1 + start, x1 + stop) for start, stop in _runs(ink)]
    if not runs:
        return []
    blanks = tuple((a[1], b[0]) for a, b in pairwise(runs))
    wide = [blank for blank in blanks if blank[1] - blank[0] > COLUMN_GAP * (y2 - y1)]
    starts = [runs[0][0], *(blank[1] for blank in wide)]
    stops = [*(blank[0] for blank in wide), runs[-1][1]]
    crops = []
    for start, stop in zip(starts, stops, strict=True):
        pad = max(2, (y2 - y1) // 6)
        frame = (max(start - pad, 0), y1, min(stop + pad, width), y2)
        inner = tuple(blank for blank in blanks if start < blank[0] and blank[1] < stop)
        top, bottom = _rows(image[y1:y2, start:stop])
        crops.append(_Crop(frame, Box(start, y1 + top, stop, y1 + bottom), inner))
    return crops


def _rows(pixels: np.ndarray) -> tuple[int, int]:
    """The rows of a crop that hold its letters: not the border of a control above or below them."""
    ink = np.ptp(pixels, axis=1).max(axis=1)
    runs = _runs(ink > max(14.0, 0.2 * float(ink.max())))
    if not runs:
        return 0, len(pixels)
    if pixels.shape[1] < 1.2 * len(pixels):  # a character or an icon, which may well be of several parts
        return runs[0][0], runs[-1][1]
    top, bottom = max(runs, key=lambda run: int(ink[run[0] : run[1]].sum(dtype=np.int64)))
    for start, stop in [*reversed(runs), *runs]:  # dots and accents are near
        if start < bottom + ACCENT_GAP * len(pixels) and stop > top - ACCENT_GAP * len(pixels):
            top, bottom = min(top, start), max(bottom, stop)
    return top, bottom


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where a row of booleans is true, as half-open intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _lines(crop: _Crop, text: str, probability: np.ndarray, centers: np.ndarray) -> list[Element]:
    """Place the words of a recognised crop on its ink, and end a line where something else begins.

    A line ends at a gap too wide for its text, at ink that nothing was read from (an icon), and around a lone
    character that is doubtful (an icon again, misread).
    """
    left, top, right, bottom = crop.frame
    positions: list[float] = (left + centers * (right - left)).tolist()
    stretches = crop.stretches(LETTER_GAP * (bottom - top))
    owners = [_nearest(stretches, position) for position in positions]
    steps = [b - a for a, b, i, j in zip(positions, positions[1:], owners, owners[1:], strict=False) if i == j]
    advance = float(np.median(steps)) if steps else (bottom - top) / 3
    pieces = _pieces(text, owners)
    lines: list[list[int]] = []
    for index, (start, stop) in enumerate(pieces):
        if index > 0:
            before, after = pieces[index - 1][1] - 1, start
            gap = stretches[owners[after]][0] - stretches[owners[before]][1]
            wide = gap > TAB_GAP * (bottom - top) and positions[after] - positions[before] > TAB_ADVANCE * advance
            unread = owners[after] - owners[before] > 1
            alone = [a for a, b in (pieces[index - 1], (start, stop)) if b - a == 1]
            blank = crop.boundary(positions[before], positions[after])
            doubtful = blank[1] - blank[0] > SPACE * (bottom - top) and any(
                probability[a] < (SURE_ALONE if text[a] in ALONE else SURE) or (a == 0 and text[a] not in ALONE)
                for a in alone
            )
        if index == 0 or wide or unread or doubtful:
            lines.append([])
        lines[-1].append(index)

    def word(index: int) -> Word:
        start, stop = pieces[index]
        x1, x2 = stretches[owners[start]][0], stretches[owners[stop - 1]][1]
        before = positions[pieces[index - 1][1] - 1] if index > 0 else x1
        after = positions[pieces[index + 1][0]] if index + 1 < len(pieces) else x2
        # Ink that reaches far beyond the outer characters is an icon close by.
        if index > 0 or positions[start] - x1 > LETTER_REACH * (bottom - top):
            x1 = max(x1, crop.boundary(before, positions[start])[1])
        if index + 1 < len(pieces) or x2 - positions[stop - 1] > LETTER_REACH * (bottom - top):
            x2 = min(x2, crop.boundary(positions[stop - 1], after)[0])
        return Word(text[start:stop], Box(x1, crop.box.y1, max(x1, x2), crop.box.y2))

    words = [word(index) for index in range(len(pieces))]
    result = []
    for line in lines:
        start, stop = pieces[line[0]][0], pieces[line[-1]][1]
        box = Box(words[line[0]].box.x1, crop.box.y1, words[line[-1]].box.x2, crop.box.y2)
        confidence = float(np.mean(probability[start:stop]))
        result.append(
            Element(0, box, "text", text[start:stop], confidence=confidence, words=tuple(words[i] for i in line))
        )
    return result


def _pieces(text: str, owners: list[int]) -> list[tuple[int, int]]:
    """The words of a text, as half-open intervals of its characters: cut at spaces, where the ink stands apart and
    around square brackets ("counted.[1]")."""
    letters = np.array([character != " " for character in text])
    pieces = []
    for start, stop in _runs(letters):
        cuts = [start, *(i for i in range(start + 1, stop) if owners[i] != owners[i - 1] or _bracket(text, i)), stop]
        pieces.extend(pairwise(cuts))
    return pieces


def _bracket(text: str, i: int) -> bool:
    """Whether square brackets begin or have just ended at a character."""
    return text[i] == "[" or (text[i - 1] == "]" and text[i].isalnum())


def _nearest(stretches: list[tuple[float, float]], position: float) -> int:
    """The stretch that holds a position, or the one nearest to it."""
    return min(range(len(stretches)), key=lambda i: max(stretches[i][0] - position, position - stretches[i][1]))


def _in_parallel(recognise, crops: Iterable[_Crop], threads: int) -> Iterator[list[Element]]:
    """Results in order; when the caller stops, lines that have not begun are dropped."""
    pool = ThreadPoolExecutor(threads)
    try:
        futures: list[Future[list[Element]]] = [pool.submit(recognise, crop) for crop in crops]
        for future in futures:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@lru_cache
def _models() -> Path:
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("Reading text needs the package rapidocr: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0]) / "models"


def _session(name: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # waiting threads leave the cores to others
    options.enable_cpu_mem_arena = False  # every line has its own width, so an arena would only grow
    return onnxruntime.InferenceSession(str(_models() / name), options, providers=["CPUExecutionProvider"])
