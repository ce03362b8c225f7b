"""Reads an instruction such as "click the second Save button at the top right" into its parts, by rules alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.screen.glossary import deed_and_object, in_english, is_deed, is_foreign, translations, unspaced
from core.screen.lexical import FUNCTION_WORDS, LEADING_VERBS, MAKING_VERBS, words
from core.screen.places import Place, take_place

Role = Literal["button", "icon", "link", "tab", "field", "checkbox", "toggle", "image", "item", "menu"]
Deed = Literal["", "known", "shown"]
Side = Literal["near", "left", "right", "above", "below", "of", "in"]

SORT = 0.25  # what a word counts that says only what sort of thing is meant
FUNCTION = 0.1  # what an article or a preposition counts
STEP = 3  # words of the first step on a path through menus, at most
LONGEST = 600  # characters that are read: what is meant stands at the beginning

# Verbs that only say "click": never part of the name.
_POINTING = (
    "click on|click (?:in|into|inside)(?= the\\b)|click|double click|right click|tap on|tap|press on|press|hit|push|"
    "touch|select|choose|pick|activate|"
    "locate|point to|point at|hover over|move to|(?:put|place|set) the cursor (?:in|into|inside|on)|focus on|"
    "点击|单击|点一下|点按|点|按|选择|打开|انقر على|انقر|اضغط على|اضغط|"
    r"follow(?=.*\blink\b)|(?:(?:go|jump|switch|move) back|return) to(?=(?: [\w'-]+){0,3} (?-i:[A-Z]))|"
    "haz clic en|clic en|pulsa|toca|selecciona|elige|"
    "cliquez sur|cliquer sur|clique sur|clique dans|appuie sur|appuyez sur|sélectionne|choisis|"
    "klicke auf|klick auf|klicke in|klick in|wechsle zum|wechsle zur|wechsle zu|gehe zum|gehe zur|gehe zu|"
    "klicken sie auf|tippe auf|tippen sie auf|wähle|drücke|drück auf"
)
# Those of them that do stand on controls: "Select all", "Choose file".
_NAMING_TOO = ("select", "choose", "pick", "activate", "locate", "move to", "push")
_POLITE = (
    "please|kindly|can you|could you|would you|will you|i want to|i would like to|i'd like to|i need to|i wish to|"
    "let's|let us|try to|now|go ahead and|help me|help me to|请|帮我|من فضلك"
)
_POLITELY = re.compile(rf"^(?:(?:{_POLITE})(?:\b|(?<=[^\x00-\x7f]))[ ,]*)+", re.I)
# "Where do I ...", "Which menu has ...": what follows is asked for, of the sort that is named.
_ASKING = re.compile(
    r"(?:where(?:'s| is| are)|(?:where|how) (?:do|can|could|would|should|might) (?:i|we|you|one)(?: find| see)?|how to|"
    r"(?:which|what|in which|in what|under which) (?P<sort>menu|button|icon|tab|link|option|entry|item|field)"
    r"(?: (?:do|can|could|should|would) (?:i|we|you|one)(?: find| see)?|"
    r"(?: \w+)?? (?:lets|allows|tells|shows|gives|helps) (?:me|us|you)(?: to)?|"
    r" (?:has|holds|contains|offers|opens|is|leads to|takes me to|brings me to)(?: for)?)?)\b ?(?=\S)",
    re.I,
)
_TYPING = (
    "type in|type|enter|input|fill in|fill out|fill|key in|write into|write in|(?:write|insert|put)(?= ['\"“‘])|"
    "输入|اكتب"
)
_ROLE_WORDS: dict[str, Role] = {
    "button": "button", "btn": "button", "icon": "icon", "symbol": "icon", "glyph": "icon", "logo": "image",
    "link": "link", "tab": "tab", "field": "field", "box": "field", "bar": "field",
    "input": "field", "textbox": "field", "textarea": "field", "searchbox": "field", "checkbox": "checkbox",
    "tickbox": "checkbox", "radio": "checkbox", "toggle": "toggle", "switch": "toggle", "slider": "toggle",
    "image": "image", "picture": "image", "photo": "image", "thumbnail": "image", "avatar": "image",
    "item": "item", "entry": "item", "result": "item", "row": "item", "card": "item", "menu": "menu",
    "dropdown": "field", "combobox": "field", "option": "item", "tool": "icon",
    "按钮": "button", "图标": "icon", "搜索框": "field", "输入框": "field", "文本框": "field", "复选框": "checkbox",
    "链接": "link", "选项卡": "tab", "开关": "toggle",
    "schaltfläche": "button", "knopf": "button", "feld": "field", "suchfeld": "field", "eingabefeld": "field",
    "reiter": "tab", "kontrollkästchen": "checkbox", "schalter": "toggle",
    "menü": "menu", "menú": "menu", "菜单": "menu",
    "bouton": "button", "onglet": "tab", "botón": "button", "campo": "field", "pestaña": "tab",
}  # fmt: skip
# Words for the place something is in or the sort of thing it is: they say little about its name.
_CONTAINERS = frozenset(
    "page section panel category style window screen app application website site program area dialog popup tabs "
    "buttons icons links corner side list view button one control element".split()
)
_THINGS = (
    "post message mail email video clip song track file item product article entry note task event conversation chat "
    "folder channel album story thread lesson episode order invoice ticket issue tag label category chapter playlist "
    "contact customer project board branch city station recipe question answer headline report review book course "
    "movie film game document job trip flight hotel keyword brand schema stage step topic layer date profile row cell "
    "line card transaction payment table timer alarm appointment meeting supplier seller airline author artist genre "
    "revision listing offer"
).split()
"""What an entry of a list may be, and is then told by its name."""
_THING = "|".join(_THINGS)
# What an entry of a list is, or how it came about: it tells less of which one than the other words do.
_ENTRIES = frozenset([*_THINGS, *"photo picture image comment wrote said posted sent written".split()])
# What is somebody's or about something, and told by that.
_ENTRY_OF = re.compile(
    rf"(?<!\bthis )(?<!\banother )(?<!\bnext )(?<!\bfollowing )\b({_THING}) "
    r"(?:(?:of|with|by|about|on|for|from|at|called|named|titled)\b|to (?=[A-Z]))"
)
# "the trip that starts from Linden"
_ENTRY_THAT = re.compile(rf"\b({_THING}) (?:that|which|who) ([a-z]+)\b")
# "the lesson Two greys", "order #41876"
_ENTRY_NAMED = re.compile(rf"\b(?:the|this|my) ({_THING}) (?=[A-Z])")
_ENTRY_NUMBERED = re.compile(rf"\b({_THING}) (?=[#\d])")
# "the customers table", "the table orders_archive", "the tag cron on the question"
_ENTRY_LAST = re.compile(
    r"\bthe (?:[\w-]+ )+(table|row|cell|chat|timer|keyword|tag|schema|stage|step)$|"
    rf"\bthe ({_THING}) (?!(?:{'|'.join(sorted({*_ROLE_WORDS, *_CONTAINERS, *FUNCTION_WORDS, 'list'}))})\b)[\w-]+"
    r"(?:$| (?=(?:on|in|of|from|at)\b))"
)
_POSSESSION = re.compile(r"'s ([a-z]+)$")
# "Anna's calendar"
_ENTRY_OWNED = re.compile(r"(?-i:[A-Z])\w*'s (calendar|profile|page|account|chat|story|channel|board|card|row)\b")
_TELLING = frozenset("about called named titled".split())
ENTRY = 0.4  # what such a word counts in the name of the thing that something else belongs to
# What is done to nothing but these.
_IMPLIED: dict[Role, re.Pattern[str]] = {
    "toggle": re.compile(
        r"(?:turn|switch|flip)\b(?: o(?:n|ff)\b|(?!.* to (?!o(?:n|ff)\b)))|(?:toggle|enable|disable)\b|"
        r"(?:activer|désactiver|activar|desactivar)\b|"
        r".*\b(?:ein|aus|ab)schalten$|.*\b(?:de)?aktivieren$|.*(?:开启|启用|停用|关掉)"
    ),
    "checkbox": re.compile(r"check\b(?! (?:for|out|in|on|all|everything)\b)"),
}
_TICKING = re.compile(r"(?:(?:tick|check) off|untick|tick|uncheck)\s+(?=\S)", re.I)
# "Check the inbox" looks at it.
_LOOKING = re.compile(
    r"check (?=(?:the|my|our|your|his|her) .*\b(?-i:folder|page|tab|section|inbox|mail|emails?|messages|profile|"
    r"account|calendar|balance|news|status|weather|notifications|updates)$)(?!.*\b(?:box|option)\b)",
    re.I,
)
# "In the contents, go to Early lights"
_WHERE_FIRST = re.compile(r"(?P<where>(?:in|on|under|from|at) (?:the|my) [^,]{2,40}), (?P<rest>\w+ .+)", re.I)
# "Follow the link to this older thread"
_LINK_TO = re.compile(r"(?:(?:[Oo]pen|[Vv]isit|[Uu]se|[Tt]ry) )?the link (?:to|for|about) (?=\w)")
# "Show only stays with a swimming pool"
_FILTERING = re.compile(
    r"(?i:show|display|list|see|find)(?: me)?(?: only| just)[a-z -]{0,30}? "
    r"(?:with|that have|having|of|from|by|in|for|under)\s+"
    r"(?:an? |the )?|"
    # "Print only the current page", "show only the seeding torrents": of a choice
    r"(?i:(?:show|display|list|see|print|export|include)(?: me)? (?:only|just) "
    r"(?!(?:for|in|on|by|from|with|to)\b)(?:the |my )?(?=\S))"
)
# "Choose Rename in the context menu": that is where menus are
_IN_MENU = re.compile(
    r" (?:in|from|on) (?:the|this) (?:open |opened )?(?:(?:context|right[ -]click|pop-?up|shortcut) )menu$", re.I
)
# "Select File > Export > CSV": what is furthest along and to be seen
_PATH = re.compile(r"\s+(?:>|→|»|›|->)\s+")
# "Read this article in Deutsch"
_IN_LANGUAGE = re.compile(
    r"(?:read|show|see|display|translate) (?:this|the|it)(?: (?:article|page|site|website|text|app))? (?:in|into|to) "
    r"(?P<name>(?-i:[A-Z])\w+)$",
    re.I,
)
# "box" and "bar" are a field only after these.
_FIELD_BEFORE = {
    "box": "empty search text input message combo check tick address email password edit".split(),
    "bar": "search address url location".split(),
}

_RELATIONS: tuple[tuple[Side, str], ...] = (
    ("left", r"(?:just |directly )?(?:to the )?left(?:[\s-]hand side)? of|on the left of|before|preceding"),
    ("right", r"(?:just |directly )?(?:to the )?right(?:[\s-]hand side)? of|on the right of|after|following"),
    ("above", r"(?:just |directly |right )?(?:above|over|on top of)"),
    ("below", r"(?:just |directly |right )?(?:below|under|underneath|beneath)"),
    (
        "near",
        r"(?:right |just |directly )?(?:next to|beside|besides|near|close to|adjacent to|alongside|by the side of)",
    ),
    (
        "of",
        r"for|of|from|in|on|belonging to|associated with|in the row of|on the row of|with|named|called|to|at",
    ),
)
_HARD = re.compile("|".join(rf"(?P<{side}>\b(?:{pattern})\s+)" for side, pattern in _RELATIONS[:-1]))
# "in" and "on" belong to the verb in "zoom in", "sign in", "turn on".
_SOFT = re.compile(
    rf"\b(?:{_RELATIONS[-1][1]})\s+"
    r"(?<!\bzoom in )(?<!\bsign in )(?<!\blog in )(?<!\bfill in )(?<!\bturn on )(?<!\bswitch on )"
)
# Verbs that are often done to one of several rows or cards.
_ACTING = re.compile(
    r"(remove|delete|edit|change|increase|decrease|reply to|toggle|turn on|turn off|switch on|switch off|enable|"
    r"disable|check(?! (?:for|out|in|on|if|whether|how|what|when)\b)|uncheck|tick|untick|download|save|mark|share|"
    r"favou?rite|bookmark|upvote|dismiss|unmute|take off|"
    r"like|(?:start|begin) playing|play|rename|archive|expand|collapse|mute|silence|"
    r"follow|add|pin|star|close|hide|listen to|watch|send|copy|move|print|comment on|call|message|block|lock|"
    r"unlock|pause|stop|restart|buy|book|order|rate|report|duplicate|restore)\s+(?=\S)"
)
_PICTURING = re.compile(r"(?:export|import|crop|rotate|resize|upload|attach|flip|mirror|zoom)\b")
# "Pause all" is one name.
_WHATEVER = frozenset("all everything it this that them these".split())
# Any other verb, where a control says just that.
NO_DEEDS = LEADING_VERBS | MAKING_VERBS | FUNCTION_WORDS | frozenset("more all new next previous search".split())
_DEED = re.compile(
    rf"(?!(?:{'|'.join(sorted(NO_DEEDS - {'start', 'run', 'apply'}))})\b)"
    r"(?P<verb>[a-z]{3,})\s+(?!(?:in|on|out)\s)(?=\S)"
)
# What is in these stands below their title.
_SECTION = re.compile(
    r"\b(?:in|from|on|under) (?:the )?(?:[\w-]+ ){1,3}(?:list|section|panel|group|tree|filters?|block|area|box)$"
)
# What is in a column stands below its title.
_COLUMN = re.compile(r"\b(?:in|under) (?:the )?(?P<title>.+?) column\b")
_EXPLAINING = re.compile(r"(?:find out |see |learn |read |explain )?what (?:an? |the )?(?P<thing>.+?) (?:means?|is)\b")
# "Set the scale to 200 %" wants what is marked "200 %" beside "scale".
_SETTING = re.compile(r"(?:set|change|switch|turn)\s+(?:the\s+|my\s+)?(?P<thing>.+?)\s+to\s+(?P<value>.+)")
# "Mark the draft as read" wants what says "read" beside the draft.
_MARKING = re.compile(r"mark\s+(?:the\s+|my\s+)?(?P<thing>.+?)\s+as\s+(?P<value>.+)")
# "Sort the list by size" wants the heading "Size".
_ARRANGING = re.compile(
    r"(?:(?:sort|order|filter|group|arrange)\b.{0,60}?\bby|filter\b.{0,60}?\b(?:for|to))\s+(?:the\s+)?"
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL = re.compile(
    r"\b(?<!\ba )(?<!\bper )"
    rf"(?:(?P<word>{'|'.join(_ORDINALS)})|(?P<digits>\d{{1,2}})(?:st|nd|rd|th)|(?P<last>last))\b"
)
_DATE = re.compile(r"(?<=\bthe )(\d{1,2})(?:st|nd|rd|th)\b(?! [A-Z])")
_QUOTED = re.compile(r"[“\"«„「『](?P<a>[^”\"»“」』]{1,200})[”\"»“」』]|(?<!\w)['‘`](?P<b>[^'’`]{1,200})['’`](?!\w)")
_DROP_DOWN = re.compile(rf"{_QUOTED.pattern}|\b(?P<spaced>drop[ -]down)\b", re.I)  # outside of quotes
_NAMED = re.compile(r"\b(?:labell?ed|named|called|titled|says|saying|reads|reading|with the text|with text)\s+")


@dataclass(frozen=True)
class Term:
    """Words that name something, each with how much it counts."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    whole: bool = False
    """Whether it is all there is to say: what is quoted, or what to sort by."""

    def __bool__(self) -> bool:
        return sum(self.weights) > 0.15


