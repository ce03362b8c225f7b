"""What speaks for each element of a screen as bearing a name that is asked for, as numbers between 0 and 1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from core.geometry import Size
from core.screen import sentences, thesaurus
from core.screen.described import DescribedScreen
from core.screen.elements import Element, IconGuess
from core.screen.glossary import in_english, is_deed, unspaced
from core.screen.instruction import ENTRY, NO_DEEDS, SORT, Instruction, Role, Term, without_roles
from core.screen.layout import control_beside, title_of
from core.screen.lexical import (
    FUNCTION_WORDS,
    INFLECTED,
    LEADING_VERBS,
    SHORTENED,
    alike,
    joined_alike,
    opposed,
    overlap,
    stem,
    ways,
    words,
)
from core.screen.places import Place

FEATURES = (
    "exact",  # the name is all that stands on it
    "wanted",  # share of the name's words that stand on it (or its label)
    "both",  # that share times the share of its words that are named
    "phrase",  # several words stand on it, and all of them are named: counts fully from three words
    "sentence",  # how far the likeness of what is asked and what it says goes beyond that of unlike texts
    "meaning",  # the thesaurus joins what it says to what is asked
    "leads",  # the thesaurus knows it to lead to what is asked for, which is not itself to be seen
    "icon",  # its icon bears the name, or a name that the thesaurus joins to what is asked
    "icon sentence",  # likewise, of what is asked and what its icon stands for
    "role",  # it is the sort of control that is asked for
    "place",  # it lies where the instruction says
    "usual place",  # it lies where such a thing usually is
    "usual order",  # an unknown icon stands where the first tools of most programs do
    "under its title",  # what else the name says stands above it or before it
    "relation",  # it lies as asked to the named other thing
    "ordinal",  # it is the n-th of its like, as asked
    "clickable",
    "control",  # a button, icon or field rather than plain text
    "long",  # its text runs like a paragraph
    "lacks the name",  # it bears none of the capitals or digits that the name has and other elements bear
    "part of a name",  # a longer name, of which this is a part, is asked for and stands on the screen
    "labels another",  # it is the label of a control that is rather meant
    "lacks the deed",  # what is to be done is not what it does, but what another element does
    "undone",  # its text does not say what is to be done, whether or not another element does
    "goes the other way",  # "rotate right" for "turn it to the left"
    "only its owner",  # it is what the target belongs to, and near it stands what bears the target's own name
    "one of many",  # its text stands again and again in its column or row: a person would say which
    "lacks the role",  # another element is a switch or a field, as asked, and it is not
)

NAMING = 0.3  # words that weigh more name the target; the others only say what to do or what sort of thing it is
ANCHOR = 0.35  # an anchor named less well than this is not on the screen
FITTING = 0.5  # what bears the name at least this well, compared with the best, is a rival of the best
OBJECT_SENTENCE = 0.7  # of a likeness in meaning, where something is to be done that the element does not say
OBJECT_NAME = 0.6  # of a likeness in letters, likewise: "Documents" is not what saves the document
VERB = 0.6  # how much a name it is that what is to be done is all that stands on an element
DOES = 0.15  # what does the deed less surely than this does not do it
DONE = 0.3  # what does it at least so surely may be meant for sure
UNASKED = 0.5  # what it counts that a text labels a control, where no sort of control is asked for
SHOWN = 1.5  # times how surely the thing itself is to be seen, what leads to it is not meant
MISREAD = 0.84  # how alike a word on the screen is at least to one that the name has
SPELT = 0.8  # a likeness in meaning for each likeness in letters
FUNCTION_SHARE = 0.1  # unknown words of less of a name are taken for grammar
TILE = 150.0  # squares of a line's height that a tile takes at most
TITLED = 0.8  # what is asked for under a title bears nothing but a share of the name as large as this
TITLE_WORDS = 4
DISORDERED = 0.8  # what a phrase counts that does not stand in the instruction word by word
LINKED = 0.5  # what it counts against a line that it is long, where the name stands in it word by word, as links do
WRITTEN_OUT = 0.5  # what icons lose where the name is all that is written somewhere
RUN = 0.8  # how well a longer text bears a name that stands in it word by word
UNLIKE, UNLIKE_ICON = 0.1, 0.3  # likenesses up to these, weighted with how sure text and icon are, say nothing
BESIDE = 0.9  # how surely the control beside a name is the one it names, where such a control is asked for
PARAGRAPH = 14  # words from which a text counts fully as long

KNOWN_ICON = 0.3  # a guess from this probability on tells what the icon is
_FIRST_TOOLS: Mapping[str, Mapping[int, float]] = {
    "new": {0: 1.0},
    "save": {2: 1.0, 3: 0.3},
    "print": {3: 0.7, 4: 1.0, 5: 0.5},
}
"""What the first tools of most programs do -> places in the first toolbar, from 0, each with how usual it is. "Open" is
left out: one opens all sorts of things."""

_ROLE_KINDS: Mapping[Role, Mapping[str, float]] = {
    "button": {"button": 1.0, "icon": 0.6, "text": 0.2},
    "icon": {"icon": 1.0, "image": 0.6, "button": 0.4},
    "link": {"text": 1.0, "button": 0.3},
    "tab": {"button": 0.8, "text": 0.8, "field": 0.6, "icon": 0.3},
    "field": {"field": 1.0},
    "checkbox": {"checkbox": 1.0, "icon": 0.2},
    "toggle": {"toggle": 1.0, "checkbox": 0.3},
    "image": {"image": 1.0, "icon": 0.6},
    "item": {"text": 0.6, "button": 0.6, "image": 0.3},
    "menu": {"button": 0.8, "icon": 0.8, "field": 0.6, "text": 0.5},
}

_MENU_ICONS = frozenset("menu/more horizontal/more vertical/caret down/chevron down/bulleted list".split("/"))

_LABELLED: Mapping[Role, tuple[tuple[str, ...], ...]] = {
    "field": (("field", "button", "text"),),
    "checkbox": (("checkbox",), ("icon",)),
    "toggle": (("toggle",), ("checkbox", "icon", "button")),
}
"""The sorts of control that bear their names beside them -> the kinds of element that may be one, likelier first."""
_SELF_NAMED: frozenset[Role] = frozenset({"tab", "link", "button"})
"""The sorts that bear their names themselves: a text that looks like another's label may well be one."""
# A list that is a control, not one that has entries ("in the result list").
_LIST_BOX = re.compile(r"(?<!\bthe )(?<!\bresult )(?<!\bresults )\blist\b")
_OPENING = frozenset("open visit read go view jump follow".split())
"""What is not done to a check box or an empty field."""
NAMING_FEATURES = ("exact", "wanted", "both", "phrase", "sentence", "meaning")
"""What speaks for an element by what stands on it."""

