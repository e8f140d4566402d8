"""The page under ten thousand sends a second."""

import os
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.pages import looking_at, new_shop
from tests.browser.conftest import Dashboard, Shop

RATE = 10_000
SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))
#: Senders and arguments differ, so that hardly anything folds into runs; each fiftieth send fails.
SENDING = f"""
import time
from django.dispatch import Signal
flood = Signal()
flood.connect(lambda n, **kwargs: 1 / (n % 50), weak=False)
began = time.perf_counter()
for n in range({RATE * SECONDS}):
    if n % 100 == 0:
        delay = began + n / {RATE} - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
    flood.send_robust(sender=f"flood {{n % 7}}", n=n, status="paid")
print("took", time.perf_counter() - began)
"""
NUMBER = r"+document.getElementById('%s').textContent.replace(/\D/g, '')"
WATCHING = """() => {
  const seen = window.seen = {frames: 0, tasks: [], heap: [], began: performance.now()};
  const tick = () => { seen.frames++; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  new PerformanceObserver(list => seen.tasks.push(...list.getEntries().map(entry => entry.duration)))
    .observe({entryTypes: ['longtask']});
}"""


def measure() -> Iterator[Figure]:
    """Frames a second, the longest task, what the heap grew by, and whether the counters are those of the journal."""
    with new_shop() as shop, looking_at(shop) as dashboard:
        dashboard.open()
        client = dashboard.page.context.new_cdp_session(dashboard.page)
        sender = shop.spawn("shell", "-c", SENDING)
        dashboard.page.wait_for_function(f"() => {NUMBER % 'rate'} > 1000")
        dashboard.page.wait_for_timeout(2_000)  # the list is full from here on
        heap_before = _heap(client)
        dashboard.page.evaluate(WATCHING)
        output, _ = sender.communicate(timeout=10 * SECONDS)
        seen = dashboard.page.evaluate("({...window.seen, ended: performance.now()})")
        heap_after = _heap(client)
        seconds = (seen["ended"] - seen["began"]) / 1_000
        dashboard.page.wait_for_timeout(2_000)
        shown, stored, dropped = _figures(dashboard, shop)
        rows = dashboard.rows().count()
    took = float(output.split("took")[-1])
    pace = f"{RATE * SECONDS / took:,.0f} sends/s for {took:.0f} s, {rows} rows in the document"
    yield Figure("the page under 10,000 sends/s, frames a second", seen["frames"] / seconds, "/s", pace, at_least=55)
    longest = max(seen["tasks"], default=0.0)
    tasks = f"{len(seen['tasks'])} tasks over 50 ms"
    yield Figure("… the longest task", longest, "ms", tasks, at_most=100)
    heap = f"{heap_before:.1f} MiB to {heap_after:.1f} MiB, garbage collected"
    yield Figure("… what its heap grew by", heap_after - heap_before, "MiB", heap, at_most=2)
    exact = f"the page says {shown:,} stored, the journal {stored:,}, dropped {dropped:,}"
    yield Figure("… by how much its counters are wrong", abs(shown - stored), "", exact, at_most=0)


def _heap(client: Any) -> float:
    """MiB in use after a garbage collection."""
    client.send("HeapProfiler.collectGarbage")
    used: float = client.send("Runtime.getHeapUsage")["usedSize"]
    return used / 2**20


def _figures(dashboard: Dashboard, shop: Shop) -> tuple[int, int, int]:
    """Stored as the page says; stored and dropped as the journal says."""
    shown = dashboard.page.evaluate(NUMBER % "stored")
    counts = shop.journal().counts()
    return shown, counts.stored, sum(counts.dropped.values())
