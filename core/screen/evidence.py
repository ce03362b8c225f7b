"""What speaks for each element of a screen as the target of an instruction, as numbers between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.screen import sentences, thesaurus
from core.screen.elements import Element, IconGuess, Screen
from core.screen.instruction import Instruction, Relation, Role, Term
from core.screen.layout import labels, line_height, reading_order, relation, repeated
from core.screen.lexical import joined_alike, overlap, words

FEATURES = (
    "exact",  # the name is all that stands on it
    "wanted",  # share of the name's words that stand on it (or its label)
    "both",  # product of the two
    "sentence",  # cosine between what is asked and its text
    "meaning",  # the thesaurus joins its text to what is asked
    "icon",  # its icon bears the name, or a name that the thesaurus joins to what is asked
    "icon sentence",  # cosine between what is asked and what its icon stands for
    "role",  # it is the sort of control that is asked for
    "place",  # it lies where the instruction says
    "usual place",  # it lies where such a thing usually is
    "relation",  # it lies as asked to the named other thing
    "ordinal",  # it is the n-th of its like, as asked
    "clickable",
    "control",  # a button, icon or field rather than plain text
    "long",  # its text runs like a paragraph
    "labels another",  # it is the label of a control that is rather meant
)

NAMING = 0.3  # words that weigh more name the target; the others only say what to do or what sort of thing it is
LIKELY_ICON = 0.08  # less probable guesses of an icon are noise
PARAGRAPH = 14  # words from which a text counts fully as long

_ROLE_KINDS: Mapping[Role, Mapping[str, float]] = {
    "button": {"button": 1.0, "icon": 0.6, "text": 0.2},
    "icon": {"icon": 1.0, "image": 0.6, "button": 0.4},
    "link": {"text": 1.0, "button": 0.3},
    "tab": {"button": 0.8, "text": 0.8, "icon": 0.3},
    "field": {"field": 1.0},
    "checkbox": {"checkbox": 1.0, "icon": 0.2},
    "toggle": {"toggle": 1.0, "checkbox": 0.3},
    "image": {"image": 1.0, "icon": 0.6},
    "item": {"text": 0.6, "button": 0.6, "image": 0.3},
    "menu": {"button": 0.8, "icon": 0.8, "field": 0.6, "text": 0.5},
}


_LETTER_ICONS = {
    "x": "close", "×": "close", "✕": "close", "+": "plus", "-": "minus", "–": "minus", "—": "minus", "_": "minus",
    "q": "search", "b": "bold", "i": "italic", "u": "underline", "?": "help", "!": "warning", "<": "back",
    "‹": "back", "←": "back", ">": "forward", "›": "forward", "→": "forward", "...": "more horizontal",
    "…": "more horizontal", "•••": "more horizontal", "⋮": "more vertical", ":": "more vertical", "=": "menu",
    "≡": "menu", "☰": "menu", "@": "at sign", "#": "hash", "$": "dollar", "€": "euro", "▼": "caret down",
    "▾": "caret down", "v": "chevron down", "^": "chevron up", "♥": "heart", "♡": "heart", "★": "star", "☆": "star",
}  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """``values`` is float32 [elements, FEATURES]; ``reading`` is the relation it is based on, None for the whole."""

    values: np.ndarray
    reading: Relation | None


class ScreenEvidence:
    """A screen with what its elements need to be compared to an instruction, worked out once."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.elements = screen.elements
        self.unit = line_height(screen)
        self.labels = labels(screen)
        self.texts = [words(element.text) for element in self.elements]
        self.label_texts = [words(self.labels[e.id].text.text) if e.id in self.labels else [] for e in self.elements]
        self.label_strength = [self.labels[e.id].strength if e.id in self.labels else 0.0 for e in self.elements]
        # What to compare: an element's own text, else its label's.
        self.shown = [
            element.text or (self.labels[element.id].text.text if element.id in self.labels else "")
            for element in self.elements
        ]
        self.trust = np.array(
            [1.0 if e.text else strength for e, strength in zip(self.elements, self.label_strength, strict=True)],
            np.float32,
        )
        kinds = {element.id: element.kind for element in self.elements}
        self.labelling = {
            label.text.id for id, label in self.labels.items() if kinds[id] in ("field", "checkbox", "toggle")
        }
        self.icons = [_guesses(element) for element in self.elements]

    @cached_property
    def text_vectors(self) -> np.ndarray:
        """[elements, 384]: the meaning of each element's text or label, zeros where it has neither."""
        vectors = sentences.embed(self.shown)
        vectors[[not words(text) for text in self.shown]] = 0.0
        return vectors * self.trust[:, None]

    @cached_property
    def icon_vectors(self) -> np.ndarray:
        """[elements, 384]: the meaning of each element's icon, weighted with the guesses' probabilities."""
        names = sorted({guess.name for guesses in self.icons for guess in guesses})
        vectors = dict(zip(names, sentences.embed([_gloss(name) for name in names]), strict=True))
        total = np.zeros((len(self.elements), sentences.DIMENSIONS), np.float32)
        for row, guesses in zip(total, self.icons, strict=True):
            for guess in guesses:
                row += guess.probability * vectors[guess.name]
        return total

    def readings(self, instruction: Instruction) -> list[Evidence]:
        """Evidence for every reading of the instruction that the screen allows, at least one."""
        whole = max(
            (self._evidence(instruction, term) for term in instruction.terms or (Term((), ()),)),
            key=lambda values: values[:, :3].sum(1).max(initial=0.0),
        )
        readings = []
        for read in instruction.relations:
            values = self._related(instruction, read)
            if values is not None:
                readings.append(Evidence(values, read))
        if not any(evidence.reading.certain for evidence in readings):
            readings.insert(0, Evidence(whole, None))
        if instruction.ordinal is not None:
            for evidence in readings:
                self._mark_ordinal(evidence.values, instruction)
        return readings

    def _related(self, instruction: Instruction, read: Relation) -> np.ndarray | None:
        """Evidence for the head of a relation, or None where no element bears the anchor's name."""
        anchors = self._names(read.anchor)
        strength = np.sqrt(anchors[:, 0]) * np.maximum(anchors[:, 1], 0.5 * anchors[:, 0])
        if strength.max(initial=0.0) < 0.45:
            return None
        values = self._evidence(instruction, read.head, " ".join(read.head.words))
        named = values[:, [FEATURES.index(name) for name in ("both", "meaning", "icon")]].max(1)
        asked = max((w for word, w in zip(read.head.words, read.head.weights, strict=True)), default=0.0)
        if asked <= 0.25 or instruction.roles:
            named = np.maximum(named, 0.8 * values[:, FEATURES.index("role")])
        score = np.zeros(len(self.elements), np.float32)
        best = strength.max()
        for j in np.flatnonzero(strength >= 0.75 * best):
            anchor = self.elements[j].box
            for i, element in enumerate(self.elements):
                if named[i] > 0.2 and i != j and element.box.inside(anchor) < 0.5 and anchor.inside(element.box) < 0.5:
                    near = strength[j] / best * relation(element.box, anchor, read.side, self.unit)
                    score[i] = max(score[i], near)
        likely = named >= 0.5 * named.max(initial=0.0)
        if (top := score[likely].max(initial=0.0)) <= 0:
            return None
        values[:, FEATURES.index("relation")] = np.minimum(score / top, 1.0) * np.sqrt(named)
        return values

    def _names(self, term: Term) -> np.ndarray:
        """[elements, 2]: (share of the term found on the element or its label, share of the element's words named)."""
        wanted, weights = list(term.words), list(term.weights)
        shares = np.zeros((len(self.elements), 2), np.float32)
        for i, (text, label) in enumerate(zip(self.texts, self.label_texts, strict=True)):
            own = overlap(wanted, weights, text)
            by_label = tuple(self.label_strength[i] * share for share in overlap(wanted, weights, label))
            shares[i] = max(own, by_label, key=lambda pair: pair[0] * pair[1])
        return shares

    def _evidence(self, instruction: Instruction, term: Term, sentence: str | None = None) -> np.ndarray:
        sentence = sentence if sentence is not None else instruction.sentence
        values = np.zeros((len(self.elements), len(FEATURES)), np.float32)
        column = {name: values[:, i] for i, name in enumerate(FEATURES)}
        names = self._names(term)
        column["wanted"][:] = names[:, 0]
        column["both"][:] = names.prod(1)
        content = [word for word, weight in zip(term.words, term.weights, strict=True) if weight > NAMING]
        meanings = {number: share**0.5 for number, share in thesaurus.of_text(sentence).items()}
        if words(sentence):
            asked = sentences.embed([sentence])[0]
            column["sentence"][:] = np.maximum(self.text_vectors @ asked, 0.0)
            column["icon sentence"][:] = np.maximum(self.icon_vectors @ asked, 0.0)
        width, height = self.screen.size
        closeness = np.zeros(len(self.elements), np.float32)
        for i, element in enumerate(self.elements):
            text = self.texts[i] or self.label_texts[i]
            column["exact"][i] = self._exact(content, names[i], text)
            column["meaning"][i] = self.trust[i] * _shared(meanings, thesaurus.of_text(self.shown[i]))
            column["icon"][i] = _icon(self.icons[i], meanings, term)
            x, y = element.box.center.x / width, element.box.center.y / height
            closeness[i] = _closeness(x, y, instruction.place)
            column["usual place"][i] = self._usual_place(i, meanings, x, y)
            column["role"][i] = max((_ROLE_KINDS[role].get(element.kind, 0.0) for role in instruction.roles), default=0)
            column["clickable"][i] = element.clickable
            column["control"][i] = element.kind not in ("text", "image")
            column["long"][i] = min(1.0, max(0.0, len(self.texts[i]) - 4) / (PARAGRAPH - 4))
            column["labels another"][i] = element.id in self.labelling
        if instruction.place != (None, None):
            column["place"][:] = self._place(values, closeness)
        return values

    def _place(self, values: np.ndarray, closeness: np.ndarray) -> np.ndarray:
        """Closeness to the wished place, half by itself and half as compared with the others that fit: the topmost
        of three that bear the name is "at the top", wherever they are."""
        named = values[:, [FEATURES.index(name) for name in ("both", "meaning", "icon", "role")]].max(1)
        fitting = closeness[named >= 0.5 * named.max(initial=0.0)]
        spread = fitting.max() - fitting.min()
        compared = np.clip((closeness - fitting.min()) / spread, 0.0, 1.0) if spread > 0 else (closeness >= fitting.max())
        return 0.5 * closeness + 0.5 * compared

    def _exact(self, content: list[str], shares: np.ndarray, text: list[str]) -> float:
        if not content or not text:
            return 0.0
        if shares[0] > 0.8 and shares[1] > 0.95:
            return 1.0
        return joined_alike(content, text)

    def _usual_place(self, index: int, meanings: Mapping[int, float], x: float, y: float) -> float:
        """How close an element of a meaning that was asked for lies to where such things are."""
        own = dict(thesaurus.of_text(self.shown[index]))
        for guess in self.icons[index]:
            for number, share in thesaurus.of_icon(guess.name).items():
                own[number] = max(own.get(number, 0.0), share * guess.probability)
        best = 0.0
        for number, share in own.items():
            place = thesaurus.meanings()[number].place
            if number in meanings and place != (None, None):
                best = max(best, share * meanings[number] * _closeness(x, y, place))
        return best

    def _mark_ordinal(self, values: np.ndarray, instruction: Instruction) -> None:
        """Set the feature "ordinal" of the n-th among the elements that fit about as well as the best one.

        Where the words name nothing but a sort of thing ("the second result"), the n-th of what repeats is meant.
        """
        names = [FEATURES.index(name) for name in ("both", "meaning", "icon")]
        evidence = values[:, names].max(1) + 0.5 * values[:, FEATURES.index("role")]
        ordinal = instruction.ordinal
        named = any(weight > NAMING for term in instruction.terms for weight in term.weights)
        pool = [self.elements[i] for i in np.flatnonzero(evidence >= 0.8 * evidence.max(initial=0.0))]
        position = ordinal - 1 if ordinal > 0 else ordinal
        if not named or evidence.max(initial=0.0) < 0.4 or not -len(pool) <= position < len(pool):
            pool = repeated(self.elements, self.unit)
        ordered = reading_order(pool, self.unit)
        if -len(ordered) <= position < len(ordered) > 1:
            values[self.elements.index(ordered[position]), FEATURES.index("ordinal")] = 1.0


