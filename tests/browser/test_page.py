"""What a person sees at the page, and does there."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from livesignals.exceptions import FilterError
from livesignals.filters import parse
from tests.browser.conftest import PATIENCE_MS, Console, Dashboard, Hand, Shop
from tests.journal.building import Sender, make_event

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.usefixtures("console")]


# Narrowing


def test_typing_narrows_the_list_and_a_reload_keeps_it_so(dashboard: Dashboard, hand: Hand) -> None:
    """No Enter is needed; what comes is narrowed as what was there; the filter is in the URL and said in English."""
    hand.send("narrow.a", 3)
    hand.send("narrow.b", 2)
    dashboard.open("?q=sender:narrow.*")
    dashboard.expect_rows(5)
    dashboard.type_filter("sender:narrow.a")
    dashboard.expect_rows(3)
    dashboard.expect_senders("narrow.a")
    expect(dashboard.page.locator("#filter-english")).to_contain_text("narrow.a")
    hand.send("narrow.b")
    hand.send("narrow.a")
    dashboard.expect_rows(4)
    dashboard.expect_senders("narrow.a")

    before = dashboard.shown()
    dashboard.page.reload()
    dashboard.expect_rows(4)
    expect(dashboard.page.locator("#filter")).to_have_value("sender:narrow.a")
    assert dashboard.shown() == before
    dashboard.page.locator("#clear").click()
    dashboard.expect_row("asked", sender="narrow.b")
    assert "q=" not in dashboard.page.url


def test_a_wrong_filter_is_told_under_the_column_and_the_last_valid_one_stays(dashboard: Dashboard, hand: Hand) -> None:
    """The caret stands under the character; rows that the valid filter chose go on coming."""
    hand.send("valid")
    dashboard.open("?q=sender:valid")
    dashboard.expect_rows(1)
    dashboard.page.locator("#filter").fill("sender:valid dur>5x")  # at once: what is typed slowly is valid in between
    error = dashboard.page.locator("#filter-error")
    expect(error).to_be_visible()
    expect(error).to_contain_text("us, ms, s, m, h")
    expect(dashboard.page.locator("#filter")).to_have_attribute("aria-invalid", "true")
    expect_caret_under(dashboard.page, "sender:valid dur>")
    hand.send("another")
    hand.send("valid")
    dashboard.expect_rows(2)
    dashboard.expect_senders("valid")

    dashboard.type_filter("sender:another")
    expect(error).to_be_hidden()
    expect(dashboard.page.locator("#filter")).not_to_have_attribute("aria-invalid", "true")
    dashboard.expect_rows(1, sender="another")
    dashboard.expect_senders("another")


def test_the_column_is_that_of_the_typed_text_beside_a_pressed_family(dashboard: Dashboard) -> None:
    """The page puts the family in front; the person did not type it."""
    dashboard.open("?family=model")
    dashboard.type_filter("a (b")
    expect(dashboard.page.locator("#filter-error")).to_contain_text('")"')
    expect_caret_under(dashboard.page, "a (b")
    dashboard.type_filter("a sginal:x")
    expect(dashboard.page.locator("#filter-error")).to_contain_text("did you mean signal?")
    expect_caret_under(dashboard.page, "a ")


def expect_caret_under(page: Page, before: str) -> None:
    """Wait until the caret is below the character that follows *before* in the field."""
    page.wait_for_function(
        """before => {
             const field = document.getElementById("filter"), style = getComputedStyle(field);
             const ruler = document.body.appendChild(document.createElement("span"));
             ruler.id = "ruler";
             ruler.textContent = before;
             Object.assign(ruler.style, { font: style.font, position: "absolute", whiteSpace: "pre" });
             const width = ruler.getBoundingClientRect().width;
             ruler.remove();
             const left = field.getBoundingClientRect().left + parseFloat(style.borderLeftWidth)
               + parseFloat(style.paddingLeft) - field.scrollLeft + width;
             return Math.abs(document.querySelector("#filter-error pre").getBoundingClientRect().left - left) <= 2;
           }""",
        arg=before,
    )


def test_a_wrong_filter_in_the_url_is_told_and_the_page_is_live(dashboard: Dashboard, hand: Hand) -> None:
    """Somebody cut a link in half: the text is there to be mended."""
    dashboard.open("?q=sender:")
    expect(dashboard.page.locator("#filter-error")).to_contain_text("no value")
    expect(dashboard.page.locator("#filter")).to_have_value("sender:")
    hand.send("mended")
    dashboard.expect_row("asked", sender="mended")


def test_family_chips_narrow_and_go_with_the_typed_filter(dashboard: Dashboard, hand: Hand) -> None:
    """One shows its family, two show both, with text the sends of these families that match; a reload keeps them."""
    hand.do("from project.shop.models import Tag; Tag.objects.create(name='chips')")
    hand.send("chips")
    dashboard.open()
    chip = {key: dashboard.page.locator(f"[data-family-chip={key}]") for key in ("model", "custom")}

    chip["model"].click()
    expect(chip["model"]).to_have_attribute("aria-pressed", "true")
    dashboard.expect_only("f", ("model",))
    dashboard.expect_row("post_save", sender="shop.Tag")
    assert "family=model" in dashboard.page.url
    chip["custom"].click()
    dashboard.expect_row("asked", sender="chips")
    dashboard.expect_only("f", ("custom", "model"))
    dashboard.type_filter("sender:shop.Product OR sender:chips OR sender:*Wrapper")
    dashboard.expect_rows(0, sender="shop.Tag")
    dashboard.expect_rows(1, sender="chips")
    dashboard.expect_only("f", ("custom", "model"))

    dashboard.page.reload()
    dashboard.expect_rows(1, sender="chips")
    dashboard.expect_only("f", ("custom", "model"))
    chip["model"].click()
    expect(chip["model"]).to_have_attribute("aria-pressed", "false")
    dashboard.expect_rows(1)
    dashboard.expect_senders("chips")


def test_a_filter_that_nothing_matches_says_so_and_offers_everything(dashboard: Dashboard, hand: Hand) -> None:
    """An empty list is never left without a word."""
    hand.send("something")
    dashboard.open("?q=sender:nothing-of-this-name&family=custom")
    expect(dashboard.page.get_by_text("Nothing that is retained matches")).to_be_visible()
    dashboard.page.get_by_role("button", name="Show everything").click()
    dashboard.expect_row("asked", sender="something")
    assert "?" not in dashboard.page.url


# Holding still


def test_pause_holds_the_list_and_counts_what_comes(dashboard: Dashboard, hand: Hand) -> None:
    """It says how many are new and how many of them failed; resuming shows them, in order, once."""
    hand.send("held", 2)
    dashboard.open("?q=sender:held")
    dashboard.expect_rows(2)
    before = dashboard.shown()
    dashboard.pause()
    waiting = dashboard.page.locator("#waiting")
    expect(waiting).to_have_text("Paused: nothing new")
    hand.send("not of this filter", 5)
    hand.send("held", 3)
    hand.send("held", 2, signal="refused")
    expect(waiting).to_have_text("+5 new, 2 errors", timeout=PATIENCE_MS)
    assert dashboard.shown() == before

    waiting.click()
    dashboard.expect_state("LIVE")
    expect(waiting).to_be_hidden()
    dashboard.expect_rows(7)
    after = dashboard.shown()
    assert after == sorted(set(after), reverse=True)
    assert after[-2:] == before


def test_pause_outlives_a_lost_connection(dashboard: Dashboard, hand: Hand) -> None:
    """The list that somebody holds still is not taken from under their eyes."""
    hand.send("still")
    dashboard.open("?q=sender:still")
    dashboard.expect_rows(1)
    dashboard.pause()
    dashboard.drop()
    hand.send("still", 4)
    dashboard.expect_state("PAUSED")
    expect(dashboard.page.locator("#waiting")).to_have_text("+4 new", timeout=PATIENCE_MS)
    dashboard.expect_rows(1)
    dashboard.page.locator("#pause").click()
    dashboard.expect_rows(5)


def test_what_is_too_much_for_a_frame_is_a_row_that_can_be_opened(dashboard: Dashboard, hand: Hand) -> None:
    """The row says how many it stands for; opened, each of them is there, in order, once."""
    dashboard.open("?q=sender:many*")
    dashboard.pause()
    hand.send_each("many", 150)
    expect(dashboard.page.locator("#waiting")).to_have_text("+150 new", timeout=PATIENCE_MS)
    dashboard.page.locator("#waiting").click()
    more = dashboard.page.locator("#rows .more")
    expect(more).to_have_count(1)
    opened = len(dashboard.shown())
    expect(more).to_have_text(f"+{150 - opened} more")
    more.locator("button").click()
    dashboard.expect_rows(150)
    expect(more).to_have_count(0)
    ids = dashboard.shown()
    assert ids == sorted(set(ids), reverse=True)


def test_a_reader_who_scrolled_into_the_list_is_not_moved(dashboard: Dashboard, hand: Hand) -> None:
    """New rows come in above; the row that is being read stays where it is; a button leads back to the newest."""
    hand.send_each("read", 90)
    dashboard.open("?q=sender:read*")
    dashboard.expect_rows(90)
    row = dashboard.rows().nth(40)
    row.scroll_into_view_if_needed()
    read = dashboard.rows().nth(35)
    was = read.get_attribute("data-id")
    newest = dashboard.page.locator("#newest")
    expect(newest).to_be_visible()
    where = position(dashboard, was)
    hand.send_each("read", 5)
    dashboard.expect_rows(95)
    assert position(dashboard, was) == pytest.approx(where, abs=1)
    newest.click()
    expect(dashboard.rows().first).to_be_in_viewport()
    expect(newest).to_be_hidden()


def position(dashboard: Dashboard, event_id: str | None) -> float:
    """How far below the window's top the row is."""
    top: float = dashboard.page.locator(f'#rows [data-id="{event_id}"]').evaluate(
        "row => row.getBoundingClientRect().top"
    )
    return top


