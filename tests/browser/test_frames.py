"""Frames reach the page whatever is in them, and the page goes on whatever becomes of one."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, Console, Dashboard, Hand

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

#: Each row of these is some 15 kB of HTML: names as long as they are kept, of what HTML writes longest.
LONG_NAMES = """
wide = Signal()
def receivers():
    for n in range(8):
        def receiver(sender, **kwargs): pass
        receiver.__qualname__ = '"' * 200 + str(n)
        yield receiver
kept = list(receivers())
for receiver in kept: wide.connect(receiver)
def send_wide(times):
    for n in range(times): wide.send(sender=f"wide{n % 7}" + '"' * 190, n=n)
"""
#: A frame with such a row finds a page that cannot put it in.
FAILING = """() => {
  const { swap } = htmx;
  htmx.swap = (given, ...more) => {
    if (!given.text.includes("frame-lost")) return swap.call(htmx, given, ...more);
    htmx.swap = swap;
    return Promise.reject(new Error("it could not be put in"));
  };
}"""


def test_the_page_is_told_of_sends_however_long_their_names_are(dashboard: Dashboard, hand: Hand) -> None:
    """Live, at the first look, below the list and in a replay, no frame is longer than a server will send."""
    page = dashboard.page
    hand.do(LONG_NAMES)
    dashboard.open("?q=signal:*wide")
    hand.do("send_wide(500)")
    expect(page.locator("#searched")).to_have_text("500 in all that is retained", timeout=PATIENCE_MS)

    dashboard.open("?q=signal:*wide")
    expect(page.locator("#searched")).to_contain_text("of ≥ 100", timeout=PATIENCE_MS)
    for _ in range(3):
        page.get_by_role("button", name="Search further back").click()
        page.locator("#play").click()
        dashboard.expect_state("REPLAY")
        page.locator("#live").click()
        before = dashboard.shop.journal().bounds().last
        hand.do("send_wide(1)")
        dashboard.expect_row("wide", before)
        dashboard.expect_state("LIVE")


def test_a_frame_that_cannot_be_put_in_does_not_stop_those_after_it(
    dashboard: Dashboard, hand: Hand, console: Console
) -> None:
    """It is told in the console and acknowledged; more than may be under way at once arrive after it."""
    console.expect("it could not be put in")
    dashboard.open("?q=sender:frame*")
    for n in range(5):
        dashboard.page.evaluate(FAILING)
        hand.send(f"frame-lost{n}")
        dashboard.page.wait_for_function("lost => !htmx.swap.toString().includes(lost)", arg="could not be put in")
        hand.send(f"frame{n}")
        dashboard.expect_row("asked", sender=f"frame{n}")
    assert dashboard.rows(sender="frame-lost0").count() == 0
    assert len(console.said) == 5
