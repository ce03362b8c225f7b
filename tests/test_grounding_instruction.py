"""Instructions read into parts, and the thesaurus that joins what people say to what screens show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.screen import sentences, thesaurus
from core.screen.glossary import deed_and_object, in_english, is_foreign
from core.screen.instruction import read_instruction
from core.screen.lexical import alike, joined_alike, opposed, ways, words

LABELS = Path(__file__).parents[1] / "assets" / "icons" / "labels.json"


def telling(instruction: str) -> set[str]:
    """The words that name the target."""
    terms = read_instruction(instruction).terms
    return {word for term in terms for word, weight in zip(term.words, term.weights, strict=True) if weight > 0.3}


@pytest.mark.parametrize(
    ("instruction", "names"),
    [
        ("Click the Insert tab", {"insert"}),
        ("Please tap on Format Painter", {"format", "painter"}),
        ('Apply the "Title" style', {"title"}),
        ("Click the button labelled Save as in the toolbar", {"save", "as"}),
        ("Type 'hello there' in the search box", {"search"}),
        ("enter my given name", {"given", "name"}),
        ("Open Copilot at the far left", {"copilot"}),
        ("press I'm Feeling Lucky", {"im", "feeling", "lucky"}),
        ("Click Show on map", {"show", "map"}),
    ],
)
def test_names(instruction: str, names: set[str]) -> None:
    assert telling(instruction) == names


@pytest.mark.parametrize(
    ("instruction", "place"),
    [
        ("the icon in the top right corner", (1.0, 0.0)),
        ("click Save at the bottom of the page", (None, 1.0)),
        ("the box in the middle of the page", (0.5, 0.5)),
        ("open Inbox in the sidebar", (0.0, None)),
        ("the link in the footer", (None, 1.0)),
        ("the top-left button", (0.0, 0.0)),
        ("align left", (None, None)),
        ("turn the page to the left", (None, None)),
        ("press the left arrow", (None, None)),
        ("the icon left of Save", (None, None)),
        ('click "on the left"', (None, None)),
    ],
)
def test_places(instruction: str, place: tuple[float | None, float | None]) -> None:
    assert read_instruction(instruction).place == place


@pytest.mark.parametrize(
    ("instruction", "ordinal"),
    [
        ("the second result", 2),
        ("the 3rd button", 3),
        ("the last item", -1),
        ("delete the last digit", None),
        ("my last name", None),
        ("click Save", None),
    ],
)
def test_ordinals(instruction: str, ordinal: int | None) -> None:
    assert read_instruction(instruction).ordinal == ordinal


@pytest.mark.parametrize(
    ("instruction", "role"),
    [
        ("click the Save button", "button"),
        ("switch to the Review tab", "tab"),
        ("type x", "field"),
        ("click the search bar", "field"),
        ("the check box for updates", "checkbox"),
        ("flip the switch for Wi-Fi", "toggle"),
        ("Which menu has the word count?", "menu"),
        ("Which button lets me print?", "button"),
    ],
)
def test_roles(instruction: str, role: str) -> None:
    assert read_instruction(instruction).roles == {role}


@pytest.mark.parametrize(
    ("instruction", "side", "anchor"),
    [
        ("the icon left of Settings", "left", "settings"),
        ("the button to the right of Cancel", "right", "cancel"),
        ("the field below Email", "below", "email"),
        ("the link above Terms", "above", "terms"),
        ("the checkbox next to Remember", "near", "remember"),
        ("the switch for Bluetooth", "of", "bluetooth"),
        ("delete Bob", "of", "bob"),
    ],
)
def test_relations(instruction: str, side: str, anchor: str) -> None:
    assert (side, (anchor,)) in [(r.side, r.anchor.words) for r in read_instruction(instruction).relations]


@given(st.text(max_size=2000))
def test_any_text_is_read(text: str) -> None:
    read = read_instruction(text)
    assert all(len(term.words) == len(term.weights) for term in read.terms)


@pytest.mark.parametrize(
    ("a", "b", "low", "high"),
    [
        ("saved", "saving", 0.9, 1.0),
        ("settings", "setting", 0.9, 1.0),
        ("ln", "in", 0.0, 0.0),
        ("copilat", "copilot", 0.8, 0.99),
        ("l0gin", "login", 0.9, 1.0),
        ("config", "configuration", 0.7, 0.9),
        ("play", "pray", 0.0, 0.0),
        ("centre", "center", 0.9, 1.0),
        ("colours", "color", 0.9, 1.0),
        ("organise", "organizing", 0.9, 1.0),
        ("hour", "her", 0.0, 0.0),
        ("登", "登", 1.0, 1.0),
    ],
)
def test_likeness_of_words(a: str, b: str, low: float, high: float) -> None:
    assert low <= alike(a, b) <= high


@pytest.mark.parametrize(
    ("asked", "shown", "against"),
    [
        ("zoom in", "Zoom Out", True),
        ("zoom in", "Zoom In", False),
        ("next page", "Previous", True),
        ("the button left of Next", "Next", False),
        ("increase the size", "Decrease", True),
        ("save in the folder", "Log out", False),
        ("swap left and right", "Right", False),
    ],
)
def test_opposite_ways(asked: str, shown: str, against: bool) -> None:
    assert opposed(ways(asked), shown) is against


def test_ideographs_are_words_and_signs_are_none() -> None:
    assert words("登录 now! ☆①") == ["登", "录", "now"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("log out", "Sign out"),
        ("decline", "Deny"),
        ("preferences", "Settings"),
        ("my basket", "Cart"),
        ("a new mail", "Compose"),
    ],
)
def test_the_thesaurus_joins_sayings(said: str, shown: str) -> None:
    assert thesaurus.of_request(said).keys() & thesaurus.of_text(shown).keys()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("Where is the manual?", "the manual"),
        ("Where do I change the margins?", "change the margins"),
        ("Which menu lets me add a note?", "add a note"),
        ("Which tab has the charts?", "the charts"),
        ("How can I print this?", "print this"),
    ],
)
def test_questions_ask_for_what_they_name(asked: str, sentence: str) -> None:
    assert read_instruction(asked).sentence == sentence


def test_a_menu_leads_to_what_it_holds() -> None:
    assert thesaurus.leading_to("read the manual").keys() & thesaurus.of_text("Help").keys()
    assert not thesaurus.of_request("read the manual").keys() & thesaurus.of_text("Tools").keys()


def test_a_longer_phrase_hides_the_shorter() -> None:
    assert not thesaurus.of_request("search by voice").keys() & thesaurus.of_text("Find").keys()


def test_what_is_made_says_more_than_making() -> None:
    asked = thesaurus.of_request("insert a chart")
    chart, making = (max(asked.get(number, 0.0) for number in thesaurus.of_text(text)) for text in ("Chart", "Insert"))
    assert chart > making > 0


@pytest.mark.parametrize(
    ("instruction", "english"),
    [
        ("Zeige meine Merkliste", "show wish list"),
        ("Melde dich bitte an", "sign in"),
        ("Supprimer le message", "delete"),
        ("Imprimer", "print"),
        ("Muestra los mensajes", "show messages"),
        ("打开设置", "open settings"),
        ("ابحث", "search"),
    ],
)
def test_words_of_other_languages_are_put_in_english(instruction: str, english: str) -> None:
    assert read_instruction(instruction).foreign
    assert in_english(instruction) == english


@pytest.mark.parametrize(
    "instruction",
    ["Click Save", "Open the menu", "Share this photo", "delete the last tag", "Café", "go to Zürich", "日", "!"],
)
def test_english_and_the_unknown_are_left_alone(instruction: str) -> None:
    assert not read_instruction(instruction).foreign


@given(st.text(max_size=200))
def test_any_text_can_be_put_in_english(text: str) -> None:
    assert isinstance(is_foreign(text), bool)
    assert in_english(text) or not text


@pytest.mark.parametrize(
    ("text", "deed", "thing"),
    [
        ("Den Stand des Stromzählers bearbeiten", "edit", "Den Stand des Stromzählers"),
        ("Foto hochladen", "upload", "Foto"),
        ("删除会议记录", "delete", "会议记录"),
        ("把《旧城面馆》加入购物车", "add to cart", "《旧城面馆》"),
    ],
)
def test_what_is_done_to_what_is_read_in_other_languages(text: str, deed: str, thing: str) -> None:
    assert deed_and_object(text) == (deed, thing)


def test_what_is_to_be_done_comes_first_in_english() -> None:
    assert in_english("Zählerstand bearbeiten") == "edit meter reading"
    assert deed_and_object("Kontakt") is None


def test_a_german_infinitive_says_that_it_is_german() -> None:
    assert is_foreign("Diagramm herunterladen")
    assert not is_foreign("golden garden")


@pytest.mark.parametrize("text", ["Papierlose Post einschalten", "enable the newsletter", "开启通知", "把通知关掉"])
def test_what_is_turned_on_is_a_switch(text: str) -> None:
    assert read_instruction(text).roles == {"toggle"}


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("点击搜索框", "field"),
        ("勾选复选框", "checkbox"),
        ("Klicke in das Suchfeld", "field"),
        ("关闭对话框的按钮", "button"),
    ],
)
def test_sorts_of_controls_are_known_in_other_languages(text: str, role: str) -> None:
    assert read_instruction(text).roles == {role}


def test_checking_for_something_asks_for_no_check_box() -> None:
    assert read_instruction("Check for new mail").roles == frozenset()
    for text in ("Check the first box", "Tick Include subfolders", "Untick Invoices by mail", "check International"):
        assert read_instruction(text).roles == {"checkbox"}, text


def test_icons_of_the_thesaurus_are_named_as_the_classifier_names_them() -> None:
    known = {label["name"] for label in json.loads(LABELS.read_text(encoding="utf-8"))["labels"]}
    assert {icon for meaning in thesaurus.meanings() for icon in meaning.icons} <= known


def test_vectors_have_length_one_and_bring_like_meanings_together() -> None:
    call, phone, garden = sentences.embed(["make a call", "telephone", "water the garden"])
    assert np.allclose([np.linalg.norm(v) for v in (call, phone, garden)], 1.0, atol=1e-5)
    assert call @ phone > call @ garden


def test_no_texts_have_no_vectors() -> None:
    assert sentences.embed([]).shape == (0, sentences.DIMENSIONS)


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("给这个视频点赞", "like video"),
        ("调节视频的音量", "volume"),  # whose volume it is says less than that it is one
        ("把这个视频添加到收藏夹", "add video wish list"),
        ("Schalte die Erinnerung an die Medikamente ein", "turn on reminder"),
        ("Füge das der Merkliste hinzu", "add wish list"),
    ],
)
def test_what_is_done_and_to_what_in_other_languages(text: str, english: str) -> None:
    assert in_english(text) == english


def test_words_that_are_not_known_are_names() -> None:
    read = read_instruction("Wechsle in den Ordner Hausverwaltung")
    assert "hausverwaltung" in read.unknown and "ordner" not in read.unknown
    assert not read_instruction("Open the folder Hausverwaltung").unknown
    assert not is_foreign("Open the Los Angeles album in der Mediathek")


@pytest.mark.parametrize(
    ("text", "ordinal"),
    [
        ("Choose Unread first in the sort menu", None),
        ("the tax on second homes", None),
        ("title of second post", 2),
        ("the first of the results", 1),
        ("first in the list", 1),
    ],
)
def test_a_word_for_the_first_may_belong_to_a_name(text: str, ordinal: int | None) -> None:
    assert read_instruction(text).ordinal == ordinal


@pytest.mark.parametrize(
    ("text", "roles"),
    [("Crop the picture", set()), ("Tick the Paid box", {"checkbox"}), ("Click the second picture", {"image"})],
)
def test_what_is_done_to_a_picture_or_a_box(text: str, roles: set[str]) -> None:
    assert read_instruction(text).roles == roles


def test_a_verb_keeps_its_particle() -> None:
    assert ("zoom",) not in [relation.head.words for relation in read_instruction("Zoom in on the map").relations]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Open order #41876", "order"),
        ("Play the lesson Two greys", "lesson"),
        ("Open the customers table", "table"),
        ("Open the tag cron on the question", "tag"),
        ("Read the article about the tax on homes", "article"),
        ("Select the trip that starts from Linden Arcade", "starts"),
        ("Show Lena Brandt's calendar", "calendar"),
    ],
)
def test_what_sort_of_entry_it_is_tells_less_than_which(text: str, word: str) -> None:
    term = read_instruction(text).terms[0]
    weights = dict(zip(term.words, term.weights, strict=True))
    assert weights[word] < 0.5 <= max(weights.values())


def test_short_parts_of_a_phrase_are_words_of_their_own() -> None:
    assert "leave" not in in_english("Salzburg der Bahnhof")
    assert "wifi" not in in_english("Wähle das Land")
    assert in_english("Notizen erstellen") == "create note"


@pytest.mark.parametrize(
    ("text", "sentence", "roles"),
    [
        ("Tick the Tea checkbox", "the Tea checkbox", {"checkbox"}),
        ("Check off Print the maps", "Print the maps", {"checkbox"}),
        ("Check the Junk Email folder", "view the Junk Email folder", set()),
        ("Follow the link to this older thread", "this older thread", {"link"}),
        ("Go back to Desk lamps", "Desk lamps", set()),
        ("Go back to the step About you", "the step About you", set()),
        ("go back to the page before", "go back to the page before", set()),
        ("In the contents, go to Early lights", "go to Early lights in the contents", set()),
        ("Write in Notes for the crew", "Notes for the crew", {"field"}),
        ("Switch the view to Years", "Switch the view to Years", set()),
        ("Turn the lights on", "Turn the lights on", {"toggle"}),
        ("Enable access to location", "Enable access to location", {"toggle"}),
        ("Turn off access to contacts", "Turn off access to contacts", {"toggle"}),
        ("Check the box for Email updates", "Check the box for Email updates", {"checkbox"}),
        ("Click Link to account", "Link to account", {"link"}),
        ("From the list, please click Apples", "Apples from the list", set()),
    ],
)
def test_what_only_says_how_to_get_there_is_no_part_of_the_name(text: str, sentence: str, roles: set[str]) -> None:
    read = read_instruction(text)
    assert (read.sentence, read.roles) == (sentence, roles)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Show only stays with a swimming pool", ("swimming", "pool")),
        ("Read this article in Deutsch", ("deutsch",)),
        ("Filter for 256 GB storage", ("256", "gb", "storage")),
        ("Select File > Export > Invoices as CSV", ("invoices", "as", "csv")),
    ],
)
def test_names_inside_longer_requests(text: str, name: tuple[str, ...]) -> None:
    assert name in [term.words for term in read_instruction(text).terms]


def test_a_capital_inside_makes_a_word_part_of_a_name() -> None:
    assert not [r for r in read_instruction("Choose the Under €300 tag").relations if r.side == "below"]
    for text in ("Choose the tag under Offers", "CHOOSE THE TAG UNDER OFFERS", "Choose The Tag Under Offers"):
        assert [r for r in read_instruction(text).relations if r.side == "below"], text


def test_all_is_nothing_that_something_is_done_to() -> None:
    assert not read_instruction("Pause all").relations and not read_instruction("Pause all.").relations
    assert read_instruction("Pause the download").relations


def test_letters_that_grow_in_lower_case_keep_their_places() -> None:
    assert read_instruction("click İİİİİİİİ of a").relations


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Put the cursor in the Comment field", "the Comment field"),
        ("Choose Rename… in the context menu", "Rename..."),
        ("Pick the 26th in the calendar", "the 26 in the calendar"),
    ],
)
def test_where_things_are_done_is_no_part_of_the_name(text: str, sentence: str) -> None:
    assert read_instruction(text).sentence == sentence.rstrip(".")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Print only the Current page", ("current", "page")), ("show only seeding torrents", ("seeding", "torrents"))],
)
def test_only_chooses_one_of_several(text: str, name: tuple[str, ...]) -> None:
    read = read_instruction(text)
    assert name in [term.words for term in read.terms]
    assert not read.relations


def test_an_arrow_between_places_is_no_path_through_menus() -> None:
    assert ("arn",) not in [term.words for term in read_instruction("Switch to the return flight LIS → ARN").terms]
    assert ("export",) in [term.words for term in read_instruction("Select File > Export").terms]


def test_a_phrase_whose_words_stand_apart_is_no_deed() -> None:
    assert not thesaurus.deeds("Open the fraud analyst job")
    assert thesaurus.deeds("Send the message")


def test_a_name_without_one_of_its_words_is_not_misread() -> None:
    assert joined_alike(["past", "appointments"], ["appointments"]) == 0.0
    assert joined_alike(["go", "to", "file"], ["goto", "file"]) == 1.0
    assert joined_alike(["remember", "password"], ["rememberpaswords"]) > 0.9


def test_accents_may_be_lost_but_kana_keep_their_marks() -> None:
    assert alike("café", "cafe") > 0.9 and alike("über", "uber") > 0.9
    assert alike("が", "か") == 0.0