def test_the_page_holds_a_bounded_number_of_rows(dashboard: Dashboard, hand: Hand) -> None:
    """The oldest make room for the newest."""
    dashboard.open("?q=sender:bounded*")
    newest = 0
    for _ in range(7):
        hand.send_each("bounded", 50)
        newest = dashboard.expect_row("asked", after=newest, sender="bounded49")
        assert dashboard.page.locator("#rows > li").count() <= 200


# Opening one


def test_a_row_opens_a_pane_with_what_it_carried_its_receivers_and_its_tree(dashboard: Dashboard, hand: Hand) -> None:
    """The list stays; the tree leads to the sends around it; the URL leads back to the one that is open."""
    hand.send("opened", signal="answered", question="→ why?", numbers=[1, 2, {"three": None}])
    hand.send("opened", signal="refused")
    dashboard.open("?q=sender:opened")
    dashboard.expect_rows(2)
    pane = dashboard.page.locator("#pane")
    expect(pane).to_be_hidden()

    dashboard.rows("refused").click()
    expect(pane.locator(".call")).to_contain_text("raised")
    expect(pane.locator(".call .error")).to_have_text("ValueError not today")
    expect(dashboard.rows("refused")).to_have_attribute("aria-current", "true")

    dashboard.rows("answered").click()
    expect(pane.locator("h1")).to_contain_text("answered")
    carried = pane.locator("dl.carried")
    for words in ("question", "→ why?", "numbers", "three", "None"):
        expect(carried).to_contain_text(words)
    expect(pane.locator(".call code")).to_contain_text("answer")
    expect(pane.locator(".call small")).to_have_text(re.compile(r".+:\d+"))
    tree = pane.locator(".tree li:not(.shut) button")
    expect(tree).to_have_count(2)
    expect(pane.locator(".tree [aria-current]")).to_contain_text("answered")
    dashboard.expect_rows(2)

    tree.nth(1).click()
    expect(pane.locator("h1")).to_contain_text("heard")
    expect(pane.locator(".tree [aria-current]")).to_contain_text("nested")
    url = dashboard.page.url
    dashboard.page.reload()
    expect(pane.locator("h1")).to_contain_text("heard")
    assert dashboard.page.url == url
    dashboard.expect_rows(2)
    pane.get_by_role("button", name="Close").click()
    expect(pane).to_be_hidden()
    assert "#" not in dashboard.page.url