Values = dict[str, np.ndarray]
"""Feature -> float32 [elements]."""


def _beyond(base: float, cosines: np.ndarray) -> np.ndarray:
    """How far cosines go beyond what unlike texts have, 0..1."""
    return np.maximum(cosines - base, 0.0) / (1.0 - base)


def sentence_of(term: Term) -> str:
    return unspaced(term.words)


def _bears(name: str, read: str) -> bool:
    """Whether a word on the screen is one of a name, perhaps misread; "Train" is not "Trains"."""
    return name == read or (alike(name, read) >= MISREAD and stem(name) != stem(read))


def bears_name(values: Values) -> np.ndarray:
    """[elements]: how well an element is named, by its text, what that means, or its icon."""
    return np.maximum.reduce([values["both"], values["meaning"], values["icon"]])


def compare(known: DescribedScreen, size: Size, instruction: Instruction, term: Term, sentence: str) -> Values:
    """Evidence for elements that bear the name ``term`` and do what ``sentence`` asks."""
    elements = known.elements
    if instruction.foreign:
        sentence = without_roles(in_english(sentence), instruction.roles)
    values = {name: np.zeros(len(elements), np.float32) for name in FEATURES}
    shares = shares_of(known, term)
    values["wanted"][:] = shares[:, 0]
    values["both"][:] = shares.prod(1)
    holding = holds(known, term)
    values["both"][:] = np.maximum(values["both"], RUN * holding)
    values["phrase"][:] = shares[:, 1] ** 2 * np.clip((shares[:, 1] * known.counts - 1) / 2, 0.0, 1.0)
    standing = np.array([_stands(listed, instruction.words) for listed in known.words])
    values["phrase"][~standing] *= DISORDERED
    content = [word for word, weight in zip(term.words, term.weights, strict=True) if weight > NAMING]
    marked = [word for word, weight in zip(term.words, term.weights, strict=True) if weight > 1.0]
    # "The recipe for the tart" asks for no recipes.
    told = ENTRY in term.weights and term.words[0] in LEADING_VERBS | FUNCTION_WORDS
    said = (
        unspaced(w for w, weight in zip(term.words, term.weights, strict=True) if weight > ENTRY) if told else sentence
    )
    meanings, leading = thesaurus.of_request(said), thesaurus.leading_to(said)
    if words(sentence):
        asked = sentences.embed([sentence])[0]
        values["sentence"][:] = _beyond(UNLIKE, known.text_vectors @ asked)
        # Of numbers and scripts that the encoder does not read, the letters have to tell.
        values["sentence"][known.unread] = SPELT * values["both"][known.unread]
        values["icon sentence"][:] = _beyond(UNLIKE_ICON, known.icon_vectors @ asked)
    # What a button says tells more than the icon beside it, and the two together no more than one of them.
    lettered = known.bareness
    values["icon sentence"] *= lettered
    numbers = [word for word in marked if word.isdigit() and len(word) > 1]
    if any(number in listed for number in numbers for listed in known.words):
        marked = numbers  # another invoice of that name is another one
    bearing, by_label = (
        np.array([any(_bears(a, b) for a in marked for b in listed) for listed in texts])
        for texts in (known.words, known.label_words)
    )
    if bearing.any():
        values["lacks the name"][:] = ~(bearing | by_label)
    closeness = np.zeros(len(elements), np.float32)
    way = ways(sentence)
    opening = not instruction.roles and not _OPENING.isdisjoint(words(sentence)[:1])
    verb = [word for word in words(sentence)[:1] if not term.whole and word not in NO_DEEDS]
    if instruction.roles & _SELF_NAMED:
        labelling = 0.0
    else:
        labelling = 1.0 if instruction.roles or _LIST_BOX.search(sentence.lower()) else UNASKED
    for i, element in enumerate(elements):
        x, y = element.box.center.x / size[0], element.box.center.y / size[1]
        own = thesaurus.of_text(known.meant[i])
        written = (_exact(content, shares[i], known.words[i]), _exact(content, shares[i], known.label_words[i]))
        values["exact"][i] = max(written[0], written[1] * known.label_strength[i])
        if verb and known.words[i] == verb:
            values["exact"][i] = max(values["exact"][i], VERB)
        if marked and sorted(marked) == sorted(known.words[i]):
            values["exact"][i] = 1.0
        elif marked and element.id in known.captioned and sorted(marked) == sorted(known.label_words[i]):
            values["exact"][i] = max(values["exact"][i], known.label_strength[i])
        if opening and (element.kind == "checkbox" or (element.kind == "field" and not element.text)):
            values["lacks the role"][i] = 1.0
        values["meaning"][i] = known.trust[i] * _shared(meanings, own)
        values["leads"][i] = known.trust[i] * _shared(leading, own) ** 0.5
        fitting = tuple(guess for guess in known.icons[i] if not opposed(way, guess.name))
        values["icon"][i] = lettered[i] * _icon(fitting, meanings, term)
        if way:
            contrary = sum(guess.probability for guess in known.icons[i]) - sum(guess.probability for guess in fitting)
            values["goes the other way"][i] = max(float(opposed(way, known.says[i])), lettered[i] * contrary)
        values["role"][i] = max((_role(known, element, role) for role in instruction.roles), default=0.0)
        values["usual place"][i] = _usual_place(own, known.icons[i], meanings, x, y)
        values["usual order"][i] = _usual_order(known, element, sentence)
        values["clickable"][i] = element.clickable
        values["control"][i] = element.kind in ("button", "icon", "field")
        values["long"][i] = _prose(element.text, len(known.words[i]))
        ticked = opening and known.labelling.get(element.id) == "checkbox"
        values["labels another"][i] = labelling * (element.id in known.labelling and not ticked)
        closeness[i] = _closeness(x, y, instruction.place)
    if instruction.foreign:
        _weigh_unknown(known, values, term, instruction.unknown)
    for role in instruction.roles & _LABELLED.keys():
        _name_controls(known, values, _LABELLED[role])
    if instruction.roles != {"menu"}:
        values["leads"] *= 1.0 - min(SHOWN * bears_name(values).max(), 1.0)
    deeds = frozenset()
    acting = instruction.roles != {"field"} and (not instruction.foreign or is_deed(sentence))
    if acting and (deeds := thesaurus.deeds(sentence) or thesaurus.makings(sentence)):
        does = _does(known, deeds, sentence)
        values["sentence"][does < 0.5] *= OBJECT_SENTENCE
        if not marked and not term.whole:
            values["undone"][:] = (does < DONE) & (known.counts > 0)
            for name in ("exact", "wanted", "both", "phrase"):
                values[name][does < 0.5] *= OBJECT_NAME
        if does.max() >= DOES:
            values["lacks the deed"][:] = (1 - does / does.max()) * does.max() ** 0.5
    values["long"][holding] *= LINKED
    values["part of a name"][:] = _part_of_a_name(known, standing)
    if not deeds:
        values["under its title"][:] = _under_title(known, term, shares)
    if not deeds or term.whole or not instruction.relations:
        written_out = float((values["exact"] * values["both"]).max())
        for feature in ("icon", "icon sentence"):
            values[feature][values["both"] < FITTING] *= 1.0 - WRITTEN_OUT * written_out
    if instruction.roles & {"toggle", "field", "checkbox"} and values["role"].max() == 1.0:
        values["lacks the role"][:] = (values["role"] < 0.3) & (values["labels another"] == 0)
    if instruction.roles == {"menu"} and known.menu_bar:
        values["lacks the role"][:] = values["role"] < 0.5
    if instruction.place != (None, None):
        values["place"][:] = _place(values, closeness)
    return values


