"""Grounding without a model, on screens made by hand: what each kind of words leads to, and that nothing breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.geometry import Box
from core.screen.described import describe
from core.screen.elements import Element, IconGuess, Screen, Word
from core.screen.grounding import Grounding, ground
from core.screen.layout import of_same_entry


def element(
    id: int, x: float, y: float, text: str = "", kind: str = "text", icon: str = "", width: float = 0
) -> Element:
    """A line of text 20 high, or a 24 x 24 icon; texts of several words carry word boxes of 10 pixels a letter."""
    size = (width or 10 * len(text) or 24, 20 if text else 24)
    words, at = [], x
    for word in text.split():
        words.append(Word(word, Box(at, y, at + 10 * len(word), y + 20)))
        at += 10 * (len(word) + 1)
    icons = (IconGuess(icon, 0.8), IconGuess("anchor", 0.1)) if icon else ()
    return Element(id, Box(x, y, x + size[0], y + size[1]), kind, text, kind != "text", icons, 0.9, tuple(words))


def screen(*elements: Element) -> Screen:
    return Screen((1000, 800), elements, "by hand")


def best(grounding: Grounding) -> int:
    return grounding.candidates[0].element_id


FORM = screen(
    element(1, 20, 10, icon="menu", kind="icon"),
    element(2, 960, 10, icon="close", kind="icon"),
    element(3, 100, 100, "Email"),
    element(4, 200, 95, kind="field", width=300),
    element(5, 100, 150, "Password"),
    element(6, 200, 145, kind="field", width=300),
    element(7, 200, 200, kind="checkbox", width=20),
    element(8, 230, 200, "Remember me"),
    element(9, 200, 260, "Sign in", kind="button"),
    element(10, 300, 260, "Cancel", kind="button"),
    element(11, 200, 320, "New here? Create an account or read the Terms of Service first"),
    element(12, 200, 700, "Privacy"),
    element(13, 500, 400, "Search", kind="field", width=200),
)


@pytest.mark.parametrize(
    ("instruction", "id"),
    [
        ("Click the Sign in button", 9),
        ("click on sign ln", 9),
        ("press SignIn", 9),
        ("log in", 9),
        ("Abort", 10),
        ("Click 'Cancel'", 10),
        ("the button to the right of Sign in", 10),
        ("the button left of Cancel", 9),
        ("type anna@example.com into the email field", 4),
        ("enter my password", 6),
        ("Tick the checkbox next to Remember me", 7),
        ("close this", 2),
        ("click the icon in the top right corner", 2),
        ("open the hamburger menu", 1),
        ("the icon at the top left", 1),
        ("how my personal data is handled", 12),
        ("look for a product in the search box", 13),
    ],
)
def test_what_words_lead_to(instruction: str, id: int) -> None:
    assert best(ground(FORM, instruction)) == id


def test_named_words_inside_a_line_are_clicked_themselves() -> None:
    candidate = ground(FORM, "Open the Terms of Service").candidates[0]
    words = {word.text: word.box for word in FORM.element(11).words}
    assert candidate.element_id == 11
    assert words["Terms"].x1 <= candidate.point.x <= words["Service"].x2


def test_rows_say_whose_control_is_meant() -> None:
    rows = [("Bluetooth", 100), ("Airplane mode", 160), ("Location", 220)]
    elements = []
    for index, (name, y) in enumerate(rows):
        elements.append(element(2 * index + 1, 50, y, name))
        elements.append(element(2 * index + 2, 800, y, kind="toggle", width=40))
    settings_page = screen(*elements)
    assert best(ground(settings_page, "Flip the switch for Airplane mode")) == 4
    assert best(ground(settings_page, "Turn on Location")) == 6


def test_an_action_is_taken_in_the_row_of_its_object() -> None:
    elements = []
    for index, name in enumerate(("Ann Lee", "Bob Ray", "Cy Moss")):
        elements.append(element(3 * index + 1, 50, 100 + 50 * index, name))
        elements.append(element(3 * index + 2, 600, 100 + 50 * index, kind="icon", icon="edit"))
        elements.append(element(3 * index + 3, 640, 100 + 50 * index, kind="icon", icon="trash"))
    table = screen(*elements)
    assert best(ground(table, "Delete Bob Ray")) == 6
    assert best(ground(table, "Edit the row of Cy Moss")) == 8
    assert best(ground(table, "Open Ann Lee")) == 1


def test_an_action_that_only_a_button_names_is_taken_in_the_row_of_its_object() -> None:
    elements = []
    for index, name in enumerate(("Eye clinic", "Dentist", "Blood test")):
        elements.append(element(2 * index + 1, 50, 100 + 50 * index, name))
        elements.append(element(2 * index + 2, 600, 100 + 50 * index, "Reschedule"))
    table = screen(*elements, element(7, 50, 20, "Reschedule everything"))
    assert best(ground(table, "Reschedule the Dentist appointment")) == 4
    assert best(ground(table, "Open the Blood test")) == 5


def test_a_control_is_meant_by_the_name_beside_it_whatever_it_looks_like() -> None:
    panel = screen(
        element(1, 100, 100, "Opacity"),
        element(2, 200, 100, "72 %", kind="button"),
        element(3, 100, 150, "Saturation"),
        element(4, 300, 150, kind="icon", icon="circle"),
        element(5, 100, 200, "Resolution"),
        element(6, 700, 200, "2560 x 1600", kind="button"),
        element(7, 100, 300, "Hardness of the brush"),
    )
    assert best(ground(panel, "the Opacity field")) == 2
    assert best(ground(panel, "the Saturation slider")) == 4
    assert best(ground(panel, "open the Resolution drop-down")) == 6
    assert best(ground(panel, "Opacity")) == 1


def test_a_check_box_stands_on_either_side_of_its_row() -> None:
    rows = []
    for index, name in enumerate(("Ann Lee", "Bob Ray")):
        rows.append(element(3 * index + 1, 50, 100 + 50 * index, kind="checkbox", width=20))
        rows.append(element(3 * index + 2, 200, 100 + 50 * index, name))
        rows.append(element(3 * index + 3, 600, 100 + 50 * index, kind="icon", icon="trash"))
    assert best(ground(screen(*rows), "Tick the order of Bob Ray")) == 4


@pytest.mark.parametrize("below", [True, False])
def test_like_controls_belong_to_the_entries_of_a_list(below: bool) -> None:
    """The controls stand at the end of each entry, or in a grid at its beginning; the next entry is always nearer."""
    elements = []
    for index, name in enumerate(("Anna Brandt", "Omar Haddad", "Wei Zhang")):
        top = 50 + 250 * index
        title, heart = (top, top + 200) if below else (top + 200, top)
        elements.append(element(3 * index + 1, 100, title, name))
        elements.append(element(3 * index + 2, 300, heart, kind="icon", icon="heart"))
        elements.append(element(3 * index + 3, 350, heart, kind="icon", icon="chat"))
    feed = screen(*elements)
    assert best(ground(feed, "Comment on what Omar wrote")) == 6
    for index, name in enumerate(("Anna Brandt", "Omar Haddad", "Wei Zhang")):
        assert best(ground(feed, f"Like the post of {name}")) == 3 * index + 2
        assert best(ground(feed, f"Comment on the photo of {name}")) == 3 * index + 3


def test_the_entry_that_bears_the_whole_name_is_meant() -> None:
    elements = []
    for index, name in enumerate(("Anna Brandt", "Omar Haddad", "Anna Brandt and Wei")):
        elements.append(element(2 * index + 1, 100, 50 + 250 * index, name))
        elements.append(element(2 * index + 2, 300, 250 + 250 * index, kind="icon", icon="heart"))
    assert best(ground(screen(*elements), "Like the post of Anna Brandt")) == 2


def test_what_belongs_to_a_thing_is_meant_and_not_the_thing() -> None:
    table = screen(
        element(1, 100, 100, "Swisscom Invoice"), element(2, 700, 98, kind="icon", icon="file pdf"),
        element(3, 100, 150, "Rent"), element(4, 700, 148, kind="icon", icon="file pdf"),
    )  # fmt: skip
    assert best(ground(table, "open the PDF of the Swisscom Invoice")) == 2
    assert best(ground(table, "open the Swisscom Invoice")) == 1


def test_whose_thing_it_is_tells_more_than_what_it_is() -> None:
    page = screen(
        element(1, 20, 100, "Profile"), element(2, 400, 300, "Museum of Small Boats"), element(3, 20, 140, "Details")
    )
    assert best(ground(page, "Open the profile of Museum of Small Boats")) == 2
    assert best(ground(page, "Open the details of the boats")) == 3


def test_most_things_are_changed_by_a_click_on_themselves() -> None:
    page = screen(
        element(1, 100, 100, "Sort order"), element(2, 100, 700, kind="icon", icon="edit"),
        element(3, 100, 200, "Address"), element(4, 700, 198, kind="icon", icon="edit"),
    )  # fmt: skip
    assert best(ground(page, "change the sort order")) == 1
    assert best(ground(page, "change the address")) in (3, 4)


def test_a_cross_belongs_to_the_tab_that_it_ends() -> None:
    tabs, x = [], 20
    for index, name in enumerate(("probe.c", "probe.h", "sensor.c")):
        tabs.append(element(2 * index + 1, x, 10, name))
        x += 10 * len(name) + 6
        tabs.append(element(2 * index + 2, x, 8, kind="icon", icon="close"))
        x += 40
    assert best(ground(screen(*tabs), "Close the file probe.h")) == 4
    assert ground(screen(*tabs), "Close the file sensor.c").candidates[0].element_id == 6


def test_a_count_beside_an_icon_is_no_name() -> None:
    likes = screen(
        element(1, 100, 100, kind="icon", icon="heart"), element(2, 128, 102, "191"), element(3, 400, 100, "Likeness")
    )  # fmt: skip
    assert best(ground(likes, "like it")) == 1


def test_an_arrow_opens_the_folder_that_it_stands_before() -> None:
    tree = []
    for index, name in enumerate(("docs", "images", "stations")):
        tree.append(element(2 * index + 1, 50, 100 + 26 * index, kind="icon", icon="chevron right"))
        tree.append(element(2 * index + 2, 80, 102 + 26 * index, name))
    assert best(ground(screen(*tree), "Expand the folder images")) == 3


def test_nothing_is_done_in_the_row_of_a_menu_title() -> None:
    bar = screen(
        *(element(i + 1, 10 + 80 * i, 10, name) for i, name in enumerate(MENUS)), element(7, 500, 700, "Python")
    )
    assert best(ground(bar, "Change the programming language of this program")) == 7


def test_a_button_that_says_all_of_it_is_meant() -> None:
    bar = screen(element(1, 20, 10, "Reply", kind="button"), element(2, 120, 10, "Reply all", kind="button"))
    assert best(ground(bar, "Click Reply all")) == 2
    assert best(ground(bar, "Click Reply")) == 1


def two_lines(id: int, x: float, name: str, value: str) -> Element:
    """A wide control with a small name above the value in it."""
    words = tuple(
        Word(text, Box(x + 12 + 40 * i, y, x + 48 + 40 * i, y + 14))
        for y, line in ((108, name), (128, value))
        for i, text in enumerate(line.split())
    )
    return Element(id, Box(x, 100, x + 200, 150), "button", f"{name} {value}", True, (), 0.9, words)


def test_a_name_inside_a_field_is_its_name() -> None:
    search = screen(
        two_lines(1, 50, "From", "Marrow Harbour"), two_lines(2, 300, "To", "City or station"),
        two_lines(3, 550, "Depart", "Fri 12 April"), element(4, 300, 300, kind="field", width=200),
    )  # fmt: skip
    assert best(ground(search, "Click the 'To' field")) == 2
    assert best(ground(search, "Click the From field")) == 1


def test_a_name_in_a_paragraph_is_clicked_where_it_stands() -> None:
    page = screen(
        element(1, 50, 100, "You may change your mind at any time in the privacy notice of our company"),
        element(2, 50, 200, kind="icon", icon="eye off"), element(3, 50, 300, "Notice board"),
    )  # fmt: skip
    candidate = ground(page, "Open the privacy notice").candidates[0]
    words = {word.text: word.box for word in page.element(1).words}
    assert candidate.element_id == 1 and words["privacy"].x1 <= candidate.point.x <= words["notice"].x2
    terms = screen(
        element(1, 50, 100, "I accept the terms of service and the rules of the house"), element(2, 9, 9, "Service")
    )
    assert best(ground(terms, "Open the terms of service")) == 1


def test_a_setting_is_named_by_the_line_above_its_explanation() -> None:
    page = screen(
        element(1, 100, 100, "Paperless post"), element(2, 100, 124, "We send bills by mail only"),
        element(3, 800, 126, kind="toggle", width=40), element(4, 100, 200, "Newsletter"),
        element(5, 800, 200, kind="toggle", width=40),
    )  # fmt: skip
    assert best(ground(page, "Turn on paperless post")) == 3
    assert best(ground(page, "Turn on the newsletter")) == 5
    rows = []
    for index, name in enumerate(("Wi-Fi", "Bluetooth", "Location")):  # closer than a title and its explanation
        rows.append(element(2 * index + 1, 100, 100 + 26 * index, name))
        rows.append(element(2 * index + 2, 800, 98 + 26 * index, kind="toggle", width=40))
    assert best(ground(screen(*rows), "Turn on Bluetooth")) == 4


def test_i_is_no_name() -> None:
    page = screen(element(1, 50, 100, "I"), element(2, 50, 200, "Departure"))
    assert best(ground(page, "Set the day I leave")) == 2


def test_what_is_asked_for_in_other_words_is_found() -> None:
    labels = ("Playlist", "Tenancy agreement", "Ingredients", "Subtitles", "Fuel level", "Seating plan", "Timetable")
    page = screen(*(element(i + 1, 50, 50 + 40 * i, label) for i, label in enumerate(labels)))
    wanted = {
        "what does one need to cook it?": "Ingredients",
        "who sits next to whom?": "Seating plan",
        "when does the bus leave?": "Timetable",
    }
    for instruction, label in wanted.items():
        assert best(ground(page, instruction)) == labels.index(label) + 1, instruction


def test_a_page_number_stands_among_its_neighbours() -> None:
    pages = [element(i + 1, 600 + 30 * i, 700, str(i + 1)) for i in range(4)]
    assert best(ground(screen(element(9, 100, 200, "3"), *pages), "Go to page 3")) == 3


def test_a_value_is_chosen_among_those_beside_its_name() -> None:
    choices = [element(i + 2, 400 + 80 * i, 100, f"{value} %") for i, value in enumerate((100, 150, 200))]
    page = screen(element(1, 100, 100, "Scale"), *choices, element(9, 480, 300, "150 people"))
    assert best(ground(page, "set the scale to 200 %")) == 4
    assert best(ground(page, "set the volume to 11")) != 4


def test_what_is_in_a_column_stands_below_its_title() -> None:
    columns = [element(i + 1, 100 + 300 * i, 100, name) for i, name in enumerate(("To do", "In progress", "Done"))]
    buttons = [element(i + 4, 100 + 300 * i, 400 - 50 * i, "Add card") for i in range(3)]
    board = screen(*columns, *buttons)
    assert best(ground(board, 'click "Add card" in the In progress column')) == 5
    assert best(ground(board, 'in the In progress column, click "Add card"')) == 5


def test_a_quoted_name_is_taken_as_it_is() -> None:
    menus = screen(element(1, 100, 100, "Dropdown"), element(2, 100, 200, "Drop down list"))
    assert best(ground(menus, 'click "Drop down list"')) == 2
    assert best(ground(menus, 'click "Dropdown"')) == 1


def test_ordinals_count_in_reading_order() -> None:
    results = screen(*(element(i + 1, 100, 100 + 60 * i, f"Result about {name}") for i, name in enumerate("abcd")))
    assert best(ground(results, "open the second result")) == 2
    assert best(ground(results, "click the last result")) == 4
    buttons = screen(*(element(i + 1, 100 + 200 * i, 100, "Add", kind="button") for i in range(3)))
    assert best(ground(buttons, "click the third Add button")) == 3


def test_icons_are_found_by_any_of_their_names() -> None:
    icons = ("settings", "trash", "phone", "microphone", "back", "cart", "users", "user", "download")
    bar = screen(*(element(i + 1, 50 + 60 * i, 100, kind="icon", icon=name) for i, name in enumerate(icons)))
    wanted = {
        "open the preferences": "settings",
        "throw it in the bin": "trash",
        "ring somebody": "phone",
        "dictate a sentence": "microphone",
        "return to the previous page": "back",
        "show my basket": "cart",
        "save it to my computer": "download",
    }
    for instruction, icon in wanted.items():
        assert best(ground(bar, instruction)) == icons.index(icon) + 1, instruction


def test_what_is_done_counts_more_than_what_it_is_done_to() -> None:
    editor = screen(
        element(1, 20, 10, "Layer"),
        element(2, 20, 100, icon="eye off", kind="icon"),
        element(3, 20, 200, icon="image", kind="icon"),
        element(4, 60, 200, "Insert"),
        element(5, 20, 300, icon="bar chart", kind="icon"),
    )
    assert best(ground(editor, "hide the layer")) == 2
    assert best(ground(editor, "Open the Layer menu")) == 1
    assert best(ground(editor, "Insert a chart")) == 5


def test_a_name_with_a_capital_is_rather_written_than_drawn() -> None:
    bar = screen(element(1, 20, 10, "File"), element(2, 20, 60, icon="folder open", kind="icon"))
    assert best(ground(bar, "Open the File menu")) == 1
    assert best(ground(bar, "open a file")) == 2


MENUS = ("File", "Edit", "View", "Insert", "Tools", "Help")


@pytest.mark.parametrize(
    ("instruction", "menu"),
    [
        ("Which menu lets me insert a footnote?", "Insert"),
        ("Where do I find the handbook?", "Help"),
        ("Which menu has the word count?", "Tools"),
        ("Where can I show the rulers?", "View"),
        ("Where is the licence of this program?", "Help"),
    ],
)
def test_a_menu_is_found_by_what_it_holds(instruction: str, menu: str) -> None:
    bar = screen(
        *(element(i + 1, 10 + 80 * i, 10, name) for i, name in enumerate(MENUS)),
        element(7, 20, 200, "Insight"),
        element(8, 20, 300, "My files and menus"),
    )
    assert best(ground(bar, instruction)) == MENUS.index(menu) + 1


def test_what_is_there_itself_is_not_looked_for_in_a_menu() -> None:
    bar = screen(
        *(element(i + 1, 10 + 80 * i, 10, name) for i, name in enumerate(MENUS)),
        element(7, 20, 60, kind="icon", icon="undo"),
        element(8, 60, 60, kind="icon", icon="add image"),
    )
    assert best(ground(bar, "Undo the last step")) == 7
    assert best(ground(bar, "Insert an image")) == 8


def test_what_goes_the_other_way_is_not_meant() -> None:
    guesses = {1: [("rotate right", 0.7)], 2: [("rotate left", 0.2)], 3: [("next track", 0.3)]}
    bar = screen(
        *(
            Element(id, Box(40 * id, 10, 40 * id + 24, 34), "icon", "", True, tuple(IconGuess(*g) for g in icons))
            for id, icons in guesses.items()
        ),
        element(4, 300, 10, "Zoom Out"),
        element(5, 400, 10, "Scale"),
        element(6, 300, 60, "Previous", kind="button"),
    )
    assert best(ground(bar, "Turn the photo to the left")) == 2
    assert best(ground(bar, "Rotate it to the right")) == 1
    assert best(ground(bar, "zoom in")) != 4
    assert best(ground(bar, "go to the previous song")) == 6


@pytest.mark.parametrize(
    ("instruction", "id"),
    [
        ("Change the magnification", 5),
        ("Choose another typeface", 1),
        ("Pick a smaller font size", 2),
        ("Type another page number", 3),
        ("Where is the location typed in?", 6),
    ],
)
def test_values_tell_what_their_controls_are(instruction: str, id: int) -> None:
    bar = screen(
        element(1, 20, 10, "Noto Serif", kind="field", width=160), element(2, 190, 10, "14", kind="button"),
        element(3, 500, 700, "2", kind="button"), element(4, 530, 700, "of 9"), element(5, 800, 700, "125 %"),
        element(6, 300, 100, "/srv/data/reports", kind="field", width=300), element(7, 20, 300, "14"),
    )  # fmt: skip
    assert best(ground(bar, instruction)) == id


def test_a_misread_word_keeps_its_meaning() -> None:
    page = screen(element(1, 20, 10, "Prefrences"), element(2, 20, 60, "Extensions"), element(3, 20, 90, "Favrites"))
    assert best(ground(page, "configure the program")) == 1


def toolbar(*icons: tuple[str, float]) -> Screen:
    """A menu bar over a row of icons, each with its best guess; their ids begin with 11."""
    return screen(
        *(element(i + 1, 10 + 80 * i, 10, name) for i, name in enumerate(MENUS)),
        *(
            Element(11 + i, Box(10 + 40 * i, 40, 34 + 40 * i, 64), "icon", "", True, (IconGuess(*guess),))
            for i, guess in enumerate(icons)
        ),
        element(30, 20, 300, "Reports"),
    )


def test_first_tools_stand_in_their_usual_order() -> None:
    unknown = toolbar(*[("atom", 0.05)] * 7)
    assert best(ground(unknown, "Save the painting")) == 13
    assert best(ground(unknown, "Print the painting")) == 15
    known = toolbar(*[("atom", 0.05)] * 2, ("cut", 0.9), *[("atom", 0.05)] * 2, ("save", 0.8), ("copy", 0.9))
    assert best(ground(known, "Save the painting")) == 16


def test_what_an_action_is_done_to_is_never_sure() -> None:
    page = screen(element(1, 20, 10, "Album"), element(2, 20, 60, "Extras"), element(3, 20, 90, "About"))
    assert not ground(page, "Print the album").sure
    assert not ground(page, "Create a new album").sure
    assert ground(page, "Open the album").sure


def test_leading_verbs_are_no_neighbours() -> None:
    bar = screen(element(1, 20, 10, "Go"), element(2, 20, 200, "Garage"))
    assert best(ground(bar, "Go to Garage")) == 2


def test_a_switch_that_is_asked_for_is_a_switch() -> None:
    page = screen(
        element(1, 20, 100, icon="gift", kind="icon"), element(2, 60, 100, "Wrap my order"),
        element(3, 600, 100, kind="toggle", width=40), element(4, 60, 200, "Gifts"),
    )  # fmt: skip
    assert best(ground(page, "Turn on the switch for gift wrapping")) == 3


def test_icons_are_found_in_other_languages() -> None:
    icons = ("settings", "trash", "search", "cart", "print")
    bar = screen(*(element(i + 1, 50 + 60 * i, 100, kind="icon", icon=name) for i, name in enumerate(icons)))
    wanted = {
        "Öffne die Einstellungen": "settings",
        "Supprimer le message": "trash",
        "搜索": "search",
        "Zum Warenkorb gehen": "cart",
        "Imprimir la página": "print",
        "ابحث": "search",
    }
    for instruction, icon in wanted.items():
        assert best(ground(bar, instruction)) == icons.index(icon) + 1, instruction


def test_writing_other_than_latin_is_matched() -> None:
    page = screen(element(1, 10, 10, "登录"), element(2, 200, 10, "注册"), element(3, 400, 10, "تسجيل الدخول"))
    assert best(ground(page, "点击登录")) == 1
    assert best(ground(page, "点击注册按钮")) == 2
    assert best(ground(page, "انقر على تسجيل الدخول")) == 3


def test_a_clear_instruction_is_sure() -> None:
    grounding = ground(FORM, "Click Cancel")
    assert grounding.sure
    assert grounding.reason == ""
    assert grounding.candidates[0].why == 'text "Cancel"'


def test_two_alike_are_not_sure() -> None:
    twins = screen(element(1, 100, 100, "Details", kind="button"), element(2, 100, 400, "Details", kind="button"))
    grounding = ground(twins, "Click Details")
    assert not grounding.sure
    assert "equally well" in grounding.reason


def test_nothing_that_fits_is_not_sure() -> None:
    grounding = ground(FORM, "water the tomatoes")
    assert not grounding.sure
    assert grounding.reason.startswith("not sure")


@pytest.mark.parametrize("instruction", ["", "   ", "!?…", "🎉🎉"])
def test_an_instruction_without_words_is_not_sure(instruction: str) -> None:
    assert not ground(FORM, instruction).sure


def test_an_empty_screen_has_no_candidates() -> None:
    grounding = ground(screen(), "click OK")
    assert grounding.candidates == ()
    assert not grounding.sure


def test_a_very_long_instruction_is_read() -> None:
    assert best(ground(FORM, "Click Cancel " + "because I really mean it " * 400)) == 10


texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["Save", "Save as", "登录 帐户", "تسجيل الدخول", "🎉", "l0g ln", "a", "Terms of Service and more words here"]
    ),
)
instructions = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "click the second save to the left of 'Terms'",
            "type 'x' in the",
            "for of from",
            "the last",
            "点击登录",
            '"',
            "next to",
        ]
    ),
    st.lists(st.sampled_from("click the first 'save \" of right top icon next to left tab 登录 remove".split(" "))).map(
        " ".join
    ),
)


@st.composite
def screens(draw: st.DrawFn) -> Screen:
    width, height = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
    elements = []
    for id in range(1, draw(st.integers(0, 8)) + 1):
        x1, x2 = sorted((draw(st.floats(0, width)), draw(st.floats(0, width))))
        y1, y2 = sorted((draw(st.floats(0, height)), draw(st.floats(0, height))))
        text = draw(texts)
        kind = draw(st.sampled_from(["text", "button", "icon", "field", "checkbox", "toggle", "image"]))
        icons = draw(
            st.lists(st.builds(IconGuess, st.sampled_from(["close", "arrow", "", "登"]), st.floats(0, 1)), max_size=2)
        )
        words = tuple(Word(word, Box(x1, y1, x2, y2)) for word in text.split())
        elements.append(Element(id, Box(x1, y1, x2, y2), kind, text, draw(st.booleans()), tuple(icons), 0.5, words))
    return Screen((width, height), tuple(elements), "random")


@settings(max_examples=50, deadline=None)
@given(screens(), instructions)
def test_any_screen_and_instruction_give_a_valid_ranking(some: Screen, instruction: str) -> None:
    grounding = ground(some, instruction)
    ids = [candidate.element_id for candidate in grounding.candidates]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {element.id for element in some.elements}
    confidences = [candidate.confidence for candidate in grounding.candidates]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    for candidate in grounding.candidates:
        assert some.element(candidate.element_id).box.contains(candidate.point)
    assert grounding.sure == (grounding.reason == "")


def in_rows(texts: list[str], icon: str, apart: float = 60) -> Screen:
    """Each text begins a row of its own, with an icon at its right end."""
    return screen(
        *(element(i, 50, 100 + apart * i, text) for i, text in enumerate(texts, start=1)),
        *(element(10 + i, 700, 98 + apart * i, kind="icon", icon=icon) for i in range(1, len(texts) + 1)),
    )


@pytest.mark.parametrize(
    ("instruction", "names", "icon"),
    [
        ("Leg den Sitzhocker Murmel in den Warenkorb", ["Ohrensessel Friedrich", "Sitzhocker Murmel"], "cart"),
        ("Lösche die Datei Ferienplan", ["Einkaufsliste", "Ferienplan"], "trash"),
        ("把蒋一诺删除", ["途安商旅", "蒋一诺"], "trash"),
        ("Supprime le dossier Vacances", ["Factures", "Vacances"], "trash"),
    ],
)
def test_in_other_languages_too_something_is_done_to_what_is_named(
    instruction: str, names: list[str], icon: str
) -> None:
    assert best(ground(in_rows(names, icon), instruction)) == 12
    assert best(ground(in_rows(names[::-1], icon), instruction)) == 11


def test_a_number_tells_an_entry_from_another_of_its_name() -> None:
    page = screen(element(1, 50, 100, "Invoice 2044"), element(2, 50, 150, "2041"), element(3, 50, 200, "New invoice"))
    assert best(ground(page, "Click on the row Invoice 2041")) == 2


def test_what_is_next_to_a_name_is_in_its_row_however_far() -> None:
    names = ["Password", "Email address", "Phone number"]
    page = screen(
        *(element(i, 50, 100 + 50 * i, name) for i, name in enumerate(names, start=1)),
        *(element(10 + i, 900, 100 + 50 * i, "Change") for i in (1, 2, 3)),
    )
    assert best(ground(page, "Click Change next to the email address")) == 12


def test_a_shortcut_is_no_part_of_the_name_of_a_menus_entry() -> None:
    page = screen(element(1, 50, 100, "Export image... Ctrl+Shift+E"), element(2, 50, 150, "Export Ctrl+E"))
    known = describe(page.elements)
    assert known.words == [["export", "image"], ["export"]]
    assert describe(screen(element(1, 0, 0, "Ctrl+C")).elements).words == [["ctrl", "c"]]


def test_a_duration_beside_an_icon_is_not_its_name() -> None:
    page = screen(element(1, 50, 100, kind="icon", icon="play"), element(2, 80, 102, "9 min"))
    assert not describe(page.elements).labels
    page = screen(element(1, 50, 100, kind="icon", icon="play"), element(2, 80, 102, "Trailer"))
    assert describe(page.elements).labels[1].text.id == 2


def test_of_icons_that_look_alike_the_nearest_is_meant_however_sure_each_is() -> None:
    heart = element(3, 40, 300, kind="icon", icon="heart")
    page = screen(
        element(1, 300, 100, "Casa do Farol"), element(2, 300, 300, "Hotel Azinhaga"), heart,
        Element(4, Box(40, 100, 64, 124), "icon", "", True, (IconGuess("heart", 0.55), IconGuess("apple", 0.2)), 0.9),
    )  # fmt: skip
    assert best(ground(page, "Save Casa do Farol to my favourites")) == 4
    assert best(ground(page, "Save Hotel Azinhaga to my favourites")) == 3


def test_on_cards_a_heart_above_the_name_is_the_cards() -> None:
    hearts = [Box(300, 100 + 200 * i, 324, 124 + 200 * i) for i in range(3)]
    names = [Box(100, 250 + 200 * i, 220, 270 + 200 * i) for i in range(3)]
    heading = Box(100, 20, 220, 40)
    for i, name in enumerate(names[:2]):
        assert of_same_entry(name, hearts, [heading, *names], 20.0) == i
    # In a feed the name comes first, and posts differ in height.
    feed = [Box(300, y, 324, y + 24) for y in (300, 700, 900)]
    names = [Box(100, y, 220, y + 20) for y in (100, 350, 750)]
    assert [of_same_entry(name, feed, names, 20.0) for name in names] == [0, 1, 2]


@pytest.mark.parametrize("text", ["Choose Option 2", "Insert Alt text", "Big Win today", "Gate F2", "Model Del"])
def test_words_like_keys_stay_in_a_name(text: str) -> None:
    assert describe(screen(element(1, 0, 0, text)).elements).words == [text.lower().split()]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_things_of_a_name_the_one_that_lies_as_asked_is_meant(turned: bool) -> None:
    labels = [element(1, 600, 100, "Email"), element(2, 100, 100, "Email")]
    page = screen(*labels[:: -1 if turned else 1], element(3, 100, 150, "Change"), element(4, 760, 100, "Change"))
    assert best(ground(page, "Click Change below Email")) == 3


def on_panels(panels: list[Box], *elements: Element) -> Screen:
    return Screen((1000, 800), elements, "by hand", {}, tuple(panels))


CARDS = [Box(10, 80, 300, 300), Box(320, 80, 640, 300), Box(660, 80, 980, 300)]


@pytest.mark.parametrize(("card", "instruction"), [(1, "View all beside Payments"), (2, "Details under Investments")])
def test_what_stands_on_one_panel_belongs_together(card: int, instruction: str) -> None:
    page = on_panels(
        CARDS,
        element(1, 20, 100, "Transactions"),
        element(2, 240, 100, "View all"),
        element(3, 330, 100, "Payments"),
        element(4, 560, 100, "View all"),
        element(5, 670, 100, "Investments"),
        element(6, 490, 280, "Details"),
        element(7, 900, 280, "Details"),
    )
    chosen = page.element(best(ground(page, instruction)))
    assert chosen.box.inside(CARDS[card]) == 1.0
    bare = Screen(page.size, page.elements, "by hand")
    assert best(ground(bare, "View all beside Payments")) == 2, "without panels the nearer one is meant"


def test_a_word_that_stands_as_asked_is_no_misreading_of_another() -> None:
    page = screen(
        element(1, 20, 60, "Property type"),
        element(2, 200, 60, "Hotels"),
        element(3, 20, 400, kind="checkbox", width=20),
        element(4, 50, 400, "Hostels"),
    )
    assert best(ground(page, "Select Hostels as the property type")) in (3, 4)
    alone = screen(element(1, 20, 20, "Hotels"), element(2, 20, 60, "Flights"))
    assert best(ground(alone, "Select Hostels")) == 1


def test_what_stands_before_a_colon_names_the_control() -> None:
    page = screen(element(1, 20, 300, "Status"), element(2, 20, 20, "Status: Any", kind="field"))
    assert best(ground(page, "Open the Status filter")) == 2


def test_a_headline_of_two_lines_is_one_name() -> None:
    page = screen(
        element(1, 20, 20, "Home"),
        element(2, 20, 300, "Treasury shelves plan for a tax"),
        element(3, 20, 326, "on second homes"),
        element(4, 20, 500, "Taxi fares rise in the capital"),
    )
    assert best(ground(page, "Read the article about the tax on second homes")) in (2, 3)


def test_the_title_above_tells_like_entries_apart() -> None:
    page = screen(
        element(1, 20, 20, "Text size"),
        element(2, 20, 50, "Standard"),
        element(3, 20, 120, "Width"),
        element(4, 20, 150, "Standard"),
    )
    assert best(ground(page, "Select the Standard width")) == 4
    assert best(ground(page, "Select the Standard text size")) == 2


def test_a_part_of_a_longer_name_is_not_meant() -> None:
    page = screen(element(1, 20, 20, "Unread"), element(2, 20, 50, "Unread first"))
    assert best(ground(page, "Choose Unread first in the sort menu")) == 2
    assert best(ground(page, "Choose Unread")) == 1


def test_an_entry_is_opened_by_its_name_not_by_its_tick_box() -> None:
    page = screen(element(1, 20, 20, kind="checkbox", width=20), element(2, 50, 20, "ingest-mobile"))
    assert best(ground(page, "Open the ingest-mobile stage")) == 2
    assert best(ground(page, "Tick ingest-mobile")) == 1


def test_an_entry_of_a_section_stands_below_its_title() -> None:
    page = screen(
        element(1, 20, 20, "Contents"),
        element(2, 20, 60, "History"),
        element(3, 20, 100, "Etymology"),
        element(4, 300, 20, "Etymology"),
    )
    assert best(ground(page, "Jump to Etymology from the contents list")) == 3


def test_arrows_of_a_tree_are_alike_whether_open_or_not() -> None:
    page = screen(
        element(1, 20, 20, icon="chevron down", kind="icon"),
        element(2, 50, 20, "src"),
        element(3, 40, 60, icon="chevron right", kind="icon"),
        element(4, 70, 60, "docs"),
        element(5, 40, 100, icon="chevron down", kind="icon"),
        element(6, 70, 100, "tests"),
    )
    assert best(ground(page, "Expand the folder docs")) == 3


def test_a_button_that_says_the_verb_is_pressed_for_the_one_that_is_named() -> None:
    page = screen(
        element(1, 20, 60, "Paolo Brancati"),
        element(2, 20, 100, "Take payment", kind="button"),
        element(3, 20, 300, "Henrike Osterlund"),
        element(4, 20, 340, "Check in", kind="button"),
        element(5, 20, 540, "Ines Vahl"),
        element(6, 20, 580, "Check in", kind="button"),
    )
    assert best(ground(page, "Take payment from Paolo")) == 2
    assert best(ground(page, "Check in Henrike Osterlund")) == 4
    assert best(ground(page, "Check in Ines Vahl")) == 6
    assert best(ground(page, "Open Ines Vahl")) == 5


def table_of_machines() -> Screen:
    rows = (("db-1", "SSH"), ("db-2", "RDP"), ("web-1", "SSH"))
    elements = [element(1, 20, 20, "Name"), element(2, 400, 20, "Connect"), element(3, 700, 20, "Zone")]
    for index, (name, way) in enumerate(rows):
        y = 80 + 60 * index
        elements += [
            element(10 * index + 10, 20, y, name),
            element(10 * index + 11, 400, y, way, kind="button"),
            element(10 * index + 12, 700, y, "eu-west", kind="button"),
        ]
    return screen(*elements)


@pytest.mark.parametrize(
    ("instruction", "id"), [("Connect to db-2", 21), ("Connect to web-1", 31), ("Change the zone of db-1", 12)]
)
def test_a_cell_is_named_by_its_row_and_the_title_of_its_column(instruction: str, id: int) -> None:
    assert best(ground(table_of_machines(), instruction)) == id


def test_what_rows_say_of_themselves_is_rather_not_meant() -> None:
    rows = [element(10 + i, 500, 60 + 40 * i, "Seeding") for i in range(4)]
    for elements in ([element(1, 20, 200, "Seeding"), *rows], [*rows, element(1, 20, 200, "Seeding")]):
        assert best(ground(screen(*elements), "Click Seeding")) == 1


@pytest.mark.parametrize("instruction", ["Turn off the Floor lamp", "switch on the Ceiling light"])
def test_a_tile_has_its_switch_in_any_corner(instruction: str) -> None:
    tiles = [Box(20, 20, 240, 180), Box(260, 20, 480, 180)]
    page = on_panels(
        tiles,
        element(1, 190, 30, kind="toggle", width=40),
        element(2, 30, 140, "Floor lamp"),
        element(3, 430, 30, kind="toggle", width=40),
        element(4, 270, 140, "Ceiling light"),
    )
    assert best(ground(page, instruction)) == (1 if "Floor" in instruction else 3)


def test_what_lies_far_away_does_not_belong_to_a_named_thing() -> None:
    page = screen(element(1, 20, 20, "OrchardPay", kind="button"), element(2, 20, 700, "Payment"))
    assert best(ground(page, "Pay with OrchardPay")) == 1


def test_a_name_that_stands_word_by_word_tells_which_row() -> None:
    page = screen(
        element(1, 20, 100, "src/uploader.ts"),
        element(2, 500, 100, "Viewed"),
        element(3, 20, 400, "test/uploader.test.ts"),
        element(4, 500, 400, "Viewed"),
    )
    assert best(ground(page, "Mark uploader.ts as viewed")) == 2
    assert best(ground(page, "Mark uploader.test.ts as viewed")) == 4


def test_what_is_somebodys_is_in_the_row_of_that_person() -> None:
    page = screen(
        element(1, 300, 20, "Seats"),
        element(2, 20, 100, "Ingrid Lind adult"),
        element(3, 400, 100, icon="trash", kind="icon"),
        element(4, 20, 300, "Oskar Lind adult"),
        element(5, 400, 300, icon="trash", kind="icon"),
    )
    assert best(ground(page, "Remove Oskar's seat")) == 5


def test_an_icon_beyond_another_text_is_that_texts() -> None:
    page = screen(
        element(1, 100, 100, "Live captions"),
        element(2, 500, 100, "Mats Lehto"),
        element(3, 900, 100, icon="microphone", kind="icon"),
    )
    assert best(ground(page, "turn on live captions")) == 1


def test_a_field_is_clicked_at_the_words_that_are_named() -> None:
    """What looks like one wide field may be a link in an empty row."""
    row = Element(1, Box(20, 20, 900, 50), "field", "Add line", True, (), 0.9, element(1, 20, 25, "Add line").words)
    point = ground(screen(row), "Add line to the invoice").candidates[0].point
    assert 20 <= point.x <= 100


def test_the_26th_is_written_26() -> None:
    days = [element(i, 20 + 40 * (i % 7), 100 + 40 * (i // 7), str(i)) for i in range(1, 31)]
    page = screen(*days, element(40, 800, 20, icon="calendar", kind="icon"))
    assert best(ground(page, "Pick the 26th in the calendar")) == 26


def test_a_flight_is_told_by_the_order_of_its_places() -> None:
    texts = ("ARN LIS", "ARN", "LIS", "LIS ARN", "LIS", "ARN")
    page = screen(*(element(i, 20 + 100 * i, 20, text) for i, text in enumerate(texts)))
    assert best(ground(page, "Switch to the return flight LIS → ARN")) == 3


@pytest.mark.parametrize(
    ("texts", "instruction", "id"),
    [
        (("Delete files", "Delete selected files"), "Delete the selected files", 1),
        (("New window", "New private window"), "New private window", 1),
        (("Join the club", "Join the 5th Avenue club"), "Click 'Join the 5th Avenue club'", 1),
        (("Mode", "Focus mode", "Dark mode"), "Focus mode", 1),
        (("Show", "Show in the context menu"), "Click 'Show in the context menu'", 1),
        (("Table of contents", "Automatic"), "Select Insert > Table of contents and figures > Automatic", 1),
    ],
)
def test_a_button_that_says_more_of_it_is_meant(texts: tuple[str, ...], instruction: str, id: int) -> None:
    page = screen(*(element(i, 20, 20 + 60 * i, text, kind="button") for i, text in enumerate(texts)))
    assert best(ground(page, instruction)) == id


def test_a_button_above_a_list_is_no_title_of_a_column() -> None:
    page = screen(
        element(1, 300, 20, "Edit", kind="button"),
        element(2, 20, 100, "Acme"),
        element(3, 300, 100, "Rome"),
        element(4, 20, 160, "Bolt"),
        element(5, 300, 160, "Berlin"),
    )
    assert best(ground(page, "Edit Bolt")) == 1


def test_what_is_marked_is_not_the_heading_of_what_is_so() -> None:
    page = screen(
        element(1, 20, 20, "Important"),
        element(2, 20, 300, "Ole Vik"),
        element(3, 600, 300, icon="flag", kind="icon"),
        element(4, 20, 360, "Anna Ray"),
        element(5, 600, 360, icon="flag", kind="icon"),
    )
    assert best(ground(page, "Mark the message from Anna Ray as important")) == 5
