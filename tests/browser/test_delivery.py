"""Nothing is lost and nothing comes twice, whatever happens between a send and the page."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from livesignals.filters import parse
from tests.browser.conftest import Dashboard, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SENDS = 10_000
SENDING = f"""
import time
from django.dispatch import Signal
flood = Signal()
for n in range({SENDS}):
    flood.send(sender="delivery", n=n)
    if n % 50 == 0:
        time.sleep(0.03)
"""
FILTER = "sender:delivery"


#: Keeps what the page has put in; what reached the browser on a socket that was cut is not the page's.
KEEPING = """
window.taken = [];
document.addEventListener('htmx:ws:after:message:incoming', ({detail}) => {
  const message = detail.message.parsed;
  if (message?.type === 'rows') window.taken.push(message);
}, true);
"""


class Frames:
    """What the page has put into its list, frame by frame."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.add_init_script(KEEPING)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The frames that hold rows, in order, without the rows."""
        frames: list[dict[str, Any]] = self.page.evaluate(
            "(window.taken ?? []).map(({frame, id, reset}) => ({frame, id, reset}))"
        )
        return frames

    def spans(self) -> list[tuple[int, int, int]]:
        """(first id, last id, how many events) of every row, oldest first."""
        spans: list[tuple[int, int, int]] = self.page.evaluate(
            """() => window.taken.flatMap(({content: html}) => {
                 const list = new DOMParser().parseFromString(`<ul>${html}</ul>`, 'text/html').querySelector('ul');
                 return [...list.children].reverse().map(row => row.dataset.id
                   ? [+row.dataset.id, +row.dataset.id, 1]
                   : [+row.dataset.first, +row.dataset.last, +row.dataset.count]);
               })"""
        )
        return spans


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose processes share a file, or a Redis."""
    url = f"{request.getfixturevalue('redis_url')}?name=delivery" if request.param == "redis" else ""
    shop = Shop(tmp_path_factory.mktemp("shop"), url)
    shop.start()
    yield shop
    shop.stop()


def test_ten_thousand_sends_arrive_once_and_in_order_through_restarts_and_cuts(
    dashboard: Dashboard, shop: Shop
) -> None:
    """A second process sends while the server is killed, restarted and the socket cut; the page accounts for all."""
    frames = Frames(dashboard.page)
    dashboard.open(f"?q={FILTER}")
    sender = shop.spawn("shell", "-c", SENDING)
    dashboard.until(lambda: len(frames.rows) > 3)
    dashboard.drop()
    taken = len(frames.rows)
    dashboard.until(lambda: len(frames.rows) > taken)
    assert shop.server is not None
    shop.server.process.kill()
    dashboard.expect_state("RECONNECTING")
    taken = len(frames.rows)
    shop.start()
    dashboard.until(lambda: len(frames.rows) > taken)
    assert not frames.rows[-1]["reset"]
    dashboard.drop()
    output, _ = sender.communicate(timeout=120)
    assert sender.returncode == 0, output

    journal = shop.journal()
    chosen, after = parse(FILTER), 0
    stored: list[int] = []
    while len(stored) < SENDS:
        found = journal.search_forward(chosen, after=after, limit=1_000)
        stored += [event.id for event in found.events]
        after = found.scanned_to
        assert found.events
    dashboard.until(lambda: frames.rows[-1]["id"] >= stored[-1])

    spans = frames.spans()
    assert sum(count for _, _, count in spans) == SENDS
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    for first, last, count in spans:
        assert sum(first <= event_id <= last for event_id in stored) == count
    _expect_counts(dashboard, shop)


def _expect_counts(dashboard: Dashboard, shop: Shop) -> None:
    """The figures in the header and on the chips become those of the journal."""

    def shown(selector: str) -> int:
        return int("".join(filter(str.isdigit, dashboard.page.locator(selector).inner_text())))

    def agree() -> bool:
        counts = shop.journal().counts()
        return (
            shown("#stored") == counts.stored
            and shown("#dropped") == sum(counts.dropped.values()) == 0
            and all(shown(f"[data-family-chip={key}] [data-count]") == n for key, n in counts.by_family.items())
        )

    dashboard.until(agree)