def test_counted_sends_are_one_row_with_their_number(dashboard: Dashboard, shop: Shop) -> None:
    """Of another process; the header has their sum as soon as there is one, the pane a sentence."""
    page = dashboard.page
    dashboard.open()
    expect(page.locator("#counted")).to_be_hidden()
    program = """
from livesignals import capture
from project.shop.models import Product
capture.configure([], ["post_init"])
for _ in range(1_200):
    Product()
"""
    shop.manage("shell", "-c", program)
    row = dashboard.rows("post_init", "shop.Product")
    expect(row).to_have_count(1, timeout=PATIENCE_MS)
    expect(row.locator(".tag")).to_have_text("× 1,200")
    expect(row.locator(".bar")).to_contain_text("Σ")
    expect(page.locator("#counted")).to_have_text("1,200", timeout=PATIENCE_MS)
    row.click()
    expect(page.locator("#detail")).to_contain_text("× 1,200 within", timeout=PATIENCE_MS)
    dashboard.filter("is:counted dur>0")
    expect(row).to_have_count(0, timeout=PATIENCE_MS)
    dashboard.filter("is:counted")
    expect(row).to_have_count(1, timeout=PATIENCE_MS)


def test_the_tree_is_there_in_the_times_of_the_reader(dashboard: Dashboard, hand: Hand) -> None:
    """What the server writes in UTC is shown in the clock of the browser."""
    hand.send("clock")
    browser = dashboard.page.context.browser
    assert browser is not None
    with browser.new_context(timezone_id="Asia/Kolkata") as context:
        there = Dashboard(context.new_page(), dashboard.shop)
        there.open("?q=sender:clock")
        time = there.rows().locator("time")
        stamp = time.get_attribute("datetime") or ""
        minute = (int(stamp[11:13]) * 60 + int(stamp[14:16]) + 330) % 1440
        expect(time).to_contain_text(f"{minute // 60:02}:{minute % 60:02}:{stamp[17:19]}")