def _part_of_a_name(known: DescribedScreen, standing: np.ndarray) -> np.ndarray:
    """[elements], bool: whether an element's words are part of those of another, and these stand in the instruction."""

    names = {tuple(known.words[i]) for i in np.flatnonzero(standing) if known.words[i]}
    parts = {name for name in names if any(len(other) > len(name) and _stands(name, other) for other in names)}
    return np.array([tuple(listed) in parts for listed in known.words])


def _stands(name: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the words of a name stand one after the other among others."""
    name, whole = tuple(name), tuple(whole)
    return any(whole[i : i + len(name)] == name for i in range(len(whole) - len(name) + 1))


def _under_title(known: DescribedScreen, term: Term, shares: np.ndarray) -> np.ndarray:
    """[elements], 0..1: how near above an element, or before it in its row, stands what the name says beyond the
    element's own text: the "standard width" is the "Standard" below "Width"."""
    found = np.zeros(len(known.elements), np.float32)
    named = [w for w, weight in zip(term.words, term.weights, strict=True) if weight > ENTRY and _telling(w)]
    titles = [j for j, listed in enumerate(known.words) if listed and len(listed) <= TITLE_WORDS]
    saying: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for i in np.flatnonzero((shares[:, 1] > TITLED) & (shares[:, 0] < 1.0)):
        own = {*known.words[i], *known.label_words[i]}
        missing = tuple(word for word in named if not any(alike(word, other) >= SHORTENED for other in own))
        if not missing or len(missing) == len(named):
            continue
        if missing not in saying:
            told = ((j, sum(any(alike(w, o) >= INFLECTED for o in known.words[j]) for w in missing)) for j in titles)
            saying[missing] = [(j, count / len(missing)) for j, count in told if count]
        for j, share in saying[missing]:
            if i != j:
                found[i] = max(found[i], share * title_of(known.text_boxes[j], known.text_boxes[i], known.unit))
    return found


def _weigh_unknown(known: DescribedScreen, values: Values, term: Term, unknown: frozenset[str]) -> None:
    """Of words that could not be put in English, the letters have to tell, as much as they are of the name."""
    told = {word: weight for word, weight in zip(term.words, term.weights, strict=True) if word in unknown}
    if not told or (share := sum(told.values()) / sum(term.weights)) < FUNCTION_SHARE:
        return
    listed, weights = list(told), list(told.values())
    for feature in ("sentence", "icon sentence", "meaning", "leads", "icon"):
        values[feature] *= 1 - share
    for i, guesses in enumerate(known.icons):
        values["sentence"][i] += share * SPELT * np.prod(overlap(listed, weights, known.words[i]))
        by_icon = sum(guess.probability * np.prod(overlap(listed, weights, words(guess.name))) for guess in guesses)
        values["icon"][i] += share * known.bareness[i] * by_icon


def _name_controls(known: DescribedScreen, values: Values, kinds: tuple[tuple[str, ...], ...]) -> None:
    """What stands beside the name is meant, whatever it looks like, where no control is known to bear it."""
    most = values["both"].max()
    if most < ANCHOR or (values["both"][values["role"] > FITTING] >= 0.8 * most).any():
        return
    for j in np.flatnonzero(values["both"] >= 0.9 * most):
        if known.elements[j].kind != "text":
            continue
        found = (control_beside(known.elements[j], known.elements, some, known.unit) for some in kinds)
        beside = next((control for control in found if control), None) or _only_on_its_panel(known, j, kinds[0])
        if beside is None:
            continue
        i = known.elements.index(beside)
        for feature in NAMING_FEATURES:
            values[feature][i] = max(values[feature][i], BESIDE * values[feature][j])
        values["role"][i] = max(values["role"][i], BESIDE)
        values["lacks the name"][i] = 0.0
        values["labels another"][j] = 1.0


def _only_on_its_panel(known: DescribedScreen, text: int, kinds: tuple[str, ...]) -> Element | None:
    """The control on the smallest panel that holds a text and any such control, where there is one alone: the switch of
    a tile."""
    controls = [i for i, element in enumerate(known.elements) if element.kind in kinds and i != text]
    shared = known.shared_panels([text])[controls]
    if not len(shared) or shared.min() > TILE * known.unit**2 or (shared == shared.min()).sum() > 1:
        return None
    return known.elements[controls[int(shared.argmin())]]


def _role(known: DescribedScreen, element: Element, role: Role) -> float:
    """How surely an element is such a control, 0..1. Where there is a menu bar, menus are rather there."""
    if role == "menu" and known.menu_bar:
        return 1.0 if element.id in known.menu_bar else 0.5 * _ROLE_KINDS[role].get(element.kind, 0.0)
    if role == "menu" and element.kind == "icon":
        return _ROLE_KINDS[role]["icon"] * (
            1.0 if any(guess.name in _MENU_ICONS for guess in element.icons[:2]) else 0.5
        )
    if role == "field" and (element.id in known.values or element.id in known.captioned):
        return 0.8
    return _ROLE_KINDS[role].get(element.kind, 0.0)


def _does(known: DescribedScreen, deeds: frozenset[int], sentence: str) -> np.ndarray:
    """[elements], 0..1: how surely each does one of the deeds, by its text or its icon."""
    asked = dict.fromkeys(deeds, 1.0)
    verb = words(sentence)[:1]
    does = np.zeros(len(known.elements), np.float32)
    for i, listed in enumerate(known.words):
        by_icon = sum(guess.probability * _shared(asked, thesaurus.of_icon(guess.name)) for guess in known.icons[i])
        by_text = known.trust[i] * _shared(asked, thesaurus.of_text(known.meant[i])) ** 0.5
        does[i] = max(
            by_text, known.bareness[i] * by_icon, float(bool(listed) and overlap(verb, [1.0], listed)[0] > 0.9)
        )
    return np.minimum(does, 1.0)


def shares_of(known: DescribedScreen, term: Term) -> np.ndarray:
    """[elements, 2]: (share of the term found on the element or its label, share of the element's words named)."""
    wanted, weights = list(term.words), list(term.weights)
    named = [word for word, weight in zip(wanted, weights, strict=True) if weight != SORT]
    shares = np.zeros((len(known.elements), 2), np.float32)
    for i, (own, label, strength) in enumerate(zip(known.words, known.label_words, known.label_strength, strict=True)):
        by_own = overlap(wanted, weights, own, known.vocabulary)
        by_label = tuple(strength * share for share in overlap(wanted, weights, label, known.vocabulary))
        # A recogniser glues and splits words: "Goto file" for "Go to file".
        glued = joined_alike(named, own) if len(named) != len(own) else 0.0
        shares[i] = max(by_own, by_label, (glued, glued), key=lambda pair: pair[0] * pair[1])
    return shares


def holds(known: DescribedScreen, term: Term) -> np.ndarray:
    """Whether the name stands word by word in a longer text, bool [elements]; names of one word say too little, and
    ideographs are words of their own."""
    name = [word for word in term.words if _telling(word)]
    found = np.zeros(len(known.elements), bool)
    if len(name) > 1 and all(len(word) > 1 for word in name):
        for i, listed in enumerate(known.words):
            text = [word for word in listed if _telling(word)]
            found[i] = len(text) > len(name) and _stands(name, text)
    return found


def _telling(word: str) -> bool:
    return word not in FUNCTION_WORDS and word not in LEADING_VERBS


def _exact(content: list[str], shares: np.ndarray, listed: list[str]) -> float:
    """How surely the name is all that is written, glued or split words included."""
    if not content or not listed:
        return 0.0
    return 1.0 if shares[0] > 0.8 and shares[1] > 0.95 else joined_alike(content, listed)


def _shared(asked: Mapping[int, float], own: Mapping[int, float]) -> float:
    """The strength of the strongest meaning that both have."""
    return max((share * asked[number] for number, share in own.items() if number in asked), default=0.0)


def _icon(guesses: tuple[IconGuess, ...], asked: Mapping[int, float], term: Term) -> float:
    """How probably the icon is what is asked for."""
    total = 0.0
    for guess in guesses:
        wanted, found = overlap(list(term.words), list(term.weights), words(guess.name))
        total += guess.probability * max(wanted * found, _shared(asked, thesaurus.of_icon(guess.name)))
    return min(total, 1.0)


def _closeness(x: float, y: float, place: Place) -> float:
    """1 at the place, falling linearly to 0 across the screen; 0 where none is asked for."""
    near = [1 - abs(at - wished) for at, wished in zip((x, y), place, strict=True) if wished is not None]
    return min(max(float(np.prod(near)), 0.0), 1.0) if near else 0.0


def _place(values: Values, closeness: np.ndarray) -> np.ndarray:
    """Closeness to the wished place, half by itself and half as compared with the others that fit: the topmost of
    three that bear the name is "at the top", wherever they are."""
    named = np.maximum(bears_name(values), values["role"])
    fitting = closeness[named >= FITTING * named.max()]
    low, high = fitting.min(), fitting.max()
    compared = np.clip((closeness - low) / (high - low), 0.0, 1.0) if high > low else closeness >= high
    return 0.5 * closeness + 0.5 * compared


def _usual_place(
    own: Mapping[int, float], icons: tuple[IconGuess, ...], asked: Mapping[int, float], x: float, y: float
) -> float:
    """How close an element of a meaning that is asked for lies to where such things usually are."""
    bearing = dict(own)
    for guess in icons:
        for number, share in thesaurus.of_icon(guess.name).items():
            bearing[number] = max(bearing.get(number, 0.0), share * guess.probability)
    return max(
        (
            share * asked[number] * _closeness(x, y, thesaurus.meanings()[number].place)
            for number, share in bearing.items()
            if number in asked
        ),
        default=0.0,
    )


def _usual_order(known: DescribedScreen, element: Element, sentence: str) -> float:
    """How usually the tool that is asked for stands where the element does, 0 where the icon itself is known."""
    place = known.tools.get(element.id)
    if place is None or any(guess.probability > KNOWN_ICON for guess in element.icons):
        return 0.0
    asked = words(sentence)[:3]
    return max((places.get(place, 0.0) for verb, places in _FIRST_TOOLS.items() if verb in asked), default=0.0)


def _prose(text: str, count: int) -> float:
    """How much a text of ``count`` words runs like a paragraph rather than naming something to click."""
    sentence = 0.6 if count > 3 and (text[:1].islower() or text.rstrip()[-1:] in ".?!,;") else 0.0
    return max(sentence, min(1.0, max(0.0, count - 4) / (PARAGRAPH - 4)))
