"""The pane of one send, and the page of its cause."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS, Console, Dashboard, Hand, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.usefixtures("console")]

#: A module, for signals have the names of theirs. One send, one that makes two, and one that fails.
LOOP = """
import time
from django.dispatch import Signal
begun, paid, stored, ended = Signal(), Signal(), Signal(), Signal()
def store(sender, **kwargs):
    for n in range(2): stored.send(sender="cause.stock", n=n)
def wait(sender, **kwargs): time.sleep(0.1)
def fail(sender, **kwargs): raise ValueError("no money")
paid.connect(store, weak=False); stored.connect(wait, weak=False); ended.connect(fail, weak=False)
begun.send(sender="cause.first")
paid.send(sender="cause.order")
ended.send_robust(sender="cause.last")
"""


def run_loop(shop: Shop) -> None:
    """LOOP in a process of its own, so that its page holds nothing else."""
    (shop.folder / "loop.py").write_text(LOOP)
    shop.manage("shell", "-c", f"import sys; sys.path.insert(0, {str(shop.folder)!r}); import loop")


def open_row(dashboard: Dashboard, query: str) -> Page:
    """The page with the pane of the newest send that the filter chooses."""
    dashboard.open(f"?q={query}")
    dashboard.rows().first.click()
    expect(dashboard.page.locator("#detail article")).to_be_visible()
    return dashboard.page


def open_cause(page: Page) -> None:
    """From the pane to the page of what the send ran inside; returns when all of it is there."""
    page.locator("#detail h1 + p a").click()
    page.wait_for_url("**/causes/**")


def table(page: Page, name: str) -> dict[str, list[str]]:
    """The cells of a table by the name in its first column."""
    rows = page.locator(f"#{name} tbody tr").all()
    cells = [row.locator("th, td").all_text_contents() for row in rows]
    return {name: rest for name, *rest in cells}


def test_the_tree_stands_in_its_cause_whichever_send_of_it_is_opened(dashboard: Dashboard, shop: Shop) -> None:
    """What the cause sent before and after is closed, the tree of the open one is open; each leads to its send."""
    run_loop(shop)
    page = open_row(dashboard, "sender:cause.stock")
    tree = page.locator("#detail .tree")
    expect(tree.locator("[aria-current]")).to_contain_text("cause.stock")
    expect(tree.locator("li:not(.shut) button")).to_have_text([re.compile("paid"), *[re.compile("stored")] * 2])
    expect(tree.locator(".shut").last).to_contain_text("ended")
    expect(tree.locator(".shut").filter(has_text="begun")).to_have_count(1)

    tree.locator(".shut").last.locator("button").click()
    expect(page.locator("#detail h1")).to_contain_text("ended")
    expect(tree.locator("li:not(.shut) button")).to_have_count(1)
    expect(tree.locator(".shut").last).to_contain_text("paid")
    expect(tree.locator(".shut").last).to_contain_text("+2")


def test_a_cause_of_many_sends_is_told_in_few_lines(dashboard: Dashboard, hand: Hand) -> None:
    """Those alike are one line; of the others the nearest are there, the rest is a number."""
    hand.do("for n in range(60): asked.send(sender=f'great.{n}')")
    hand.do("for n in range(40): answered.send_robust(sender='great.alike'); refused.send_robust(sender='great.x')")
    page = open_row(dashboard, "sender:great.30")
    expect(page.locator("#detail .tree .rest")).to_have_count(2)
    expect(page.locator("#detail .tree .shut")).to_have_count(16)


def test_a_send_is_copied_as_json_as_a_filter_and_as_a_link(dashboard: Dashboard, hand: Hand) -> None:
    """And those who hear the page are told."""
    hand.send("copied one", signal="refused", words="copy me")
    hand.send("copied two", 2)
    dashboard.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_row(dashboard, 'sender:"copied one"')
    said = page.locator("#said")

    def copied(label: str) -> str:
        page.get_by_role("button", name=label, exact=True).click()
        expect(said).to_have_text(f"Copied: {label}")
        text: str = page.evaluate("navigator.clipboard.readText()")
        return text

    event = json.loads(copied("JSON"))
    assert (event["sender"], event["kwargs"]["words"]) == ("copied one", "copy me")
    link = copied("link")
    chosen = copied("filter for its like")
    assert chosen == 'signal:talk.refused sender:"copied one" is:error'
    dashboard.filter(chosen)
    expect(dashboard.rows()).to_have_count(1, timeout=PATIENCE_MS)

    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("#detail h1")).to_contain_text("refused")


def test_copying_works_where_browsers_have_no_clipboard_for_pages(dashboard: Dashboard, hand: Hand) -> None:
    """Over plain http, for one."""
    hand.send("old way")
    dashboard.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page = open_row(dashboard, 'sender:"old way"')
    page.get_by_role("button", name="filter for its like").click()
    expect(page.locator("#said")).to_contain_text("Copied")
    page.locator("#filter").fill("")
    page.locator("#filter").press("Control+v")
    expect(page.locator("#filter")).to_have_value('signal:talk.asked sender:"old way"')


def test_what_a_save_changed_is_marked(dashboard: Dashboard, shop: Shop) -> None:
    """The old value, struck through, beside the new one."""
    shop.manage(
        "shell",
        "-c",
        "from project.shop.models import Tag; t = Tag.objects.create(name='was'); t.name = 'is now'; t.save()",
    )
    page = open_row(dashboard, "signal:post_save sender:shop.Tag")
    expect(page.locator("#detail .carried del")).to_have_text("was")
    expect(page.locator("#detail .carried ins")).to_have_text("is now")


def test_the_page_of_a_cause_tells_where_the_time_went(dashboard: Dashboard, shop: Shop) -> None:
    """All its sends on one axis, nested; total and own time by receiver and by signal; each leads back to its pane."""
    run_loop(shop)
    page = open_row(dashboard, "sender:cause.order")
    open_cause(page)
    expect(page.locator("h1")).to_have_text(re.compile(r"shell\s+manage.py shell"))
    line = page.locator(".axis li")
    names = [text for text in line.locator(".what > b:first-of-type").all_inner_texts() if text != "class_prepared"]
    assert [name for name in names if name in ("begun", "paid", "stored", "ended")] == [
        "begun", "paid", "stored", "stored", "ended",
    ]  # fmt: skip
    assert line.filter(has_text="stored").first.get_attribute("class") == "d1"
    expect(line.filter(has_text="ended")).to_contain_text("ValueError")
    bars = {
        name: line.filter(has_text=name)
        .first.locator("rect.send")
        .evaluate("rect => { const box = rect.getBoundingClientRect(); return [box.left, box.right]; }")
        for name in ("paid", "stored", "ended")
    }
    assert bars["paid"][0] <= bars["stored"][0] < bars["stored"][1] <= bars["paid"][1] + 1
    assert bars["paid"][1] <= bars["ended"][0] + 2

    receivers = {name.rpartition(".")[2]: cells for name, cells in table(page, "receivers").items()}
    assert receivers["wait"][0] == "2"
    assert receivers["store"][0] == "1"
    assert milliseconds(receivers["wait"][1]) >= 200
    assert milliseconds(receivers["store"][1]) >= milliseconds(receivers["wait"][1])
    assert milliseconds(receivers["store"][2]) < milliseconds(receivers["wait"][2])
    assert receivers["fail"][-1] == "1"
    assert int(page.locator("#sends").inner_text()) == line.count()

    line.filter(has_text="paid").locator("a").click()
    expect(page.locator("#detail h1")).to_contain_text("paid")
    dashboard.expect_state("LIVE")


def milliseconds(words: str) -> float:
    number, unit = words.split()
    return float(number) * {"µs": 0.001, "ms": 1, "s": 1_000}[unit]


def test_a_cause_of_thousands_of_sends_says_what_is_left_out(dashboard: Dashboard, hand: Hand) -> None:
    """It opens all the same, and its figures are those of what was read."""
    hand.do("for n in range(1500): asked.send(sender='thousands', n=n)")
    page = open_row(dashboard, "sender:thousands")
    open_cause(page)
    expect(page.locator(".axis li")).to_have_count(1_000)
    expect(page.locator(".note")).to_contain_text("more sends are in the figures, but not drawn")
    counted = {name.rpartition(".")[2]: cells for name, cells in table(page, "signals").items()}["asked"]
    assert int(counted[0].replace(",", "")) >= 1_500


def test_a_cause_that_is_gone_says_so(dashboard: Dashboard, console: Console) -> None:
    """With a way on."""
    console.expect("status of 404")
    dashboard.open()
    epoch = dashboard.shop.journal().bounds().epoch
    for path in (f"{epoch}/nothing", "ffff/x", "%3Cb%3E/%3Cscript%3E"):
        dashboard.page.goto(f"{dashboard.shop.url}/livesignals/causes/{path}/")
        expect(dashboard.page.locator("h1")).to_have_text("No longer retained")
    dashboard.page.get_by_role("link", name="To the newest sends").click()
    dashboard.expect_state("LIVE")


@pytest.mark.parametrize("width", [360, 1_400, 2_560])
def test_the_page_of_a_cause_fits_into_every_width(dashboard: Dashboard, hand: Hand, width: int) -> None:
    """No sideways scrolling, and the way back in reach."""
    dashboard.page.set_viewport_size({"width": width, "height": 740})
    hand.send("fitting." + "long" * 30, signal="refused", words="x" * 300)
    page = open_row(dashboard, "sender:fitting.*")
    open_cause(page)
    expect(page.locator("#receivers")).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    back = page.locator(".brand")
    expect(back).to_be_in_viewport()
    back.click()
    dashboard.expect_state("LIVE")
