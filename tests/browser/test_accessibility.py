"""The page can be used without a mouse, without seeing it, and with weak eyes."""

import json
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS, Dashboard, Hand, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.usefixtures("console")]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}

#: A row of each kind: skipped, counted, rolled back, slow, nested, failed, a run.
KINDS = """
import time
from django.db import transaction
from django.contrib.auth.models import Group, User
from project.shop.models import Tag
slow, deep = Signal(), Signal()
def linger(sender, **kwargs): time.sleep(0.015)
def dive(sender, left, **kwargs): deep.send_robust(sender="kinds", left=left - 1) if left else None
slow.connect(linger); deep.connect(dive)
deep.send_robust(sender="kinds", left=104)
User.objects.first().groups.add(Group.objects.create(name=f"kinds {time.time_ns()}"))
try:
    with transaction.atomic():
        Tag.objects.create(name="kinds back")
        raise ValueError
except ValueError: pass
Tag.objects.get_or_create(name="kinds stays")
slow.send_robust(sender="kinds")
answered.send_robust(sender="kinds")
refused.send_robust(sender="kinds")
for n in range(5): asked.send_robust(sender="kinds.run", n=n)
"""


def violations(page: Page) -> list[str]:
    """What axe has to say against the page as it is now, one line for each element."""
    page.wait_for_function("document.getAnimations().every(each => each.playState !== 'running')")
    if page.evaluate("typeof axe") == "undefined":  # once for each document: it is long
        page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate(f"axe.run({json.dumps(RULES)})")
    return [
        " ".join(f"{rule['id']}: {node['target']} {node['failureSummary']}".split())
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_against_the_guidelines(dashboard: Dashboard, shop: Shop, hand: Hand, scheme: Any) -> None:
    """WCAG 2.1 AA as far as axe can tell, contrast among it, in every state of the page, wide and narrow."""
    page = dashboard.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    hand.do(KINDS)
    dashboard.open()
    dashboard.expect_row("asked", sender="kinds.run")
    found: dict[str, list[str]] = {}

    def look(state: str, *widths: int) -> None:
        for width in widths or (360, 1_280):
            page.set_viewport_size({"width": width, "height": 800})
            found[f"{state} at {width}"] = violations(page)

    for kind in ("err", "rb", "skip", "sum", "nested", "slow"):
        expect(page.locator(f"#rows .row.{kind}").first).to_be_attached(timeout=PATIENCE_MS)
    dashboard.rows("answered").first.locator(".twist").click()
    expect(page.locator("#rows .branch").first).to_be_visible(timeout=PATIENCE_MS)
    look("list")
    page.locator("#filter").fill("sender:")
    expect(page.locator("#completions")).to_be_visible(timeout=PATIENCE_MS)
    look("completions")
    page.locator("#filter").fill("sender:kinds dur>banana")
    expect(page.locator("#filter-error")).to_be_visible(timeout=PATIENCE_MS)
    look("mistake")
    dashboard.filter("")
    page.locator("#help-button").click()
    look("help")
    page.keyboard.press("Escape")
    page.locator("#view-button").click()
    for box in page.locator("#view input[type=checkbox]").all():
        box.check()
    look("view")
    page.keyboard.press("Escape")
    page.locator("#take-away-button").click()
    look("take away")
    page.keyboard.press("Escape")
    page.locator("#processes-button").click()
    expect(page.locator("#process-list tbody tr").first).to_be_visible(timeout=PATIENCE_MS)
    look("processes")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 360, "height": 800})
    page.locator("#facets-button").click()
    expect(page.locator("#facets li").first).to_be_visible(timeout=PATIENCE_MS)
    look("facets over the list", 360)
    page.keyboard.press("Escape")

    for signal, sender in (("refused", "kinds"), ("post_save", "shop.Tag")):
        page.set_viewport_size({"width": 1_280, "height": 800})
        dashboard.rows(signal, sender).first.click()
        expect(page.locator("#detail h1")).to_contain_text(signal)
        page.locator("#detail summary").click()
        look(f"pane of {signal}")
        page.locator("#close").click()
    dashboard.pause()
    page.locator("#facets-button").click()
    expect(page.locator("#facets li").first).to_be_visible(timeout=PATIENCE_MS)
    look("facets and pause")
    page.locator("#pause").click()

    page.locator("#play").click()
    dashboard.expect_state("REPLAY")
    page.locator("#play").click()
    look("replay")
    page.goto(f"{shop.url}/livesignals/?q=nothing-like-this")
    expect(page.locator('.empty[data-when="unmatched"]')).to_be_visible(timeout=PATIENCE_MS)
    look("nothing matches")
    dashboard.filter("sender:kinds")
    dashboard.rows("refused").first.locator("a.go").click()
    expect(page.locator("#by-signal")).to_be_visible()
    look("cause")
    file = shop.folder / f"{scheme}.jsonl"
    shop.manage("livesignals", "export", "sender:kinds*", "-o", str(file))
    shop.manage("livesignals", "import", str(file))
    page.goto(f"{shop.url}/livesignals/?recording={scheme}")
    dashboard.expect_state("RECORDING")
    look("recording")
    against = [f"{state}: {line}" for state, lines in found.items() for line in lines]
    assert not against, "\n".join(against)