def test_a_link_to_a_send_that_is_gone_says_so(dashboard: Dashboard, console: Console) -> None:
    """Not retained, or of a journal that was replaced."""
    console.expect("status of 404")
    dashboard.open()
    epoch = dashboard.shop.journal().bounds().epoch
    for gone in (f"{epoch}/999999999", "ffff/1", "%3Cb%3E/1"):
        dashboard.page.goto("about:blank")
        dashboard.page.goto(f"{dashboard.shop.url}/livesignals/#{gone}")
        expect(dashboard.page.locator("#detail")).to_contain_text("no longer retained")
        dashboard.expect_state("LIVE")


# Hostile content

HOSTILE = [
    "<script>window.harmed = 1</script>",
    '<img src=/harm onerror="window.harmed = 1">',
    '"><b hx-get="/harm" hx-trigger="load">\'',
    "</li></ul></main><iframe src=/harm></iframe>",
    '<hx-partial hx-target="#state"><b>HARMED</b></hx-partial>',
    '<div id="state" hx-swap-oob="true">HARMED</div>',
    "{{ 7|add:7 }}{% debug %}${7*7}",
    "javascript:window.harmed=1//&lt;&#60;\u202e\x00\x1b[2J",
]


def test_whatever_a_send_says_is_text_and_does_nothing(dashboard: Dashboard, hand: Hand) -> None:
    """As sender, as a value, as a key, in an error: in rows, in rows that were opened later, and in the pane."""
    requests: list[str] = []
    dashboard.page.on("request", lambda request: requests.append(request.url))
    words = "".join(HOSTILE)
    hand.send(f"hostile {words}", signal="refused", words=words)
    hand.do(f"asked.send_robust(sender='hostile', **{{{words!r}: [{words!r}, {{{words!r}: {words!r}}}]}})")
    dashboard.open("?q=sender:hostile*")
    dashboard.expect_rows(2)
    expect(dashboard.rows("refused")).to_contain_text(HOSTILE[0])
    assert_inert(dashboard, requests)

    for name in ("refused", "asked"):
        dashboard.rows(name).click()
        expect(dashboard.page.locator("#detail h1")).to_contain_text(name)
        for said in HOSTILE[:7]:
            expect(dashboard.page.locator("#detail .carried")).to_contain_text(said)
        assert_inert(dashboard, requests)
    dashboard.page.locator("#close").click()

    dashboard.pause()
    hand.send(f"hostile {words}", 80, signal="refused", words=words)
    expect(dashboard.page.locator("#waiting")).to_contain_text("+80 new", timeout=PATIENCE_MS)
    dashboard.page.locator("#waiting").click()
    dashboard.page.locator("#rows .fold").click()
    dashboard.page.locator("#rows .more button").click()
    dashboard.expect_rows(82)
    assert_inert(dashboard, requests)


