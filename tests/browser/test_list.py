"""The list: what repeats is one line, what a send made stands under it, and nothing that is read moves."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import PATIENCE_MS, Dashboard, Hand, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.usefixtures("console")]

#: 10,000 a second, or as many as can be stored: a buffer that is full would drop some.
FLOOD = """
import time
from livesignals.transport.process import get_flusher
began, n = time.perf_counter(), 0
while n < 30_000:
    n += 1
    asked.send_robust(sender="flood", n=n)
    if n % 10_000 == 0: get_flusher().flush(60)
    ahead = began + n / 10_000 - time.perf_counter()
    if ahead > 0.01: time.sleep(ahead)
"""


def lines(page: Page) -> Locator:
    """The rows that are to be seen."""
    return page.locator("#rows > .row:visible")


def fold(line: Locator) -> Locator:
    """The button that says how many sends a line stands for."""
    return line.locator(".fold")


def sent(hand: Hand, senders: str, signal: str = "asked") -> None:
    """Sends by these senders, in this order."""
    hand.do(f"for s in {senders.split()!r}: {signal}.send_robust(sender='list.' + s)")


# Runs


def test_what_repeats_is_one_line_that_counts_up(dashboard: Dashboard, hand: Hand) -> None:
    """Within a frame and from frame to frame; another sender, or an error, is a line of its own."""
    dashboard.open("?q=sender:list.*")
    sent(hand, "a b b b")
    expect(lines(dashboard.page)).to_have_count(2, timeout=PATIENCE_MS)
    expect(fold(lines(dashboard.page).first)).to_have_text("× 3")
    sent(hand, "b b")
    expect(fold(lines(dashboard.page).first)).to_have_text("× 5", timeout=PATIENCE_MS)
    expect(lines(dashboard.page)).to_have_count(2)
    sent(hand, "a")
    expect(lines(dashboard.page)).to_have_count(3, timeout=PATIENCE_MS)
    hand.do("for n in range(4): refused.send_robust(sender='list.a')\nasked.send_robust(sender='list.a')")
    expect(lines(dashboard.page)).to_have_count(5, timeout=PATIENCE_MS)
    expect(fold(dashboard.page.locator("#rows > .row"))).to_have_text(["× 4", "× 5"])
    expect(lines(dashboard.page).nth(1)).to_contain_text("ValueError")

    dashboard.page.reload()
    expect(lines(dashboard.page)).to_have_count(5, timeout=PATIENCE_MS)
    expect(fold(dashboard.page.locator("#rows > .row"))).to_have_text(["× 4", "× 5"])


def test_a_line_is_opened_and_closed_while_it_counts_up(dashboard: Dashboard, hand: Hand) -> None:
    """By its button or the arrow keys; what comes meanwhile is shown, and counted."""
    page = dashboard.page
    dashboard.open("?q=sender:open.*")
    hand.send("open.x", 3)
    button = fold(lines(page).first)
    expect(button).to_have_text("× 3", timeout=PATIENCE_MS)
    button.click()
    expect(lines(page)).to_have_count(3)
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#pane")).to_be_hidden()
    hand.send("open.x", 2)
    expect(lines(page)).to_have_count(5, timeout=PATIENCE_MS)
    expect(button).to_have_text("× 5")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(lines(page).nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(lines(page)).to_have_count(1)
    expect(lines(page).first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(lines(page)).to_have_count(5)
    button.click()
    expect(lines(page)).to_have_count(1)
    hand.send("open.x")
    expect(button).to_have_text("× 6", timeout=PATIENCE_MS)
    expect(button).to_be_focused()


def test_a_flood_is_one_line_with_the_exact_count(dashboard: Dashboard, hand: Hand) -> None:
    """30,000 sends at 10,000 a second: the list stays small, and the count is right at the end; it can be opened."""
    page = dashboard.page
    dashboard.open("?q=sender:flood")
    hand.do(FLOOD)
    expect(fold(lines(page).first)).to_have_text("× 30,000", timeout=60_000)
    expect(lines(page)).to_have_count(1)
    assert page.locator("#rows > li").count() <= 200
    assert page.locator("#rows > li:visible").count() == 1

    fold(lines(page).first).click()
    more = page.locator("#rows > .more:visible")
    expect(more).to_have_count(1)
    at_hand = lines(page).count()
    expect(more).to_have_text(f"+{30_000 - at_hand:,} more")
    more.locator("button").click()
    expect(lines(page)).to_have_count(at_hand + 500, timeout=PATIENCE_MS)
    expect(more).to_have_text(f"+{30_000 - at_hand - 500:,} more")
    expect(fold(lines(page).first)).to_have_text("× 30,000")


def test_a_run_does_not_hide_what_was_before_it(dashboard: Dashboard, hand: Hand) -> None:
    """A page that is opened after a long loop shows more than that loop."""
    sent(hand, " ".join(f"before{n}" for n in range(30)))
    hand.send("list.loop", 700)
    dashboard.open("?q=sender:list.before*,list.loop")
    expect(lines(dashboard.page)).to_have_count(31, timeout=PATIENCE_MS)
    expect(fold(lines(dashboard.page).first)).to_have_text("× 700")


def test_the_send_in_the_pane_is_still_marked_when_its_line_goes_on(dashboard: Dashboard, hand: Hand) -> None:
    """The line that holds it is marked in its place."""
    page = dashboard.page
    dashboard.open("?q=sender:marked")
    hand.send("marked", 2)
    expect(fold(lines(page).first)).to_have_text("× 2", timeout=PATIENCE_MS)
    lines(page).first.click()
    expect(lines(page).first).to_have_attribute("aria-current", "true")
    hand.send("marked", 2)
    expect(fold(lines(page).first)).to_have_text("× 4", timeout=PATIENCE_MS)
    expect(lines(page)).to_have_count(1)
    expect(lines(page).first).to_have_attribute("data-holds", "")


def test_folding_can_be_switched_off(dashboard: Dashboard, hand: Hand) -> None:
    """Then each send is a line; a reload keeps it so."""
    page = dashboard.page
    hand.send("unfolded", 6)
    dashboard.open("?q=sender:unfolded")
    expect(lines(page)).to_have_count(1)
    page.keyboard.press("v")
    page.get_by_label("fold what repeats").uncheck()
    expect(lines(page)).to_have_count(6)
    page.reload()
    expect(lines(page)).to_have_count(6)
    page.locator("#view-button").click()
    page.get_by_label("fold what repeats").check()
    expect(lines(page)).to_have_count(1)
    expect(fold(lines(page).first)).to_have_text("× 6")


# Holding still


def test_a_reader_is_not_moved_by_runs_either(dashboard: Dashboard, hand: Hand) -> None:
    """Lines that come in above, or only count up there, leave what is read where it is."""
    page = dashboard.page
    sent(hand, " ".join(f"read{n}" for n in range(90)))
    dashboard.open("?q=sender:list.read*")
    expect(lines(page)).to_have_count(90)
    lines(page).nth(45).scroll_into_view_if_needed()
    read = page.locator('#rows [data-sender="list.read50"]')
    where = top(read)
    sent(hand, "read-new " * 7)
    expect(page.locator("#rows > .row .fold")).to_have_text("× 7", timeout=PATIENCE_MS)
    assert top(read) == pytest.approx(where, abs=1)
    sent(hand, "read-new " * 5)
    expect(page.locator("#rows > .row .fold")).to_have_text("× 12", timeout=PATIENCE_MS)
    assert top(read) == pytest.approx(where, abs=1)


def top(row: Locator) -> float:
    found: float = row.evaluate("row => row.getBoundingClientRect().top")
    return found


def test_the_row_that_is_pressed_is_opened_though_others_come_in_above_it(dashboard: Dashboard, hand: Hand) -> None:
    """They move it from under the pointer before the button is let go."""
    page = dashboard.page
    hand.send("pressed.one")
    dashboard.open("?q=sender:pressed.*")
    box = dashboard.rows(sender="pressed.one").locator("time").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    hand.send("pressed.two")
    dashboard.expect_rows(2)
    page.mouse.up()
    expect(page.locator("#detail")).to_contain_text("pressed.one")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4 * box["height"])  # this marks text
    page.mouse.up()
    expect(page.locator("#detail")).to_contain_text("pressed.one")


def test_the_row_that_is_pressed_is_opened_though_the_list_begins_anew(dashboard: Dashboard, hand: Hand) -> None:
    """Another filter came into force before the button is let go."""
    page = dashboard.page
    hand.send("again.one")
    dashboard.open("?q=sender:again.*")
    box = dashboard.rows(sender="again.one").locator("time").bounding_box()
    assert box is not None
    page.evaluate("window.before = document.querySelector('#rows .row')")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.locator("#filter").fill("sender:again.one")
    page.wait_for_function("() => !before.isConnected && document.querySelector('#rows .row')")
    page.mouse.up()
    expect(page.locator("#detail")).to_contain_text("again.one")


# Trees


NESTING = """
from django.dispatch import Signal
outer, middle, inner = Signal(), Signal(), Signal()
def relay(sender, **kwargs): middle.send(sender="tree.middle"); middle.send(sender="tree.second")
def pass_on(sender, **kwargs): inner.send(sender="tree.inner")
outer.connect(relay, weak=False); middle.connect(pass_on, weak=False)
"""


def test_a_send_that_made_others_shows_them_under_it(dashboard: Dashboard, hand: Hand) -> None:
    """In the order in which they began, indented; their own places are pale meanwhile. By mouse and by keyboard."""
    page = dashboard.page
    hand.do(NESTING)
    dashboard.open("?q=sender:tree.*")
    hand.do("outer.send(sender='tree.outer')")
    expect(lines(page)).to_have_count(5, timeout=PATIENCE_MS)
    flat = ["tree.inner", "tree.second", "tree.inner", "tree.middle", "tree.outer"]
    expect_order(page, flat)
    toggles = page.locator("#rows .twist")
    expect(toggles).to_have_count(3)

    outer = page.locator('#rows > [data-sender="tree.outer"]')
    where = top(outer)
    outer.locator(".twist").click()
    expect(page.locator("#rows .branch")).to_have_count(4)
    assert top(outer) == where
    tree = ["tree.outer", "tree.middle", "tree.inner", "tree.second", "tree.inner"]
    expect_order(page, tree)
    lefts = [left(row) for row in page.locator("#rows > .row:not(.elsewhere)").all()]
    assert lefts[0] < lefts[1] < lefts[2]
    assert lefts[1] == lefts[3]
    expect(page.locator("#pane")).to_be_hidden()
    outer.locator(".twist").click()
    expect_order(page, flat)

    for _ in range(5):
        page.keyboard.press("j")
    expect(outer).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#rows .branch")).to_have_count(4)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#rows .branch").nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(outer).to_be_focused()
    expect_order(page, flat)


def expect_order(page: Page, senders: list[str]) -> None:
    """Wait until the lines are of these senders, from top to bottom."""
    page.wait_for_function(
        """senders => {
             const rows = [...document.querySelectorAll("#rows > .row:not(.elsewhere)")];
             const shown = rows.filter(row => row.checkVisibility()).map(row => row.dataset.sender);
             return shown.join() === senders.join();
           }""",
        arg=senders,
        timeout=PATIENCE_MS,
    )


def left(row: Locator) -> float:
    """Where the signal's name begins."""
    found: float = row.evaluate(
        """row => {
             const range = document.createRange();
             range.selectNode([...row.querySelector(".sig").childNodes].find(node => node.nodeType === 3));
             return range.getBoundingClientRect().left;
           }"""
    )
    return found