@dataclass(frozen=True)
class Relation:
    """Where the target lies as seen from the anchor. "of" is the loosest: the same row, card or group; "in" is below a
    section's title."""

    side: Side
    head: Term
    anchor: Term
    deed: Deed = ""
    """Whether the head is a verb alone, what is to be done to the anchor: one that is often done to one of several
    things ("known"), or any other, which holds only where the screen shows it."""

    @property
    def certain(self) -> bool:
        """Whether the words can hardly mean anything else ("of" also joins the words of one name)."""
        return self.side not in ("of", "in")


@dataclass(frozen=True)
class Instruction:
    """An instruction in parts.

    ``sentence`` is what is asked without politeness, pointing verb and place; ``words`` are its folded words. ``terms``
    are readings of the target's name: what is quoted, else all of the sentence. ``roles`` are the sorts of control that
    may be meant, empty where none is named. ``place`` is the wished place on the screen. ``ordinal`` counts from 1 in
    reading order, -1 is the last. ``relations`` are readings as "head beside anchor". ``foreign``: in another language
    than English; ``unknown`` are then those of its words that could not be put in English, often names.
    """

    sentence: str
    words: tuple[str, ...]
    terms: tuple[Term, ...]
    roles: frozenset[Role]
    place: Place
    ordinal: int | None
    relations: tuple[Relation, ...]
    foreign: bool
    unknown: frozenset[str]