def _gloss(icon: str) -> str:
    """What an icon stands for, in words: its name and what its surest meaning is called."""
    found = thesaurus.of_icon(icon)
    if not found:
        return icon
    number = max(found, key=lambda number: found[number])
    return ", ".join((icon, *thesaurus.meanings()[number].phrases[:3]))


def _shared(asked: Mapping[int, float], own: Mapping[int, float]) -> float:
    return max((share * asked[number] for number, share in own.items() if number in asked), default=0.0)


def _guesses(element: Element) -> tuple[IconGuess, ...]:
    """What the element's icon may show. A recogniser takes plain icons for letters: a cross for an X."""
    likely = tuple(
        IconGuess(guess.name, min(guess.probability, 1.0)) for guess in element.icons if guess.probability >= LIKELY_ICON
    )
    if not likely and (name := _LETTER_ICONS.get(element.text.strip().lower())):
        return (IconGuess(name, 0.7),)
    return likely


def _icon(guesses: tuple[IconGuess, ...], meanings: Mapping[int, float], term: Term) -> float:
    """How probably the icon is what is asked for."""
    total = 0.0
    for guess in guesses:
        wanted, found = overlap(list(term.words), list(term.weights), words(guess.name))
        total += guess.probability * max(wanted * found, _shared(meanings, thesaurus.of_icon(guess.name)))
    return min(total, 1.0)


def _closeness(x: float, y: float, place: tuple[float | None, float | None]) -> float:
    """1 at the place, falling linearly to 0 across the screen; 0 where none is asked for."""
    near = [1 - abs(at - wished) for at, wished in zip((x, y), place, strict=True) if wished is not None]
    return min(max(float(np.prod(near)), 0.0), 1.0) if near else 0.0
