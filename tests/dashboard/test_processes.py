"""The panel "Processes", as it comes over the wire."""

import os
import re
import signal
import time
from collections.abc import Callable

from msgspec.structs import replace

from livesignals.dashboard.processes import processes_html
from livesignals.journal import ProcessReport
from livesignals.journal.liveness import SILENT_SECONDS
from livesignals.journal.memory import MemoryJournal
from tests.browser.conftest import Hand, Shop
from tests.dashboard.conftest import ask, use_link
from tests.processes import PATIENCE


def make_journal(*reports: ProcessReport) -> MemoryJournal:
    journal = MemoryJournal(project="", retain_events=10, retain_bytes=10**6)
    for report in reports:
        journal.append([], report)
    return journal


def make_report(process: str, *, silent: float = 0.0, dropped: int = 0, buffered: int = 0) -> ProcessReport:
    return ProcessReport(
        process=process,
        host="<elsewhere>",
        pid=4711,
        role=f"manage.py {process}",
        started_ts=1,
        seen_ts=int((time.time() - silent) * 1e6),
        captured=dropped + buffered,
        dropped={"buffer <full>": dropped} if dropped else {},
        buffered=buffered,
    )


def rows_of(html: str) -> list[str]:
    """The text of each row of the table's body, one space between words."""
    body = html.partition("<tbody>")[2].partition("</tfoot>")[0]
    return [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in body.split("<tr")[1:]]


def test_each_process_is_told_with_its_figures() -> None:
    """Who it is, its last sign of life, and why sends of it were dropped; the last row is the sum. Text is text."""
    journal = make_journal(make_report("serve", silent=75, buffered=1_500), make_report("work", silent=3, dropped=20))
    html = processes_html(journal.processes(), journal.counts())
    assert [row.partition(">")[2].strip() for row in rows_of(html)] == [
        "manage.py work &lt;elsewhere&gt; · 4711 3 s ago 20 0 20 20 buffer &lt;full&gt; 0",
        "manage.py serve &lt;elsewhere&gt; · 4711 1 min ago, gone 1,500 0 0 1,500",
        "All there ever were 1,520 0 20 20 buffer &lt;full&gt; 1,500",
    ]


def test_what_is_in_another_journal_is_told_and_is_no_loss() -> None:
    """Nothing is marked as lost, unless something was beside it."""
    moved = replace(make_report("moved", silent=3), captured=5, dropped={"stored in another journal": 5})
    html = processes_html([moved], make_journal(moved).counts())
    assert "5 stored in another journal" in html
    assert "lost" not in html
    lossy = replace(moved, captured=7, dropped={**moved.dropped, "buffer full": 2})
    assert '<small class="lost">2 buffer full</small>' in processes_html([lossy], make_journal(lossy).counts())


def test_of_those_that_are_gone_the_latest_are_listed() -> None:
    """A site runs many commands; those that are there come first."""
    ended = [replace(make_report(f"c{n}", silent=SILENT_SECONDS + 5 + n), pid=n) for n in range(30)]
    ended = [
        ProcessReport(**{name: getattr(r, name) for name in r.__struct_fields__} | {"pid": n})
        for n, r in enumerate(ended)
    ]
    journal = make_journal(*ended, make_report("alive", silent=40 - SILENT_SECONDS))
    rows = rows_of(html := processes_html(journal.processes(), journal.counts()))
    assert len(rows) == 1 + 20 + 1
    assert "alive" in rows[0]
    assert "c0" in rows[1]
    assert "and 10 earlier ones that are gone" in html


def test_an_empty_journal_says_so() -> None:
    """Instead of an empty table."""
    journal = make_journal()
    assert "No process has recorded anything yet." in processes_html([], journal.counts())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_process_that_is_killed_is_told_as_gone(shop: Shop) -> None:
    """At once, since its pid is; nobody who may not look sees any of it."""
    cookie = use_link(shop)
    assert ask(shop, "processes/").status == 404
    hand = Hand(shop)
    hand.send("before the end", 3)

    def row() -> str:
        listed = ask(shop, "processes/", Cookie=cookie)
        assert listed.status == 200
        return next((row for row in rows_of(listed.text) if f" · {hand.process.pid} " in row), "")

    wait_for(lambda: "s ago" in row())
    assert "gone" not in row()
    os.kill(hand.process.pid, signal.SIGKILL)
    hand.process.communicate()
    assert "gone" in row()
