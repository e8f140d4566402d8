"""From a send in another process to its row painted in Chromium."""

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks.figures import Figure
from tests.benchmarks.pages import looking_at, new_shop
from tests.browser.conftest import Shop

RATE = 1_000
SECONDS = 10
SENDING = f"""
import time
from django.dispatch import Signal
flood = Signal()
began = time.perf_counter()
for n in range({RATE * SECONDS}):
    delay = began + n / {RATE} - time.perf_counter()
    if delay > 0:
        time.sleep(delay)
    flood.send(sender="painting", at=time.time())
"""
#: Notes when each row was painted: two frames after it was put into the document the first one is on the screen.
WATCHING = """() => {
  window.painted = [];
  new MutationObserver(records => {
    const rows = records.flatMap(record => [...record.addedNodes]).filter(node => node.dataset?.id);
    requestAnimationFrame(() => setTimeout(() => {
      const now = Date.now();
      for (const row of rows) window.painted.push([+row.dataset.id, now]);
    }));
  }).observe(document.getElementById('rows'), {childList: true});
}"""


def measure() -> Iterator[Figure]:
    """p50 and p99 of what is shown, at 1,000 sends a second; the rest is counted in rows that stand for many."""
    with new_shop() as shop, looking_at(shop) as dashboard:
        dashboard.open("?q=sender:painting")
        dashboard.page.evaluate(WATCHING)
        sender = shop.spawn("shell", "-c", SENDING)
        sender.communicate(timeout=120)
        dashboard.page.wait_for_timeout(1_000)
        painted: dict[int, float] = dict(dashboard.page.evaluate("window.painted"))
        sent = _sent(shop)
    delays = sorted(at - sent[event_id] * 1_000 for event_id, at in painted.items() if event_id in sent)
    share = f"{len(delays)} of {len(sent)} rows painted one by one, the others coalesced"
    for percent, limit_ms in ((50, 40), (99, 120)):
        what = f"send in another process to painted row at {RATE:,} sends/s, p{percent}"
        yield Figure(what, percentile(delays, percent), "ms", share, at_most=limit_ms)


def _sent(shop: Shop) -> dict[int, float]:
    """Seconds since 1970 at which each event was sent, by id."""
    command = [sys.executable, "project/manage.py", "livesignals", "export", "sender:painting"]
    lines = subprocess.run(
        command, env=shop.environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {event["id"]: event["kwargs"]["at"] for event in map(json.loads, lines)}


def percentile(values: list[float], percent: int) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, len(values) * percent // 100)]