@lru_cache(maxsize=256)
def read_instruction(text: str) -> Instruction:
    """Never fails; an instruction without words has no terms."""
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text[: 4 * LONGEST]).replace("’", "'")).strip()[:LONGEST]
    # Letters keep their places when they are put in lower case: "İ" would become two.
    text = "".join(c if len(c.lower()) == 1 else c.lower()[0] for c in text).rstrip(" .!?,")
    text = _DROP_DOWN.sub(lambda match: "dropdown" if match["spaced"] else match[0], text)
    text = _POLITELY.sub("", text)
    if first := _WHERE_FIRST.fullmatch(text):
        where = first["where"]
        text = f"{_POLITELY.sub('', first['rest'])} {where[0].lower()}{where[1:]}"
    text = _LOOKING.sub("view ", text, count=1) if _LOOKING.match(text) else text
    asking = _ASKING.match(text)
    text = text[asking.end() :] if asking else text
    text = re.sub(r"\bsearch (?=results?\b)", "", text, flags=re.I)
    quotes = [match["a"] or match["b"] for match in _QUOTED.finditer(text)]
    typing = re.match(rf"(?:{_TYPING})(?:\b|(?<=[^\x00-\x7f]))", text, re.I) is not None
    if typing:
        text, quotes = _without_payload(text, quotes)
    pointing = re.match(rf"({_POINTING})(?:\b|(?<=[^\x00-\x7f])) *(?=\S)", text, re.I)
    text = text[pointing.end() :] if pointing else text
    text = _IN_MENU.sub("", text) if pointing and not quotes else text
    linked = _LINK_TO.match(text)
    text = text[linked.end() :] if linked else text
    if named := _NAMED.search(text.lower()):
        rest = text[named.end() :]
        if not quotes and rest:
            quotes = [re.split(r"\s+(?:in|on|at|from|under|next)\s+the\s+|[,.;]", rest)[0]]
    text, place = take_place(text, quotes)
    sort = asking["sort"] if asking else None
    roles = frozenset({_ROLE_WORDS[sort.lower()]}) if sort else _roles("link" if linked else text, typing)
    text = _TICKING.sub("", text, count=1) if _TICKING.match(text) else text
    ordinal, text = _take_ordinal(text, quotes)
    text = _DATE.sub(r"\1", text) if ordinal is None and not quotes else text
    quoted = [_term(quote, named=True) for quote in quotes if words(quote)]
    english = translations(text) if is_foreign(text) else None
    whole = [_told_apart(_term(text, after_verb=pointing is not None, english=english), text)]
    if arranged := _ARRANGING.match(text.lower()):
        whole.append(_term(text[arranged.end() :], named=True))
    path = _PATH.split(text)
    if len(path) > 1 and len(words(path[0])) <= STEP and all(part[:1].isupper() for part in path):
        whole += [_term(part, named=True) for part in reversed(path)]
    if filtered := _FILTERING.match(text):
        whole.append(_term(text[filtered.end() :], named=True))
    if spoken := _IN_LANGUAGE.match(text):
        whole.append(_term(spoken["name"], named=True))
    if pointing and (pointing[1].lower() in _NAMING_TOO or pointing[1].lower().endswith(("back to", "return to"))):
        whole.append(_term(f"{pointing[1]} {text}"))
    return Instruction(
        sentence=text.strip(" .!?,"),
        words=tuple(words(text)),
        terms=tuple(term for term in quoted or whole if term),
        roles=roles,
        place=place,
        ordinal=ordinal,
        relations=tuple(_relations(text, english)),
        foreign=english is not None,
        unknown=frozenset(words(text)) - english.keys() if english is not None else frozenset(),
    )