def test_a_hostile_filter_is_text_and_does_nothing(dashboard: Dashboard) -> None:
    """Whoever sends a link to the page chooses its filter: in the field, in English, in the error."""
    requests: list[str] = []
    dashboard.page.on("request", lambda request: requests.append(request.url))
    dashboard.open()
    for said in HOSTILE[:6]:
        text = said.replace('"', "")
        dashboard.type_filter(text)
        try:
            place, words = "#filter-english", parse(text).english()
        except FilterError as error:
            place, words = "#filter-error", error.message
        expect(dashboard.page.locator(place)).to_contain_text(words)
        assert_inert(dashboard, requests)
    dashboard.page.goto(f"{dashboard.shop.url}/livesignals/?q=sender:x%20{'%3Cimg%20src=/harm%3E:' * 3}&family=%3Cb%3E")
    expect(dashboard.page.locator("#filter-error")).to_be_visible()
    assert_inert(dashboard, requests)


def assert_inert(dashboard: Dashboard, requests: list[str]) -> None:
    """Nothing of HOSTILE became an element, ran, was fetched or was swapped in elsewhere."""
    assert dashboard.page.evaluate("window.harmed") is None
    made = "body script, img, iframe, hx-partial, [hx-get], [hx-swap-oob], #rows div"
    assert dashboard.page.locator(made).count() == 0
    assert dashboard.page.locator("#state").inner_text() in ("LIVE", "PAUSED", "CATCHING UP")
    assert not [url for url in requests if url.endswith("/harm")]


# Going on


def test_a_reload_shows_the_recent_history_once_and_in_order(dashboard: Dashboard, hand: Hand) -> None:
    """Newest first, each send once; then it goes on live."""
    hand.send("history", 30)
    dashboard.open("?q=sender:history")
    dashboard.expect_rows(30)
    before = dashboard.shown()
    assert before == sorted(set(before), reverse=True)
    for _ in range(3):
        dashboard.page.reload()
        dashboard.expect_rows(30)
        assert dashboard.shown() == before
    hand.send("history")
    dashboard.expect_rows(31)
    assert dashboard.shown()[1:] == before


def test_a_restart_of_the_server_is_told_and_outlived(
    dashboard: Dashboard, shop: Shop, hand: Hand, console: Console
) -> None:
    """The page says that it is cut off, comes back by itself, and shows what was sent meanwhile: once, in order."""
    console.expect("WebSocket connection to .* failed|htmx:ws:error|ERR_CONNECTION_REFUSED")
    hand.send("restart", 3)
    dashboard.open("?q=sender:restart")
    dashboard.expect_rows(3)
    shop.stop()
    dashboard.expect_state("RECONNECTING")
    expect(dashboard.page.get_by_text("The server does not answer")).to_be_visible()
    hand.send("restart", 2)
    shop.start()
    dashboard.expect_state("LIVE")
    expect(dashboard.page.get_by_text("The server does not answer")).to_be_hidden()
    hand.send("restart")
    dashboard.expect_rows(6)
    ids = dashboard.shown()
    assert ids == sorted(set(ids), reverse=True)


def test_a_server_that_went_silent_is_told(dashboard: Dashboard, shop: Shop, hand: Hand) -> None:
    """A page that heard nothing for a while does not look live, and goes on when the server does."""
    assert shop.server is not None
    dashboard.page.clock.install()  # so that the while does not have to be waited for
    hand.send("silent")
    dashboard.open("?q=sender:silent")
    dashboard.expect_rows(1)
    os.kill(shop.server.process.pid, signal.SIGSTOP)
    try:
        dashboard.page.clock.fast_forward(15_000)
        dashboard.expect_state("STALE")
        expect(dashboard.page.get_by_text("what you see may be old")).to_be_visible()
        hand.send("silent")
    finally:
        os.kill(shop.server.process.pid, signal.SIGCONT)
    dashboard.expect_state("LIVE")
    dashboard.expect_rows(2)


