"""Events to put into a journal, and a process that does so with honest figures."""

import itertools
from collections.abc import Sequence
from typing import Any

from livesignals.events import Cause, Counted, Event, Process, Transaction, record_of
from livesignals.journal import Appended, Journal, ProcessReport

_numbers = itertools.count(1)


def make_event(**changes: Any) -> Event:
    """An event like those of a shop; each has a uid of its own and is the root of its tree."""
    number = next(_numbers)
    uid = changes.pop("uid", f"uid-{number}")
    defaults: dict[str, Any] = {
        "root": uid,
        "ts": f"2026-01-02T03:{number // 60 % 60:02d}:{number % 60:02d}.000001Z",
        "signal": "django.db.models.signals.post_save",
        "family": "model",
        "sender": "shop.Order",
        "duration_us": 812.4,
        "kwargs": {"instance": {"model": "shop.Order", "pk": number, "fields": {"status": "paid"}}},
        "cause": Cause(kind="request", name="POST /orders/", id="request-1"),
        "process": Process(host="web1", pid=123, seq=number),
    }
    return Event(uid=uid, **{**defaults, **changes})


def make_events(count: int, **changes: Any) -> list[Event]:
    return [make_event(**changes) for _ in range(count)]


def make_count(sends: int, **changes: Any) -> Event:
    """Sends that were counted instead of kept."""
    counted = Counted(sends=sends, duration_us=1_234.5, seconds=1.0)
    left_out: dict[str, Any] = {"duration_us": None, "kwargs": {}, "method": "", "thread": ""}
    return make_event(counted=counted, flags=["counted"], **{**left_out, **changes})


def pending(tx_id: str) -> Transaction:
    """A transaction that is still open."""
    return Transaction(db="default", state="pending", id=tx_id)


class Sender:
    """A process that captures events, drops some, keeps some waiting and appends the others."""

    def __init__(self, journal: Journal, token: str = "process-1", *, seen_ts: int = 1_000_000) -> None:
        self.journal = journal
        self.token = token
        self.seen_ts = seen_ts
        self.stored = 0
        self.dropped: dict[str, int] = {}
        self.buffered = 0

    def report(self, writing: int = 0) -> ProcessReport:
        """The figures once *writing* events have left the buffer for the journal."""
        return ProcessReport(
            process=self.token,
            host="web1",
            pid=123,
            role="runserver",
            started_ts=1,
            seen_ts=self.seen_ts,
            captured=self.stored + writing + sum(self.dropped.values()) + self.buffered,
            dropped=dict(self.dropped),
            buffered=self.buffered,
        )

    def append(self, events: Sequence[Event]) -> Appended:
        appended = self.journal.append([record_of(event) for event in events], self.report(len(events)))
        self.stored += len(events)
        return appended


def assert_balanced(journal: Journal) -> None:
    """Every figure of the journal agrees with the others and with what can be read."""
    counts = journal.counts()
    bounds = journal.bounds()
    events = journal.read(0, 1_000_000)
    assert counts.captured == counts.stored + sum(counts.dropped.values()) + counts.buffered
    assert counts.stored == counts.retained + counts.evicted
    assert [event.id for event in events] == list(range(bounds.first, bounds.last + 1))
    assert counts.retained == len(events) == sum(counts.by_family.values())
    for family, count in counts.by_family.items():
        assert count == sum(event.family == family for event in events)
    assert (counts.bytes > 0) == (counts.retained > 0)
