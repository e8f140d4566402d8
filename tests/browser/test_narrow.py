"""Narrowing: a person types, is helped, clicks values, counts, goes back, and searches further than the list goes."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from livesignals.events import Event
from livesignals.filters import parse
from tests.browser.conftest import PATIENCE_MS, Dashboard, Hand, Shop
from tests.journal.building import Sender, make_event, make_events

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.usefixtures("console")]

#: Takes the journal a while for each send, and matches none.
SLOW = " OR ".join(f"zz{n}" for n in range(120))


def options(page: Page) -> Locator:
    return page.locator("#completions [role=option]")


# While it is typed


def test_fields_and_values_that_were_seen_complete_what_is_typed(dashboard: Dashboard, hand: Hand) -> None:
    """By the keyboard and by the mouse; a field leads on to its values; the list narrows to what was chosen."""
    hand.send("complete.one", 2)
    hand.send("complete.two", 2)
    dashboard.open()
    page, field = dashboard.page, dashboard.page.locator("#filter")
    expect(field).to_have_attribute("aria-expanded", "false")
    dashboard.type_filter("sen")
    expect(options(page).first).to_contain_text("sender")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", re.compile("completion-0"))
    page.keyboard.press("Enter")
    expect(field).to_have_value("sender:")
    expect(options(page).filter(has_text="complete.one")).to_be_visible()
    page.keyboard.type("complete.")
    options(page).filter(has_text="complete.two").click()
    expect(field).to_be_focused()
    dashboard.expect_filter("sender:complete.two")
    expect(page.locator("#completions")).to_be_hidden()
    dashboard.expect_senders("complete.two")


def test_what_was_carried_is_completed_too_and_a_word_to_the_value_it_is_part_of(
    dashboard: Dashboard, hand: Hand
) -> None:
    """Keys and values of payloads; names of models without knowing that they are senders."""
    hand.send("complete.carried", colour="vermilion")
    dashboard.open()
    page = dashboard.page
    dashboard.type_filter("colo")
    page.keyboard.press("ArrowDown")
    expect(options(page).first).to_contain_text("kwargs.colour")
    page.keyboard.press("Tab")
    expect(options(page).first.locator("b")).to_have_text("vermilion")
    page.keyboard.press("Tab")
    dashboard.expect_filter("kwargs.colour:vermilion")
    dashboard.expect_senders("complete.carried")
    dashboard.type_filter("-complete.car")
    expect(options(page).filter(has_text="sender:complete.carried")).to_be_visible()


def test_the_list_of_completions_is_left_without_choosing(dashboard: Dashboard, hand: Hand) -> None:
    """Enter takes what was typed, Escape closes the list and then leaves the field; down opens it on demand."""
    hand.send("left.alone")
    dashboard.open()
    page, listed = dashboard.page, dashboard.page.locator("#completions")
    dashboard.type_filter("left.al")
    expect(listed).to_be_visible()
    page.keyboard.press("Enter")
    expect(listed).to_be_hidden()
    dashboard.expect_filter("left.al")
    dashboard.expect_senders("left.alone")
    page.keyboard.press("ArrowDown")
    expect(listed).to_be_visible()
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#filter")).not_to_be_focused()
    dashboard.type_filter("left.al")
    expect(listed).to_be_visible()
    page.locator("#filter").fill("")
    expect(listed).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_somebody_types(dashboard: Dashboard, hand: Hand, width: int) -> None:
    """Neither completions nor mistakes push the list away; both fit into the window."""
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 700})
    hand.send("unmoved")
    dashboard.open()
    expect(page.locator("#processes-button b")).to_have_text(re.compile("[1-9]"))  # the header has its figures
    where = "() => document.getElementById('list').getBoundingClientRect().top"
    top = page.evaluate(where)
    for text, appears, says in (
        ("se", "#completions", "sender"),
        ("dur>5x", "#filter-error", "us, ms, s, m, h"),
        ("sender:unmoved", "#searched", "in all"),
    ):
        dashboard.type_filter(text)
        expect(page.locator(appears)).to_be_visible()
        expect(page.locator(appears)).to_contain_text(says)
        assert page.evaluate(where) == top
        box = page.locator(appears).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_the_mistake_in_a_long_filter_is_pointed_at_as_the_field_scrolls(dashboard: Dashboard) -> None:
    """Under its character; at the field's edge, with an arrow, when that is out of sight."""
    dashboard.open()
    page, caret = dashboard.page, dashboard.page.locator("#filter-error pre")
    page.locator("#filter").fill("word " * 60 + "dur>5x")
    expect(caret).to_be_visible()
    expect(caret).to_have_text("^")
    field = page.locator("#filter").bounding_box()
    box = caret.bounding_box()
    assert field is not None
    assert box is not None
    assert field["x"] + field["width"] * 0.9 < box["x"] < field["x"] + field["width"]
    page.keyboard.press("Home")
    expect(caret).to_have_text("›")
    page.locator("#filter").fill("dur>5x " + "word " * 60)
    expect(caret).to_have_text("‹")