def test_the_tree_holds_what_the_filter_leaves_out(dashboard: Dashboard, hand: Hand) -> None:
    """`t` asks for it; a send that made no others says so to those who hear the page."""
    page = dashboard.page
    hand.do(NESTING)
    hand.do("outer.send(sender='tree.alone'); asked.send_robust(sender='tree.none')")
    dashboard.open("?q=sender:tree.alone,tree.none")
    expect(lines(page)).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("t")
    expect(page.locator("#said")).to_have_text("Its receivers made no further sends.")
    page.keyboard.press("j")
    page.keyboard.press("t")
    expect(page.locator("#rows .branch")).to_have_count(4)
    page.keyboard.press("t")
    expect(page.locator("#rows .branch")).to_have_count(0)


def test_trees_are_opened_as_fast_as_somebody_clicks(dashboard: Dashboard, hand: Hand) -> None:
    """Each of them is shown, though the server has not answered for the first one yet."""
    page = dashboard.page
    hand.do(NESTING)
    hand.do("for n in range(3): outer.send(sender=f'trees.{n}')")
    dashboard.open("?q=sender:trees.*")
    dashboard.expect_rows(3)
    held: list[Route] = []
    is_slow = True
    page.route("**/branch/", lambda route: held.append(route) if is_slow else route.continue_())
    for n in range(3):
        dashboard.rows(sender=f"trees.{n}").click(position={"x": 5, "y": 15})
        page.keyboard.press("t")
    dashboard.until(lambda: bool(held))
    is_slow = False
    for route in held:
        route.continue_()
    expect(page.locator("#rows .branch")).to_have_count(12)


