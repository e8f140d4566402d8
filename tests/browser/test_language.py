"""The page in German, for a browser that asks for German."""

import re

import pytest
from playwright.sync_api import expect

from livesignals.filters.fields import FIELDS
from livesignals.filters.flags import FLAGS
from tests.browser.conftest import PATIENCE_MS, Dashboard, Hand, Shop
from tests.messages import read

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

#: Every text on the page, and every attribute that people read or hear.
SAID = """() => {
  const ATTRIBUTES = ["title", "aria-label", "aria-valuetext", "placeholder"];
  const said = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) said.push(node.data);
    else said.push(...ATTRIBUTES.map((name) => node.getAttribute(name) ?? ""));
  }
  return said.map((text) => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""


def english() -> dict[str, re.Pattern[str]]:
    """What would be English: each text that is another one in German, with anything where something is filled in."""
    found = {}
    for message in read("de"):
        for text in [message.id] if isinstance(message.id, str) else message.id:
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            if text and text not in strings:
                parts = re.split(r"\{\w+\}|%\(\w+\)[ds]|%[ds]", text)
                found[text] = re.compile(".+".join(map(re.escape, parts)))
    return found


def test_no_english_word_is_left_on_a_german_page(dashboard: Dashboard, shop: Shop, hand: Hand) -> None:
    """In the list, the pane, the menus, the help, a replay and the page of a cause; figures are German too."""
    browser = dashboard.page.context.browser
    assert browser is not None
    words = english()
    assert len(words) > 350
    with browser.new_context(locale="de-DE") as context:
        german = Dashboard(context.new_page(), shop)
        page = german.page

        def look() -> None:
            left = {said for said in page.evaluate(SAID) for pattern in words.values() if pattern.fullmatch(said)}
            assert left <= {field.name for field in FIELDS} | FLAGS.keys()  # what is typed is the same in all

        german.open()
        assert page.locator("html").get_attribute("lang") == "de"
        hand.send("sprache", 1_234)
        expect(page.locator("#rows .fold").first).to_have_text("× 1.234", timeout=PATIENCE_MS)
        hand.send("sprache", signal="refused")
        hand.send("sprache", signal="answered")
        german.expect_row("answered", sender="sprache")
        look()
        german.filter("-sender:shop.* dur<=1h")
        expect(page.locator("#filter-english")).to_have_text(
            "der Sender passt nicht auf shop.* und die Dauer ist höchstens 1 h", timeout=PATIENCE_MS
        )
        german.filter("nosuch:field")
        expect(page.locator("#filter-error")).to_contain_text("es gibt kein Feld „nosuch“", timeout=PATIENCE_MS)
        look()
        german.filter("")
        page.locator("#filter").fill("is:")
        expect(page.locator("#completions li").first).to_be_visible(timeout=PATIENCE_MS)
        look()
        german.filter("")
        page.locator("#facets-button").click()
        german.rows("refused").first.click()
        expect(page.locator("#detail")).to_contain_text("fehlgeschlagen", timeout=PATIENCE_MS)
        look()
        page.locator("#take-away-button").click()
        expect(page.locator("#recordings")).not_to_be_empty()
        look()
        page.keyboard.press("Escape")
        page.locator("#pause").click()
        german.expect_state("ANGEHALTEN")
        look()
        page.locator("#play").click()
        german.expect_state("WIEDERGABE")
        look()
        page.locator("#live").click()
        german.filter("refused")
        german.rows("refused").first.click()
        page.keyboard.press("c")
        expect(page.locator("#by-receiver")).to_be_visible()
        look()


#: Keeps all that the recorder's bar says of the moments that are pointed at.
POINTED = """() => {
  const hover = document.getElementById("hover");
  window.pointed = new Set();
  new MutationObserver(() => pointed.add(hover.textContent.split(" · ")[1])).observe(hover, { childList: true });
}"""


@pytest.mark.parametrize(
    ("language", "paused", "waiting", "way", "moment"),
    [
        ("en", "PAUSED", ["+1 new, 1 error", "+2 new, 2 errors"], "1 way to go on", "1 send, 1 error"),
        ("de", "ANGEHALTEN", ["+1 neue, 1 Fehler", "+2 neue, 2 Fehler"], "1 mögliche Fort", "1 Sendung, 1 Fehler"),
    ],
)
def test_one_is_said_as_one(
    dashboard: Dashboard, hand: Hand, language: str, paused: str, waiting: list[str], way: str, moment: str
) -> None:
    """What waits, ways to go on with the filter, and what there was at a moment."""
    browser = dashboard.page.context.browser
    assert browser is not None
    with browser.new_context(locale=language) as context:
        there = Dashboard(context.new_page(), dashboard.shop)
        page, sender = there.page, f"single.{language}"
        there.open(f"?q=sender:{sender}")
        page.locator("#pause").click()
        there.expect_state(paused)
        hand.send(sender, signal="refused")
        expect(page.locator("#waiting")).to_have_text(waiting[0], timeout=PATIENCE_MS)
        page.evaluate(POINTED)
        box = page.locator("#bar").bounding_box()
        assert box is not None
        for _ in range(PATIENCE_MS // 500):  # until the bar knows of it
            page.mouse.move(box["x"], box["y"] + 10)
            page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 10, steps=300)
            if page.evaluate("moment => pointed.has(moment)", moment):
                break
            page.wait_for_timeout(500)
        else:
            raise AssertionError(page.evaluate("[...pointed]"))
        hand.send(sender, signal="refused")
        expect(page.locator("#waiting")).to_have_text(waiting[1], timeout=PATIENCE_MS)
        page.locator("#filter").fill(f"sender:{sender[:-1]}")
        expect(page.locator("#completions-count")).to_contain_text(way, timeout=PATIENCE_MS)


def test_others_see_english_at_the_same_time(dashboard: Dashboard, hand: Hand) -> None:
    """A row that was rendered for a German page is not shown to an English one, nor the other way round."""
    browser = dashboard.page.context.browser
    assert browser is not None
    dashboard.open("?q=sender:beide")
    with browser.new_context(locale="de-DE") as context:
        german = Dashboard(context.new_page(), dashboard.shop)
        german.open("?q=sender:beide")
        hand.do(
            "lingers = Signal(); import time\ndef linger(sender, **kwargs): time.sleep(0.02)\nlingers.connect(linger)"
        )
        hand.do("lingers.send_robust(sender='beide')")
        for each, word in ((dashboard, "slow"), (german, "langsam")):
            expect(each.rows().first.locator(".tag")).to_have_text(word, timeout=PATIENCE_MS)