def test_the_filter_is_read_back_in_english(dashboard: Dashboard, hand: Hand) -> None:
    """Also when there is none; of a wrong one the last valid reading stays."""
    hand.send("english")
    dashboard.open()
    english = dashboard.page.locator("#filter-english")
    expect(english).to_have_text("every send")
    dashboard.type_filter("-sender:english n>=2")
    expect(english).to_have_text("the sender is not english and the number of receivers is at least 2")
    dashboard.page.locator("#filter").fill("-sender:english n>=2 (")
    expect(dashboard.page.locator("#filter-error")).to_be_visible()
    expect(english).to_have_text("the sender is not english and the number of receivers is at least 2")


def test_examples_in_the_help_are_filters_to_click(dashboard: Dashboard, hand: Hand) -> None:
    """Whole ones, and one for each field."""
    hand.send("helped", signal="refused")
    dashboard.open()
    page = dashboard.page
    page.locator("#help-button").click()
    page.locator("#help .examples").get_by_text("is:error", exact=True).click()
    expect(page.locator("#help")).to_be_hidden()
    dashboard.expect_filter("is:error")
    dashboard.expect_row("refused", sender="helped")
    page.locator("#help-button").click()
    page.locator("#help table").get_by_text("family:model,auth").click()
    dashboard.expect_filter("family:model,auth")


# When the server takes its time