def test_a_pane_that_got_no_answer_is_read_again_when_the_server_is_back(
    dashboard: Dashboard, shop: Shop, hand: Hand, console: Console
) -> None:
    """It says that there was none; nobody has to click again."""
    console.expect("WebSocket connection to .* failed|htmx:ws:error|htmx:error|ERR_CONNECTION_REFUSED")
    hand.send("unanswered")
    dashboard.open("?q=sender:unanswered")
    dashboard.expect_rows(1)
    detail = dashboard.page.locator("#detail")
    shop.stop()
    dashboard.expect_state("RECONNECTING")
    dashboard.rows().first.click()
    expect(detail).to_contain_text("The server did not answer")
    shop.start()
    dashboard.expect_state("LIVE")
    expect(detail.locator("h1")).to_contain_text("asked", timeout=PATIENCE_MS)
    expect(detail).not_to_contain_text("did not answer")


def test_whoever_may_no_longer_look_is_told(dashboard: Dashboard, console: Console) -> None:
    """A page without access does not try for ever, nor look as if it were live."""
    console.expect("WebSocket connection to .* failed|htmx:ws:error|status of 404")
    dashboard.open()
    dashboard.page.context.clear_cookies()
    dashboard.drop()
    dashboard.expect_state("SIGNED OUT")
    expect(dashboard.page.get_by_text("open the link that the server prints")).to_be_visible()


def test_a_journal_that_cannot_be_used_is_told_in_the_page(
    dashboard: Dashboard, shop: Shop, hand: Hand, console: Console
) -> None:
    """What is wrong and what to do, for as long as it is so; what was sent meanwhile comes afterwards."""
    hand.send("away")
    dashboard.open("?q=sender:away")
    dashboard.expect_rows(1)
    problem = dashboard.page.locator("#problem")
    expect(problem).to_be_hidden()
    aside = shop.journal_path.with_name("aside.sqlite3")
    with stopped(shop, hand):
        shop.journal_path.rename(aside)
        shop.journal_path.mkdir()
    expect(problem).to_contain_text("is not a file")
    expect(problem).to_contain_text("LIVESIGNALS_JOURNAL")
    dashboard.expect_state("NO JOURNAL")
    hand.begin("for n in range(2): asked.send_robust(sender='away')")  # it cannot be stored yet
    hand.finish()
    with stopped(shop, hand):
        shop.journal_path.rmdir()
        aside.rename(shop.journal_path)
    expect(problem).to_be_hidden()
    dashboard.expect_rows(3)


@contextmanager
def stopped(shop: Shop, hand: Hand) -> Iterator[None]:
    """Neither finds its journal missing meanwhile, which it would begin anew."""
    assert shop.server is not None
    pids = [shop.server.process.pid, hand.process.pid]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                pass
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_journal_that_was_begun_anew_is_told_in_the_list(dashboard: Dashboard, shop: Shop, hand: Hand) -> None:
    """What was listed before is gone, and that is said; what comes is shown."""
    hand.send("anew", 3)
    dashboard.open("?q=sender:anew")
    dashboard.expect_rows(3)
    shop.journal().clear()
    expect(dashboard.page.locator("#rows .notice")).to_have_text(re.compile("started anew"), timeout=PATIENCE_MS)
    dashboard.expect_rows(0)
    hand.send("anew")
    dashboard.expect_rows(1)


def test_what_is_in_another_journal_is_told_as_no_loss(dashboard: Dashboard, shop: Shop) -> None:
    """In its own words, in the page's language, and not in red; what was dropped is red."""
    dashboard.open()
    moved = Sender(shop.journal(), "moved")
    moved.stored = 3  # by the journal before this one
    moved.append([make_event()])
    dropped = dashboard.page.locator("#dropped")
    expect(dropped).to_have_attribute("title", "stored in another journal: 3", timeout=PATIENCE_MS)
    expect(dropped).to_have_text("3")
    assert colour(dropped) == colour(dashboard.page.locator("#stored"))
    expect(dashboard.page.locator("#rows .notice", has_text="not here")).to_be_visible()
    browser = dashboard.page.context.browser
    assert browser is not None
    with browser.new_context(locale="de-DE") as context:
        german = Dashboard(context.new_page(), shop)
        german.page.goto(shop.link())
        title = "in einem anderen Journal gespeichert: 3"
        expect(german.page.locator("#dropped")).to_have_attribute("title", title, timeout=PATIENCE_MS)

    loser = Sender(shop.journal(), "loser")
    loser.dropped = {"buffer full": 2}
    loser.append([make_event()])
    expect(dropped).to_have_attribute("title", re.compile("buffer full: 2"), timeout=PATIENCE_MS)
    assert colour(dropped) != colour(dashboard.page.locator("#stored"))