def around(read: Instruction, name: tuple[str, ...]) -> Relation | None:
    """The reading of an instruction of another language as what is to be done to the thing of this name, which stands
    in it word by word; None where nothing else is asked."""
    at = next(i for i in range(len(read.words)) if read.words[i : i + len(name)] == name)
    rest = dict.fromkeys((*read.words[:at], *read.words[at + len(name) :]))
    english = translations(read.sentence)
    head = Term(tuple(rest), tuple(_weight(word, False, False, False, english.get(word)) for word in rest))
    if max(head.weights, default=0.0) <= FUNCTION:
        return None
    asked = in_english(unspaced(head.words))
    deed: Deed = "known" if is_deed(asked) and words(asked)[0] not in LEADING_VERBS else ""
    unknown = any(word in read.unknown and weight > SORT for word, weight in zip(head.words, head.weights, strict=True))
    if not deed and not unknown and {word.removesuffix("s") for word in words(asked)} <= {*LEADING_VERBS, *_THINGS}:
        return None  # "open the message of Anna" asks for no "message" beside "Anna"
    return Relation("of", head, Term(name, (1.0,) * len(name)), deed)


def without_roles(sentence: str, roles: frozenset[Role]) -> str:
    """A sentence without the words that say what sort of control is meant, where others are left."""
    kept = [word for word in sentence.split() if _role_of(word) not in roles]
    return " ".join(kept) if not LEADING_VERBS.issuperset(kept) else sentence