class Line:
    """Between a page and its server; what the server says in these types of messages comes when it is let go."""

    def __init__(self, page: Page, *types: str) -> None:
        self.types = types
        self.held: list[str] = []
        page.route_web_socket(re.compile("/socket/"), self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        self._page = page
        page.connect_to_server().on_message(self._pass)

    def _pass(self, said: str | bytes) -> None:
        if json.loads(said)["type"] in self.types:
            self.held.append(str(said))
        else:
            self._page.send(said)

    def let_go(self) -> None:
        self.types = ()
        for said in self.held:
            self._page.send(said)
        self.held = []


def test_what_was_marked_stays_so_when_a_late_answer_lists_it_again(dashboard: Dashboard, hand: Hand) -> None:
    """Enter takes it."""
    page, field = dashboard.page, dashboard.page.locator("#filter")
    line = Line(page)
    dashboard.open()
    dashboard.type_filter("send")
    expect(options(page).first).to_contain_text("sender")
    line.types = ("completions",)
    page.keyboard.press("e")
    page.keyboard.press("ArrowDown")
    dashboard.until(lambda: bool(line.held))
    first = options(page).first.element_handle()
    line.let_go()
    page.wait_for_function("option => !option.isConnected", arg=first)
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(field).to_have_value("sender:")


def test_what_was_typed_is_not_replaced_by_a_late_answer(dashboard: Dashboard, hand: Hand) -> None:
    """To a click on a value before."""
    hand.send("late.a")
    page = dashboard.page
    line = Line(page, "narrowed")
    dashboard.open("?q=sender:late.*")
    dashboard.rows(sender="late.a").locator("[data-field=sender]").click(modifiers=["Control"])
    dashboard.until(lambda: bool(line.held))
    dashboard.type_filter("sender:late.b")
    line.let_go()
    hand.send("late.b")
    dashboard.expect_senders("late.b")
    dashboard.expect_filter("sender:late.b")


def test_a_late_mistake_is_not_told_of_what_was_typed_since(dashboard: Dashboard, hand: Hand) -> None:
    """The filter that is right is in force, also for what is asked for afterwards."""
    hand.send("since.a")
    page, error = dashboard.page, dashboard.page.locator("#filter-error")
    line = Line(page, "error")
    dashboard.open("?q=sender:since.*")
    page.locator("#filter").fill("sender:since.a dur>5x")
    dashboard.until(lambda: bool(line.held))
    page.locator("#filter").fill("sender:since.b")
    expect(page.locator("#filter-english")).to_have_text("the sender is since.b")
    line.let_go()
    hand.send("since.b")
    dashboard.expect_senders("since.b")
    expect(error).to_be_hidden()


# By clicking


def test_values_in_the_pane_narrow_and_with_alt_are_left_out(dashboard: Dashboard, hand: Hand) -> None:
    """What was carried, at any depth; receivers; what it ran inside."""
    hand.send("pane.a", signal="answered", colour="red", inner={"deep": [1, "two words"]})
    hand.send("pane.b", signal="answered", colour="green")
    dashboard.open("?q=sender:pane.*")
    dashboard.expect_senders("pane.a", "pane.b")
    page, detail = dashboard.page, dashboard.page.locator("#detail")
    dashboard.rows(sender="pane.a").click()
    detail.get_by_text("two words", exact=True).click()
    dashboard.expect_filter('sender:pane.* kwargs.inner.deep:"two words"')
    dashboard.expect_senders("pane.a")
    dashboard.filter("sender:pane.*")
    detail.get_by_text("red", exact=True).click(modifiers=["Alt"])
    dashboard.expect_filter("sender:pane.* -kwargs.colour:red")
    dashboard.expect_senders("pane.b")
    dashboard.filter("a OR sender:pane.*")
    detail.locator(".call code").click()
    dashboard.expect_filter("(a OR sender:pane.*) receiver:talk.answer")
    dashboard.filter("sender:pane.*")
    detail.locator("[data-field=pid]").click()
    expect(page.locator("#filter")).to_have_value(re.compile(r"^sender:pane\.\* pid:\d+$"), timeout=PATIENCE_MS)
    dashboard.expect_senders("pane.a", "pane.b")
    expect(detail.locator("h1")).to_contain_text("answered")


def test_values_in_a_row_narrow_with_a_modifier_and_a_plain_click_opens_it(dashboard: Dashboard, hand: Hand) -> None:
    """Ctrl for only these, Alt for all but these."""
    hand.send("row.a", signal="answered")
    hand.send("row.b", signal="answered")
    dashboard.open("?q=sender:row.*")
    dashboard.expect_senders("row.a", "row.b")
    page, pane = dashboard.page, dashboard.page.locator("#pane")
    value = dashboard.rows(sender="row.a").locator("[data-field=sender]")
    value.click(modifiers=["Alt"])
    dashboard.expect_filter("sender:row.* -sender:row.a")
    dashboard.expect_senders("row.b")
    dashboard.filter("sender:row.*")
    dashboard.expect_senders("row.a", "row.b")
    value.click(modifiers=["Control"])
    dashboard.expect_filter("sender:row.* sender:row.a")
    dashboard.expect_senders("row.a")
    expect(pane).to_be_hidden()
    dashboard.rows(sender="row.a").locator("[data-field=dur]").click(modifiers=["Control"])
    expect(page.locator("#filter")).to_have_value(re.compile(r"dur>=[\d.]+(us|ms)$"), timeout=PATIENCE_MS)
    dashboard.expect_senders("row.a")
    value.click()
    expect(pane).to_be_visible()


def test_pointing_at_a_value_in_a_row_offers_both_ways(dashboard: Dashboard, hand: Hand) -> None:
    """Beside the pointer, so that a click where it is still opens the send."""
    hand.send("point.a", signal="answered")
    hand.send("point.b", signal="answered")
    dashboard.open("?q=sender:point.*")
    dashboard.expect_senders("point.a", "point.b")
    page, chooser = dashboard.page, dashboard.page.locator("#chooser")
    value = dashboard.rows(sender="point.a").locator("[data-field=sender]")
    expect(chooser).to_be_hidden()
    value.hover()
    expect(chooser).to_be_visible()
    chooser.get_by_text("−").click()
    dashboard.expect_filter("sender:point.* -sender:point.a")
    expect(chooser).to_be_hidden()
    dashboard.filter("sender:point.*")
    dashboard.expect_senders("point.a", "point.b")
    page.mouse.move(0, 0)
    value.hover()
    expect(chooser).to_be_visible()
    value.click()
    expect(page.locator("#pane")).to_be_visible()
    dashboard.expect_filter("sender:point.*")


def test_what_is_offered_goes_when_its_value_moves_away(dashboard: Dashboard, hand: Hand) -> None:
    """When the list makes room for the pane, and when a tree opens above it."""
    hand.send("moves.low")
    hand.send("moves.high", signal="answered")
    dashboard.open("?q=sender:moves.*")
    dashboard.expect_senders("moves.low", "moves.high")
    page, chooser = dashboard.page, dashboard.page.locator("#chooser")
    value = dashboard.rows(sender="moves.low").locator("[data-field=sender]")
    page.keyboard.press("j")
    value.hover()
    expect(chooser).to_be_visible()
    page.keyboard.press("t")
    expect(page.locator("#rows .branch")).to_have_count(1, timeout=PATIENCE_MS)
    expect(chooser).to_be_hidden()
    page.mouse.move(0, 0)
    value.hover()
    expect(chooser).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#detail article")).to_be_visible()
    expect(chooser).to_be_hidden()


def test_what_is_offered_stays_while_rows_come_in(dashboard: Dashboard, hand: Hand) -> None:
    """At its place, above those that come; it says what it is about, and does that, when its row has gone."""
    chooser = dashboard.page.locator("#chooser")
    hand.send("traffic.wanted")
    dashboard.open("?q=sender:traffic.*")
    dashboard.expect_senders("traffic.wanted")
    dashboard.rows(sender="wanted").locator("[data-field=sender]").hover()
    expect(chooser).to_be_visible()
    where = chooser.bounding_box()
    for n in range(8):
        hand.send_each(f"traffic.new{n}-", 40)
        dashboard.expect_row("asked", sender=f"traffic.new{n}-39")
        assert chooser.bounding_box() == where
    expect(dashboard.rows(sender="wanted")).to_have_count(0)
    expect(chooser).to_contain_text("sender:traffic.wanted")
    chooser.get_by_text("−").click()
    dashboard.expect_filter("sender:traffic.* -sender:traffic.wanted")
    expect(chooser).to_be_hidden()


def test_values_are_chosen_by_the_keyboard(dashboard: Dashboard, hand: Hand) -> None:
    """f on a row; Enter narrows, the minus sign leaves out, Escape does nothing."""
    hand.send("keys.a")
    hand.send("keys.b")
    dashboard.open("?q=sender:keys.*")
    dashboard.expect_senders("keys.a", "keys.b")
    page, menu = dashboard.page, dashboard.page.locator("#values")
    page.keyboard.press("f")
    expect(menu).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("f")
    expect(menu).to_be_visible()
    expect(menu.locator("button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    dashboard.expect_filter("sender:keys.*")
    page.keyboard.press("f")
    page.keyboard.press("ArrowDown")
    expect(menu.locator("button").nth(1)).to_have_text("sender:keys.b")
    page.keyboard.press("-")
    expect(menu).to_be_hidden()
    dashboard.expect_filter("sender:keys.* -sender:keys.b")
    dashboard.expect_senders("keys.a")
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.keyboard.press("Enter")
    dashboard.expect_filter("sender:keys.* -sender:keys.b signal:talk.asked")


# Facets


def facet(page: Page, field: str, value: str) -> Locator:
    return page.locator(f'#facets [data-facet={field}] button[data-value="{value}"]')


def test_facets_count_what_the_filter_holds_and_narrow_it(dashboard: Dashboard, hand: Hand) -> None:
    """As sends come they count on; a click narrows, with Alt it leaves out; a reload keeps them open."""
    hand.send("facet.a", 3, signal="answered")
    hand.send("facet.b", 2)
    dashboard.open("?q=sender:facet.*")
    page, facets = dashboard.page, dashboard.page.locator("#facets")
    expect(facets).to_be_hidden()
    page.get_by_role("button", name="Facets").click()
    expect(facet(page, "sender", "facet.a")).to_contain_text("3", timeout=PATIENCE_MS)
    expect(facet(page, "sender", "facet.b")).to_contain_text("2")
    expect(facet(page, "signal", "talk.answered")).to_contain_text("3")
    expect(facet(page, "receiver", "talk.answer")).to_contain_text("3")
    expect(facets.locator("[data-facet=cause] button")).to_contain_text("5")
    hand.send("facet.b", 7)
    hand.send("of another kind", 7)
    expect(facet(page, "sender", "facet.b")).to_contain_text("9", timeout=PATIENCE_MS)
    expect(facets.locator("[data-facet=sender] button").first).to_have_attribute("data-value", "facet.b")
    facet(page, "sender", "facet.a").click(modifiers=["Alt"])
    dashboard.expect_filter("sender:facet.* -sender:facet.a")
    expect(facet(page, "sender", "facet.a")).to_have_count(0, timeout=PATIENCE_MS)
    facet(page, "signal", "talk.asked").click()
    dashboard.expect_filter("sender:facet.* -sender:facet.a signal:talk.asked")
    page.reload()
    expect(facet(page, "sender", "facet.b")).to_contain_text("9", timeout=PATIENCE_MS)
    page.set_viewport_size({"width": 800, "height": 700})
    expect(facets).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 700})
    expect(facets).to_be_visible()
    page.get_by_role("button", name="Facets").click()
    expect(facets).to_be_hidden()


@pytest.mark.parametrize("width", [360, 800])
def test_facets_lie_over_the_list_where_there_is_no_room_beside_it(
    dashboard: Dashboard, hand: Hand, width: int
) -> None:
    """Opened by their button and closed beside them; what is clicked narrows, and they count on."""
    page, facets, button = dashboard.page, dashboard.page.locator("#facets"), dashboard.page.locator("#facets-button")
    page.set_viewport_size({"width": width, "height": 740})
    sender = f"over{width}"
    hand.send(f"{sender}.a", 3)
    hand.send(f"{sender}.b", 2)
    dashboard.open(f"?q=sender:{sender}.*")
    dashboard.expect_senders(f"{sender}.a", f"{sender}.b")
    expect(facets).to_be_hidden()
    button.click()
    expect(facets).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(facet(page, "sender", f"{sender}.a")).to_contain_text("3", timeout=PATIENCE_MS)
    facet(page, "sender", f"{sender}.b").click()
    dashboard.expect_filter(f"sender:{sender}.* sender:{sender}.b")
    expect(facet(page, "sender", f"{sender}.a")).to_have_count(0, timeout=PATIENCE_MS)
    hand.send(f"{sender}.b", 5)
    expect(facet(page, "sender", f"{sender}.b")).to_contain_text("7", timeout=PATIENCE_MS)
    expect(facet(page, "sender", f"{sender}.b")).to_be_focused()
    page.mouse.click(width - 8, 600)
    expect(facets).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    page.reload()
    dashboard.expect_senders(f"{sender}.b")
    expect(facets).to_be_hidden()


def test_whoever_is_at_a_value_that_goes_stays_in_the_facets(dashboard: Dashboard, hand: Hand) -> None:
    """By the keyboard: the one that is left out goes, the next Tab leads on."""
    hand.send("stays.a", 3)
    hand.send("stays.b", 2)
    dashboard.open("?q=sender:stays.*")
    page = dashboard.page
    page.get_by_role("button", name="Facets").click()
    facet(page, "sender", "stays.a").focus()
    page.keyboard.press("-")
    expect(facet(page, "sender", "stays.a")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator("#facets")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('facets').contains(document.activeElement)")


# Back and forward


def test_back_and_forward_walk_through_filters(dashboard: Dashboard, hand: Hand) -> None:
    """Those that were settled on; what was typed on the way is no stop."""
    hand.send("walk.a")
    hand.send("walk.b")
    dashboard.open("?q=sender:walk.*")
    page = dashboard.page
    length = page.evaluate("history.length")
    dashboard.type_filter("sender:walk.a")
    page.keyboard.press("Enter")
    dashboard.expect_senders("walk.a")
    assert page.evaluate("history.length") == length + 1
    dashboard.type_filter("sender:walk.b")
    page.keyboard.press("Enter")
    page.locator("[data-family-chip=custom]").click()
    dashboard.expect_senders("walk.b")
    assert page.evaluate("history.length") == length + 3
    page.go_back()
    expect(page.locator("[data-family-chip=custom]")).to_have_attribute("aria-pressed", "false")
    dashboard.expect_filter("sender:walk.b")
    page.go_back()
    dashboard.expect_filter("sender:walk.a")
    dashboard.expect_senders("walk.a")
    page.go_back()
    dashboard.expect_filter("sender:walk.*")
    dashboard.expect_senders("walk.a", "walk.b")
    page.go_forward()
    dashboard.expect_filter("sender:walk.a")
    dashboard.expect_senders("walk.a")


# The history


@pytest.fixture(scope="module")
def history(shop: Shop, hand: Hand) -> Sender:
    """A journal with a good deal in it: 1,500 sends of one kind, a hundred others around each fifteenth."""
    sender = Sender(shop.journal(), "history")
    for n in range(100):
        sender.append([make_event(sender=f"past.M{n * 15 + m}") for m in range(15)])
        sender.append(make_events(485))
    return sender


def test_a_filter_is_searched_for_through_the_whole_history(dashboard: Dashboard, history: Sender) -> None:
    """It says how far, and when that was all."""
    dashboard.open("?q=sender:past.M7")
    expect(dashboard.rows(sender="past.M7")).to_have_count(1, timeout=PATIENCE_MS)
    expect(dashboard.page.locator("#searched")).to_have_text("1 in all that is retained", timeout=PATIENCE_MS)
    expect(dashboard.page.locator("#further span")).to_have_text("That is all that is retained.")


def test_a_search_can_be_stopped_and_taken_up_again(dashboard: Dashboard, history: Sender) -> None:
    """By Escape and by a button; another filter ends it too."""
    dashboard.open()
    page, searched = dashboard.page, dashboard.page.locator("#searched")
    stop, further = page.locator("#stop"), page.get_by_role("button", name="Search further back")
    dashboard.filter(SLOW)
    expect(page.get_by_text("Searching the history")).to_be_visible()
    expect(stop).to_be_visible()
    expect(searched).to_contain_text("searched back to")
    page.keyboard.press("Escape")
    expect(stop).to_be_hidden()
    expect(page.get_by_text("Nothing found so far")).to_be_visible()
    expect(searched).to_have_text(re.compile(r"searched back to .*, 0 of ≥ 0"))
    before = searched.inner_text()
    further.click()
    expect(stop).to_be_visible()
    expect(searched).not_to_have_text(before)
    stop.click()
    expect(stop).to_be_hidden()
    further.click()
    expect(stop).to_be_visible()
    dashboard.filter("sender:past.M9")
    dashboard.expect_senders("past.M9")
    expect(stop).to_be_hidden()


def test_the_list_goes_further_back_than_its_window_without_a_hole(
    dashboard: Dashboard, hand: Hand, history: Sender
) -> None:
    """After the window has lost its oldest rows to newer ones, and beyond what the page holds; and back to live."""
    dashboard.open("?q=sender:past.*")
    page = dashboard.page
    expect(page.locator("#rows .row")).to_have_count(100, timeout=PATIENCE_MS)
    for n in range(5):
        hand.send_each(f"past.new{n}", 45)
        dashboard.expect_row("asked", sender=f"past.new{n}44")
    expect(page.locator("#rows .row")).to_have_count(200, timeout=PATIENCE_MS)
    assert dashboard.shown()[-1] > history.journal.bounds().last - 225
    matching = sorted((event.id for event in searched_for(history, "past.")), reverse=True)
    while matching[-1] not in dashboard.shown():
        last = dashboard.shown()[-1]
        page.get_by_role("button", name="Search further back").click()
        page.wait_for_function("last => +document.querySelector('#rows .row:last-child').dataset.id < last", arg=last)
        expect(page.locator("#stop")).to_be_hidden(timeout=PATIENCE_MS)
        ids = dashboard.shown()
        at = matching.index(ids[0])
        assert ids == matching[at : at + len(ids)]
        assert len(ids) <= 1_000
    assert len(dashboard.shown()) == 1_000
    expect(page.locator("#further span")).to_have_text("That is all that is retained.")
    dashboard.expect_state("PAUSED")
    hand.send("past.newest")
    expect(page.locator("#waiting")).to_have_text("+1 new", timeout=PATIENCE_MS)
    page.locator("#waiting").click()
    dashboard.expect_state("LIVE")
    newest = dashboard.expect_row("asked", sender="past.newest")
    expect(page.locator("#rows .row")).to_have_count(100, timeout=PATIENCE_MS)
    assert dashboard.shown() == [newest, *matching[:99]]


def searched_for(history: Sender, start: str) -> list[Event]:
    """The retained sends whose sender begins so."""
    found = history.journal.search(parse(f"sender:{start}*"), before=None, limit=10_000)
    return found.events