def colour(words: Locator) -> str:
    found: str = words.evaluate("words => getComputedStyle(words).color")
    return found


# The keyboard


def test_everything_is_done_from_the_keyboard(dashboard: Dashboard, hand: Hand) -> None:
    """j k Enter Esc / Space ?, as the help says."""
    hand.send_each("keys", 3)
    dashboard.open("?q=sender:keys*")
    dashboard.expect_rows(3)
    press = dashboard.page.keyboard.press
    pane, keys = dashboard.page.locator("#pane"), dashboard.page.locator("#help")

    press("j")
    expect(dashboard.rows().nth(0)).to_be_focused()
    press("j")
    press("j")
    expect(dashboard.rows().nth(2)).to_be_focused()
    press("k")
    expect(dashboard.rows().nth(1)).to_be_focused()
    expect(pane).to_be_hidden()
    press("Enter")
    expect(pane).to_be_visible()
    expect(pane.locator("dl.carried")).to_have_text(re.compile(r"n\s*1"))
    press("j")
    expect(pane.locator("dl.carried")).to_have_text(re.compile(r"n\s*0"))
    press("Escape")
    expect(pane).to_be_hidden()

    press("Space")
    dashboard.expect_state("PAUSED")
    press("Space")
    dashboard.expect_state("LIVE")
    press("?")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("receiver")
    press("Escape")
    expect(keys).to_be_hidden()
    press("/")
    expect(dashboard.page.locator("#filter")).to_be_focused()
    dashboard.page.keyboard.type("j k ? / ")
    expect(dashboard.page.locator("#filter")).to_have_value("j k ? / ")
    expect(dashboard.page.locator("#completions")).to_be_hidden()  # behind a space nothing is completed
    press("Escape")
    expect(dashboard.page.locator("#filter")).not_to_be_focused()


def test_keys_with_a_modifier_stay_the_browsers(dashboard: Dashboard, hand: Hand) -> None:
    """Ctrl-K is not k."""
    hand.send("modifier", 2)
    dashboard.open("?q=sender:modifier")
    dashboard.expect_rows(2)
    for key in ("Control+j", "Alt+j", "Meta+j", "Control+/"):
        dashboard.page.keyboard.press(key)
    assert dashboard.page.locator("#rows [aria-current]").count() == 0
    expect(dashboard.page.locator("#filter")).not_to_be_focused()