def _without_payload(text: str, quotes: list[str]) -> tuple[str, list[str]]:
    """The text and quotes without what is to be typed: "type 'hello' in the search box" -> "the search box"."""
    articles = r"(?:the|my|your|a|an)\s+"
    match = re.search(rf"\s(?:into|in|to|on|at|as)\s+{articles}(?!.*\s(?:into|in)\s+{articles})", text, re.I)
    if match is None:
        rest = re.sub(rf"^(?:{_TYPING})(?:\b|(?<=[^\x00-\x7f]))\s*", "", text, flags=re.I)
        return (rest if words(rest) else text), quotes
    target = text[match.end() :]
    return target, [quote for quote in quotes if quote in target]


def _role_of(word: str) -> Role | None:
    """The sort of control that a word says; "options" are rather settings, or what "more" leads to."""
    return None if word == "options" else _ROLE_WORDS.get(word) or _ROLE_WORDS.get(word.removesuffix("s"))


def _roles(text: str, typing: bool) -> frozenset[Role]:
    """What sort of control the words ask for. The last such word of the name counts: "the menu button" is a button."""
    lowered = re.sub(r"^(?:switch|go|jump|change|navigate|head) to ", "", text.lower())
    if _TICKING.match(lowered):
        return frozenset({"checkbox"})
    if words(lowered)[:1] and words(lowered)[0] in MAKING_VERBS:
        return frozenset()  # "insert an image" asks for no image
    hard = _HARD.search(lowered)
    head = _SOFT.split(lowered[: hard.start()] if hard else lowered, maxsplit=1)[0]
    found: list[Role] = []
    listed = words(head)
    names = {folded for name in re.findall(r"(?<=\w )[A-Z][\w-]+", text) for folded in words(name)}
    for before, word in zip(["", *listed], listed, strict=False):
        role = _role_of(word)
        if role is None:
            continue
        if word in _FIELD_BEFORE and before not in _FIELD_BEFORE[word] and before not in names:
            continue
        if word == "box" and before in ("check", "tick"):
            role = "checkbox"
        if word == "menu" and before == "dropdown":
            role = "field"
        if word == "switch" and listed[0] == "switch" and word is listed[0]:
            continue  # "switch to ..." is a verb
        found.append(role)
    unspaced = [name for name in _ROLE_WORDS if name > "\u3000"]
    found += [_ROLE_WORDS[name] for name in sorted(unspaced, key=lowered.rfind) if name in lowered]
    if typing:
        found.append("field")
    if not found:
        found += [role for role, pattern in _IMPLIED.items() if pattern.match(lowered)]
    if found[-1:] == ["image"] and _PICTURING.match(lowered):
        return frozenset()  # "crop the picture" asks for no picture
    return frozenset(found[-1:])