# States


OUTCOMES = """
from django.db import transaction
from project.shop.models import Tag
import sys, uuid
def save(fails):
    try:
        with transaction.atomic():
            Tag.objects.create(name=f"outcome {uuid.uuid4()}")
            sys.stdin.readline()
            if fails: raise ValueError
    except ValueError: pass
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_rows_transaction_ends_before_the_readers_eyes(dashboard: Dashboard, hand: Hand, fails: bool) -> None:
    """Open at first; then committed, with a mark and in words, or rolled back, struck through."""
    hand.do(OUTCOMES)
    dashboard.open("?q=signal:post_save sender:shop.Tag kwargs.instance.name:outcome*")
    before = dashboard.rows().count()
    hand.begin(f"save({fails})")
    expect(dashboard.rows()).to_have_count(before + 1, timeout=PATIENCE_MS)
    row = dashboard.rows().first
    mark = row.locator(".tx")
    expect(mark).to_have_text("○")
    hand.proceed()
    if fails:
        expect(row.locator(".tag")).to_have_text("rolled back", timeout=PATIENCE_MS)
        expect(mark).to_have_count(0)
        expect(row.locator(".sig")).to_have_css("text-decoration-line", "line-through")
    else:
        expect(mark).to_have_text("✓", timeout=PATIENCE_MS)
        expect(mark).to_have_attribute("title", "committed")
    hand.finish()


# Columns and times


def test_columns_are_chosen_from_the_keyboard_and_kept(dashboard: Dashboard, hand: Hand) -> None:
    """A reload keeps them; columns that are off at first can be had."""
    page = dashboard.page
    hand.send("columns")
    dashboard.open("?q=sender:columns")
    row = dashboard.rows().first
    expect(row.locator("time")).to_be_visible()
    expect(row.locator(".where")).to_be_hidden()
    page.keyboard.press("v")
    expect(page.locator("#view")).to_be_visible()
    expect(page.get_by_label("time", exact=True)).to_be_focused()
    page.keyboard.press("Space")
    expect(row.locator("time")).to_be_hidden()
    dashboard.expect_state("LIVE")  # the space was the box's, not the page's
    page.get_by_label("sent from").check()
    page.get_by_role("checkbox", name="process").check()
    expect(row.locator(".where")).to_have_text(re.compile(r":\d+$"))
    expect(row.locator(".proc")).to_have_text(str(hand.process.pid))
    page.keyboard.press("Escape")
    expect(page.locator("#view")).to_be_hidden()

    page.reload()
    expect(row.locator(".where")).to_be_visible()
    expect(row.locator("time")).to_be_hidden()


def test_times_are_local_utc_or_since_the_row_below(dashboard: Dashboard, hand: Hand) -> None:
    """What was chosen holds for rows that come later, for the pane, and after a reload."""
    browser = dashboard.page.context.browser
    assert browser is not None
    with browser.new_context(timezone_id="Asia/Kolkata") as context:
        there = Dashboard(context.new_page(), dashboard.shop)
        page = there.page
        sent(hand, "time1 time2")
        there.open("?q=sender:list.time*")
        expect(there.rows()).to_have_count(2)
        time = there.rows().first.locator("time")
        stamp = time.get_attribute("datetime") or ""
        expect(time).not_to_contain_text(stamp[11:19])
        choose(page, "UTC")
        expect(time).to_have_text(stamp[11:23])
        sent(hand, "time3")
        expect(there.rows()).to_have_count(3, timeout=PATIENCE_MS)
        expect(time).to_have_text((time.get_attribute("datetime") or "")[11:23])
        there.rows().first.click()
        expect(page.locator("#detail time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d{6} UTC$"))

        choose(page, "since the row below")
        expect(there.rows().locator("time").last).to_have_text("", use_inner_text=True)
        sent(hand, "time4")
        expect(there.rows()).to_have_count(4, timeout=PATIENCE_MS)
        page.reload()
        expect(there.rows()).to_have_count(4, timeout=PATIENCE_MS)
        since = re.compile(r"^\+[\d.]+ (µs|ms|s)$")
        expect(there.rows().locator("time")).to_have_text([since, since, since, ""], use_inner_text=True)


def choose(page: Page, label: str) -> None:
    """In the menu."""
    page.locator("#view-button").click()
    page.get_by_label(label, exact=True).check()
    page.keyboard.press("Escape")


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 2_560)])
def test_all_columns_fit_into_every_width(dashboard: Dashboard, hand: Hand, scheme: Any, width: int) -> None:
    """With a run, a tree and an error: nothing sticks out, rows keep their height."""
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 740})
    page.emulate_media(color_scheme=scheme)
    hand.do(NESTING)
    hand.do("for n in range(3): refused.send_robust(sender='fit.' + 'long' * 20)")
    hand.do("outer.send(sender='fit.outer')")
    dashboard.open("?q=sender:fit.*")
    dashboard.expect_row("outer", sender="fit.outer")
    page.keyboard.press("v")
    for label in ("sent from", "process"):
        page.get_by_role("checkbox", name=label).check()
    page.keyboard.press("Escape")
    expect(page.locator("#view")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("#rows .row").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("t")
    expect(page.locator("#rows .branch")).to_have_count(4, timeout=20_000)
    boxes: list[dict[str, float]] = page.locator("#rows > li:visible").evaluate_all(
        "rows => rows.map(row => ({height: row.offsetHeight, inner: row.scrollWidth - row.clientWidth}))"
    )
    assert {box["height"] for box in boxes} == {30}
    assert all(box["inner"] <= 1 for box in boxes)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_the_page_of_the_cause_is_reached_from_its_row(dashboard: Dashboard, shop: Shop, hand: Hand) -> None:
    """By the arrow, or with `c`."""
    hand.send("reached")
    dashboard.open("?q=sender:reached")
    dashboard.rows().first.locator("a.go").click()
    expect(dashboard.page.locator("h1")).to_contain_text("manage.py shell")
    dashboard.page.go_back()
    expect(dashboard.rows()).to_have_count(1)
    dashboard.page.keyboard.press("j")
    dashboard.page.keyboard.press("c")
    expect(dashboard.page.locator("h1")).to_contain_text("manage.py shell")
