"""Opening the page over a million events, and going to and fro in them."""

import random
from collections.abc import Iterator

from livesignals.journal import open_journal
from tests.benchmarks.figures import Figure
from tests.benchmarks.pages import looking_at, new_shop
from tests.benchmarks.searching import EVENTS, fill
from tests.browser.conftest import Dashboard

OPENINGS, SEEKS = 5, 20
SETTINGS = "tests.benchmarks.inside.million"
#: When the first row was painted, in milliseconds since the person went to the page.
FIRST_ROW = """new Promise(resolve => {
  const painted = () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
  const look = () => document.querySelector('#rows li.row[data-id]') ? painted() : requestAnimationFrame(look);
  look();
})"""
#: From each click on the bar until the first row is another one, painted.
WATCHING = """() => {
  window.seeks = [];
  const first = () => document.querySelector('#rows li.row[data-id]')?.dataset.id;
  document.getElementById('bar').addEventListener('pointerup', () => {
    const before = first(), began = performance.now();
    const painted = () => requestAnimationFrame(() => setTimeout(() => window.seeks.push(performance.now() - began)));
    const look = () => first() && first() !== before ? painted() : requestAnimationFrame(look);
    look();
  }, {capture: true});
}"""


def measure() -> Iterator[Figure]:
    """The median of some openings and seeks, in Chromium."""
    with new_shop({"DJANGO_SETTINGS_MODULE": SETTINGS}) as shop:
        journal = open_journal(f"sqlite:///{shop.journal_path}", project="", retain_events=EVENTS, retain_bytes=2**33)
        fill(journal, EVENTS)
        while journal.index(10_000):
            pass
        journal.close()
        with looking_at(shop) as dashboard:
            dashboard.page.goto(shop.link())
            dashboard.expect_state("LIVE")
            page, openings = dashboard.page, []
            for _ in range(OPENINGS):
                page.goto(f"{shop.url}/livesignals/", wait_until="commit")
                openings.append(float(page.evaluate(FIRST_ROW)))
            dashboard.expect_state("LIVE")
            seeks = _seeks(dashboard)
    told = f"{EVENTS:,} events retained; the slowest {max(openings):.0f} ms"
    yield Figure("opening the dashboard, to the first row painted", _median(openings), "ms", told, at_most=500)
    told = f"{EVENTS:,} events retained; the slowest {max(seeks):.0f} ms"
    yield Figure("from a click on the bar to the rows of that time", _median(seeks), "ms", told, at_most=100)


def _seeks(dashboard: Dashboard) -> list[float]:
    page, chance = dashboard.page, random.Random(7)
    page.wait_for_function("() => document.querySelector('#density path').getAttribute('d')?.length > 10")
    box = page.locator("#bar").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.evaluate(WATCHING)
    for number in range(SEEKS):
        page.mouse.click(box["x"] + box["width"] * chance.uniform(0.02, 0.98), middle)
        page.wait_for_function("n => window.seeks.length > n", arg=number)
        page.wait_for_timeout(200)
    seeks: list[float] = page.evaluate("window.seeks")
    return seeks


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