def _take_ordinal(text: str, quotes: list[str]) -> tuple[int | None, str]:
    """(the ordinal or None, the text without it). "last" counts only before another word: "the last button"."""
    match = _ORDINAL.search(text.lower())
    if match is None or any(match.group() in quote.lower() for quote in quotes):
        return None, text
    following = words(text[match.end() :])
    if match.start() and text[match.start()].isupper() and not text.isupper() and not text.istitle():
        return None, text  # "the First layer height field" is called so
    if match["digits"] and int(match["digits"]) > len(_ORDINALS) and following[:1] and following[0] in FUNCTION_WORDS:
        return None, text  # "the 26th in the calendar" is a date
    if not following or following[0] in ("name", "page", "class", "aid", "action", "time"):
        return None, text
    before = text[: match.start()].split()[-1:]
    if before and before[0] in ("on", "about", "for", "of", "with"):
        if following[0].removesuffix("s") not in _THINGS and not _role_of(following[0]):
            return None, text  # "a tax on second homes"
    if (
        following[0] in FUNCTION_WORDS
        and before
        and before[0][0].isupper()
        and not LEADING_VERBS.issuperset(words(before[0]))
    ):
        return None, text  # "Unread first in the sort menu"
    if match["last"]:
        # "the last result", but not "delete the last digit"
        if not any(_role_of(word) for word in (*following[:2], *quotes)):
            return None, text
        ordinal = -1
    else:
        ordinal = int(match["digits"]) if match["digits"] else _ORDINALS.index(match["word"]) + 1
    return (ordinal or None), f"{text[: match.start()]}{text[match.end() :]}"