# How it looks


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 360), ("light", 768), ("dark", 2_560)])
def test_nothing_is_cut_off_in_any_width_dark_or_light(
    dashboard: Dashboard, hand: Hand, scheme: Any, width: int
) -> None:
    """With rows, the pane, a wrong filter, the help: no sideways scrolling, and every button in reach."""
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 740})
    page.emulate_media(color_scheme=scheme)
    hand.send(
        "a.sender.with.a.long.dotted.name.WithoutAnySpaceInIt", signal="refused", words="x" * 300, value="y" * 3_000
    )
    dashboard.open("?q=sender:a.sender.*")
    dashboard.rows().first.wait_for()
    assert_fits(page)
    red, green, blue = (int(part) for part in re.findall(r"\d+", background(page))[:3])
    assert (red + green + blue < 3 * 64) == (scheme == "dark")

    dashboard.rows().first.locator("time").click()  # its middle may be the button of a run
    page.locator("#detail .carried").wait_for()
    assert_fits(page)
    page.locator("#close").click()
    dashboard.type_filter("sender:a.sender.* " + "and further " * 8 + "dur>5x")
    expect(page.locator("#filter-error")).to_be_visible()
    assert_fits(page)
    page.locator("#help-button").click()
    expect(page.locator("#help")).to_be_visible()
    assert_fits(page)


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def assert_fits(page: Page) -> None:
    """No part of the page is wider than the room it has, no visible control is outside of the window."""
    wide = page.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll("body, #list, #pane, #help, main, search")]
             .filter(element => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1)
             .map(element => `${element.tagName} #${element.id}: ${element.scrollWidth} > ${element.clientWidth}`)"""
    )
    assert wide == []
    outside = page.evaluate(
        """() => [...document.querySelectorAll("button:not(.chip), input, #state, #dropped, .row")]
             .filter(element => element.checkVisibility())
             .map(element => [element.id || element.className, element.getBoundingClientRect()])
             .filter(([, box]) => box.left < -1 || box.right > innerWidth + 1).map(([name]) => name)"""
    )
    assert outside == []


def test_the_theme_can_be_chosen_and_is_kept(dashboard: Dashboard) -> None:
    """As the system, light, dark: a reload keeps the choice."""
    dashboard.page.emulate_media(color_scheme="light")
    dashboard.open()
    light = background(dashboard.page)
    theme = dashboard.page.locator("#theme")
    theme.click()
    assert background(dashboard.page) == light
    theme.click()
    dark = background(dashboard.page)
    assert dark != light
    dashboard.page.reload()
    assert background(dashboard.page) == dark
    theme.click()
    assert background(dashboard.page) == light


# Itself


def test_the_page_does_not_list_its_own_requests(dashboard: Dashboard, shop: Shop, hand: Hand) -> None:
    """Nothing that a superuser does there is a send: not the look at their session, not the reading, not the rows."""
    assert shop.server is not None
    server = f"pid:{shop.server.process.pid}"
    dashboard.open(f"?q={server} signal:request_finished cause:*no-such-page*")
    visitor = dashboard.page.context.new_page()
    visitor.goto(f"{shop.url}/admin/login/")
    visitor.locator("input[name=username]").fill("admin")
    visitor.locator("input[name=password]").fill("admin")
    visitor.locator("input[name=password]").press("Enter")
    visitor.get_by_role("heading", name="Site administration").wait_for()
    visitor.wait_for_load_state()  # its files, too, are requests
    visitor.goto(f"{shop.url}/no-such-page/")
    visitor.close()
    dashboard.expect_rows(1)  # the last send that the server makes for the visitor
    dashboard.page.context.clear_cookies(name=re.compile("livesignals"))
    before = shop.journal().search(parse(server), before=None, limit=10_000).events

    hand.send("own")
    dashboard.page.goto(f"{shop.url}/livesignals/?q=sender:own")
    dashboard.rows().first.click()
    dashboard.page.locator("#detail .carried").wait_for()
    dashboard.drop()
    dashboard.type_filter("sender:own -is:error")
    hand.send("own")
    dashboard.expect_rows(2)
    assert shop.journal().search(parse(server), before=None, limit=10_000).events == before


@pytest.mark.parametrize("width", [360, 1280])
def test_the_processes_are_listed_and_the_list_follows(
    dashboard: Dashboard, shop: Shop, hand: Hand, width: int
) -> None:
    """With their figures, those that are gone too; a click opens the list, Escape closes it."""
    hand.send("not listed yet")
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 740})
    dashboard.open()
    expect(page.locator("#processes-button b")).to_have_text(re.compile("[1-9]"), timeout=PATIENCE_MS)
    page.locator("#processes-button").click()
    row = page.locator("#process-list tbody tr", has_text=str(hand.process.pid))
    expect(row).to_contain_text("shell", timeout=PATIENCE_MS)
    assert_fits(page)
    stored = row.locator("td").nth(2)
    before = stored_of(shop, hand)
    expect(stored).to_have_text(f"{before:,}")
    hand.send("listed", 5)
    expect(stored).to_have_text(f"{before + 5:,}")
    page.keyboard.press("Escape")
    expect(page.locator("#process-list")).to_be_hidden()
    header = page.locator(".count", has=page.locator("#stored"))
    expect(header).to_have_attribute("title", re.compile(r"^[\d,]+ captured = [\d,]+ stored \+ \d+ dropped \+ \d+ on"))


def stored_of(shop: Shop, hand: Hand) -> int:
    """What the journal has of the hand, which sends nothing at the moment."""
    (report,) = (report for report in shop.journal().processes() if report.pid == hand.process.pid)
    return report.stored


def test_the_footer_says_how_much_is_kept(dashboard: Dashboard) -> None:
    """Also when it is changed while the page is open."""
    dashboard.open()
    retained = dashboard.page.locator("#retained")
    expect(retained).to_have_attribute("title", re.compile(r"Kept are 100,000 sends or 256 MiB"), timeout=PATIENCE_MS)
    dashboard.shop.manage("livesignals", "retain", "--events", "50000")
    try:
        expect(retained).to_have_attribute("title", re.compile(r"Kept are 50,000 sends"), timeout=PATIENCE_MS)
    finally:
        dashboard.shop.manage("livesignals", "retain", "--reset")