#: What Tab should reach, as far as it is to be seen, in the order of the document.
CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter(
  (element) => element.tabIndex >= 0 && element.checkVisibility() && !element.disabled
)"""


def test_every_control_is_reached_by_tab_and_shows_it(dashboard: Dashboard, hand: Hand) -> None:
    """In the order of the page, with facets, pane and a range; none is skipped, and each is marked while it has it."""
    page = dashboard.page
    page.set_viewport_size({"width": 1_280, "height": 800})
    hand.send("tabbed")
    dashboard.open("?q=sender:tabbed")
    expect(dashboard.rows()).to_have_count(1)
    expect(page.locator("#searched")).to_have_text("1 in all that is retained")
    page.locator("#facets-button").click()
    expect(page.locator("#facets li").first).to_be_visible(timeout=PATIENCE_MS)
    dashboard.rows().first.click()
    expect(page.locator("#detail article")).to_be_visible()
    page.evaluate("getSelection().removeAllRanges(); document.activeElement.blur()")
    page.locator("body").click(position={"x": 90, "y": 4})  # where Tab begins
    controls = page.evaluate_handle(CONTROLS)
    count: int = controls.evaluate("controls => controls.length")
    assert count > 40
    reached = []
    for _ in range(count):
        page.keyboard.press("Tab")
        reached.append(
            controls.evaluate(
                """controls => {
                     const element = document.activeElement, style = getComputedStyle(element);
                     const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
                     return [controls.indexOf(element), isMarked ? "" : element.outerHTML];
                   }"""
            )
        )
    assert reached == [[n, ""] for n in range(count)]


OPENERS = ["?", "v", "#help-button", "#view-button", "#take-away-button", "#processes-button"]


@pytest.mark.parametrize(
    ("opener", "width"),
    [*((opener, 1_280) for opener in OPENERS), ("#processes-button", 360), ("#facets-button", 360)],
)
def test_what_is_opened_is_closed_by_escape_and_the_focus_goes_back(
    dashboard: Dashboard, hand: Hand, opener: str, width: int
) -> None:
    """To the button, or to the list when a key opened it; the next key does what it says."""
    page = dashboard.page
    page.set_viewport_size({"width": width, "height": 740})
    sender = f"closed{opener.strip('#')}{width}"
    hand.send(sender)
    dashboard.open(f'?q=sender:"{sender}"')
    expect(dashboard.rows()).to_have_count(1)
    is_key = len(opener) == 1
    if is_key:
        page.keyboard.press(opener)
    else:
        page.locator(opener).focus()
        page.keyboard.press("Enter")
    opened = page.locator("[popover]:popover-open")
    expect(opened).to_have_count(1)
    if opener == "#facets-button":
        expect(opened.locator("li").first).to_be_visible(timeout=PATIENCE_MS)
    if opener != "#processes-button":  # there is nothing in it to go to
        page.keyboard.press("Tab")
    assert opened.evaluate("opened => opened.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    expect(page.locator("#list" if is_key else opener)).to_be_focused()
    page.keyboard.press("j")
    expect(dashboard.rows().first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#detail article")).to_be_visible()
    page.locator("#close").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#pane")).to_be_hidden()
    expect(dashboard.rows().first).to_be_focused()


#: Counts what a screen reader would be given to say.
HEARD = """() => {
  window.heard = [];
  const regions = document.querySelectorAll("[role=status], [role=alert], [aria-live]");
  for (const region of regions) {
    new MutationObserver(() => heard.push(`${region.id}: ${region.textContent}`)).observe(
      region, { childList: true, characterData: true, subtree: true }
    );
  }
  return [...regions].some((region) => region.contains(document.getElementById("rows")));
}"""


def test_counts_are_announced_now_and_then_and_rows_never(dashboard: Dashboard, hand: Hand) -> None:
    """While some thousand sends come in, next to nothing is said; what is said has the figures."""
    page = dashboard.page
    dashboard.open("?q=sender:heard")
    assert page.evaluate(HEARD) is False
    for _ in range(10):
        hand.send("heard", 300)
    expect(page.locator(".fold:visible")).to_have_text("× 3,000", timeout=PATIENCE_MS)
    expect(page.locator("#spoken")).to_contain_text("stored", timeout=2 * PATIENCE_MS)
    assert len(page.evaluate("heard")) <= 4