def _term(name: str, named: bool = False, after_verb: bool = False, english: Mapping[str, str] | None = None) -> Term:
    """Weigh the words of a name. Capitals and digits inside a sentence mark what stands on the screen ("Open the
    Insert tab"); ``after_verb``, the name's own beginning is inside one ("Click" + "Show on map"). ``english``: what
    its words mean where they are of another language, in which capitals may say nothing."""
    shown = [word for word in re.findall(r"[^\s\"“”«»,.;:!?()]+", name)]
    capitals = {
        folded
        for word in shown[0 if named or after_verb else 1 :]
        if (word[:1].isupper() and word != "I") or any(character.isdigit() for character in word)
        for folded in words(word)
        if english is None or (folded not in english and not _role_of(folded))
    }
    title_case = len(capitals) >= max(3, len(words(name)) - 1) and not any(w[:1].islower() for w in shown)
    listed = tuple(dict.fromkeys(words(name)))
    making = bool(listed) and listed[0] in MAKING_VERBS
    weights = tuple(
        1.0
        if making and w in _ROLE_WORDS
        else _weight(w, named, w in capitals and not title_case, i == 0, (english or {}).get(w))
        for i, w in enumerate(listed)
    )
    return Term(listed, weights, named)


def _weight(word: str, named: bool, capital: bool, first: bool, meaning: str | None = None) -> float:
    if named:
        return 1.0
    if meaning == "":
        return FUNCTION
    if meaning in LEADING_VERBS:
        return 0.3
    if capital:
        return 1.5
    if word in FUNCTION_WORDS:
        return FUNCTION
    if _role_of(word) or word in _CONTAINERS:
        return SORT
    if word in LEADING_VERBS:
        return 0.3 if first else 0.5
    if first and word in MAKING_VERBS:
        return 0.5
    return 1.0


def _told_apart(term: Term, text: str) -> Term:
    """The term, where "the profile of Anna" is told by whose it is: what is of somebody counts as an entry does. With a
    capital ("the Profile of the group") it rather stands there."""
    last = _ENTRY_LAST.search(text.strip(" .!?"))
    patterns = (_ENTRY_OF, _ENTRY_NAMED, _ENTRY_NUMBERED, _ENTRY_OWNED)
    most = {name: ENTRY for pattern in patterns for name in pattern.findall(text)}
    most |= {name: ENTRY for name in (last.groups() if last else ()) if name}
    for name, verb in _ENTRY_THAT.findall(text):
        most |= {name: ENTRY, verb: FUNCTION}
    if _ENTRY_OF.search(text):
        most |= dict.fromkeys(_TELLING, FUNCTION)
    weights = (min(w, most.get(word, w)) for word, w in zip(term.words, term.weights, strict=True))
    return Term(term.words, tuple(weights), term.whole)


def _anchor(name: str, inside: bool, english: Mapping[str, str] | None) -> Term:
    """The name of what the target belongs to: "the post about asparagus" is told by the last word. ``inside``: it does
    not begin the sentence."""
    term = _term(name, after_verb=inside, english=english)
    # Of another language all that is known says rather what sort of thing it is.
    possession = _POSSESSION.search(name)  # "Anna's seat" is told by whose it is
    owned = words(possession[1]) if possession else []
    most = {**dict.fromkeys((*_ENTRIES, *(english or ())), ENTRY), **dict.fromkeys((*_TELLING, *owned), FUNCTION)}
    told = [
        weight if weight > 1.0 and word not in _TELLING else min(weight, most.get(word, weight))
        for word, weight in zip(term.words, term.weights, strict=True)
    ]
    return Term(term.words, tuple(told)) if max(told, default=0.0) > ENTRY else term


def _relations(text: str, english: Mapping[str, str] | None) -> list[Relation]:
    """Every reading of the text as "head, side, anchor"."""
    readings: list[tuple[Side, str, str, Deed]] = []
    lowered = text.lower()
    for match in _HARD.finditer(lowered):
        if _inside_a_name(text, match.start()):
            continue  # "the Under €300 tag"
        side = next(name for name, value in match.groupdict().items() if value)
        readings.append((side, text[: match.start()], text[match.end() :], ""))
    if match := _COLUMN.search(lowered):
        rest = f"{text[: match.start()]} {text[match.end() :]}"
        readings = [("below", rest, text[match.start("title") : match.end("title")], "")]
    if not readings:
        readings = _soft_readings(text, lowered)
        told = deed_and_object(text) if english is not None else None
        if told and (told[0].startswith("turn ") or told[0].split()[0] not in LEADING_VERBS):
            readings.append(("of", *told, "known"))
    relations, begun = [], words(text)[:1]
    for side, head, anchor, deed in readings:
        relation = Relation(
            side,
            _told_apart(_term(head, after_verb=words(head)[:1] != begun, english=english), head),
            _anchor(anchor, words(anchor)[:1] != begun, english),
            deed,
        )
        if relation.head.words and relation.anchor:
            relations.append(relation)
    return relations


def _inside_a_name(text: str, at: int) -> bool:
    """Whether a preposition begins with a capital, in a text that is not all in capitals."""
    return at > 0 and text[at].isupper() and any(word[0].islower() for word in text.split())


def _soft_readings(text: str, lowered: str) -> list[tuple[Side, str, str, Deed]]:
    """Readings as "something of the anchor"."""
    if _FILTERING.match(text):
        return []
    if match := _SETTING.match(lowered):
        return [("near", text[match.start("value") :], text[match.start("thing") : match.end("thing")], "shown")]
    entries = set(_ENTRY_OF.findall(text))
    readings: list[tuple[Side, str, str, Deed]] = [
        ("in" if _SECTION.search(lowered) else "of", text[: match.start()], text[match.end() :], "")
        for match in _SOFT.finditer(lowered)
        # "Go to Desktop" asks for no "Go", "the profile of Anna" for no "profile"
        if not _inside_a_name(text, match.start())
        and not (head := set(words(text[: match.start()]))) <= LEADING_VERBS
        and not (head & entries and head <= LEADING_VERBS | FUNCTION_WORDS | entries)
    ]
    if (match := _MARKING.match(lowered)) and match["thing"] not in _WHATEVER:
        thing = text[match.start("thing") : match.end("thing")]
        readings.append(("of", text[match.start("value") :], thing, "shown"))
    if match := _EXPLAINING.match(lowered):
        readings.append(("of", "info", text[match.start("thing") : match.end("thing")], ""))
    # "remove the milk from the cart": the verb is what to do, its object the row to do it in.
    if (match := _ACTING.match(lowered)) and lowered[match.end() :].strip(" .!?") not in _WHATEVER:
        rest = text[match.end() :]
        readings.append(("of", match.group(1), rest, "known"))
        # "add the lamp to the cart": "add to the cart" in the lamp's row.
        thing, *tails = re.split(r"\s+(?=(?:from|into|in|to|on|as)\s)", rest, maxsplit=1)
        readings += [("of", f"{match.group(1)} {tail}", thing, "") for tail in tails]
        return readings
    # "Anna's message"; where something is done to it, as above, no message is meant.
    if not _ENTRY_OWNED.search(text):
        readings += [("of", text[m.end() :], text[: m.start()], "") for m in re.finditer(r"'s\s+", lowered)]
    if (match := _DEED.match(lowered)) and not _ARRANGING.match(lowered) and lowered[match.end() :] not in _WHATEVER:
        readings.append(("of", match["verb"], text[match.end() :], "shown"))
    return readings
