"""How fast a million retained events are searched, once they are indexed, and what indexing costs who reads."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from livesignals.events import Cause, Error, Event, Process, ReceiverCall, Record, Transaction, record_of
from livesignals.filters import parse
from livesignals.journal import FACETS, Journal, ProcessReport, open_journal
from tests.benchmarks.figures import Figure

EVENTS = 1_000_000
VARIED = 20_000  # of which each is stored many times, with a primary key, uid and time of its own
BATCH = 5_000
INDEXED_AT_ONCE = 1_000
PAGE = 60
ROUNDS = 3
STEP_US = 1_000  # between two events
BEGAN = time.time_ns() // 1_000 - EVENTS * STEP_US  # µs since 1970, UTC: the last event is of now

#: A filter, what it stands for, and the most milliseconds for its first page.
PAGES = (
    ("signal:post_save sender:shop.Order", "fields, frequent", 20),
    ("signal:m2m_changed sender:shop.Stock", "fields that never meet", 20),
    ("receiver:shop.audit.log_refund", "receiver, rare", 20),
    ("is:error", "errors", 20),
    ("dur>5s", "duration, rare", 20),
    ("dur>1h", "duration, none", 20),
    ("kwargs.instance.status:paid", "payload value, frequent", 20),
    ("kwargs.instance.status:refunded", "payload value, rare", 20),
    ("kwargs.instance.pk:123456", "payload value, one", 20),
    ("kwargs.instance.status:nothing", "payload value, none", 20),
    ("paid", "bare word, frequent", 150),
    ("refunded", "bare word, rare", 150),
    ("nothinglikethis", "bare word, none", 150),
    ("kwargs.instance.email:*@example.com", "glob, frequent", 150),
    ("kwargs.instance.email:*r77*00@*", "glob, rare", 150),
    ("kwargs.instance.email:*nobody*", "glob, none", 150),
    ("kwargs.instance.total>500", "range, frequent", 150),
    ("kwargs.instance.pk:500..520", "range, rare", 150),
    ("kwargs.instance.total:500.001..500.002", "range, none within", 150),
    ("kwargs.instance.total>1000000", "range, none beyond", 150),
    ("-kwargs.instance.status:*", "not, rare", 150),
)
COUNTED = ("", "signal:post_save sender:shop.Order", "kwargs.instance.status:paid", "paid", "is:error")


def measure() -> Iterator[Figure]:
    """First pages from the newest event down, facets and histogram over everything, and the id at a time."""
    with TemporaryDirectory(prefix="livesignals-bench-") as folder:
        journal = open_journal(
            f"sqlite:///{Path(folder, 'journal.sqlite3')}", project="", retain_events=EVENTS, retain_bytes=2**33
        )
        fill(journal, EVENTS)
        yield from _indexing(journal)
        for text, what, limit in PAGES:
            chosen = parse(text)
            seconds = fastest_of(lambda: journal.search(chosen, None, PAGE))  # noqa: B023
            found = len(journal.search(chosen, None, PAGE).events)
            yield Figure(f"first page: {what}", seconds * 1e3, "ms", f"{text} ({found} found)", at_most=limit)
        first, last = BEGAN, BEGAN + EVENTS * STEP_US
        for text in COUNTED:
            chosen = parse(text)
            seconds = fastest_of(lambda: journal.facets(chosen, FACETS, 20))  # noqa: B023
            yield Figure("facets", seconds * 1e3, "ms", text or "every event", at_most=200)
            seconds = fastest_of(lambda: journal.histogram(chosen, first, last, 200))  # noqa: B023
            yield Figure("histogram of 200 slices", seconds * 1e3, "ms", text or "every event", at_most=200)
        seconds = fastest_of(lambda: journal.id_at((first + last) // 2))
        yield Figure("the id at a time", seconds * 1e3, "ms", "a seek also reads a page from there", at_most=100)
        journal.close()


def fastest_of(ask: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        best = min(best, time.perf_counter() - began)
    return best


def _indexing(journal: Journal) -> Iterator[Figure]:
    began, cpu = time.perf_counter(), time.process_time()
    longest = 0.0
    more = True
    while more:
        step = time.perf_counter()
        more = journal.index(INDEXED_AT_ONCE)
        longest = max(longest, time.perf_counter() - step)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    indexed, counts = journal.indexed(), journal.counts()
    assert indexed is not None
    assert indexed.events == EVENTS
    told = f"{cpu / EVENTS * 1e6:.0f} µs of the server's processor an event; the longest step {longest * 1e3:.0f} ms"
    yield Figure("events a second into the search index", EVENTS / seconds, "/s", told, at_least=20_000)
    told = f"{indexed.bytes / EVENTS:.0f} bytes an event, whose JSON has {counts.bytes / EVENTS:.0f}"
    yield Figure("the search index on disk", indexed.bytes / 2**20, "MiB", told)


def fill(journal: Journal, events: int) -> None:
    """Store so many events, some milliseconds apart."""
    chance = random.Random(4)
    varied = [record_of(_event(chance)) for _ in range(VARIED)]
    stored = 0
    while stored < events:
        batch = [_own(varied[chance.randrange(VARIED)], number) for number in range(stored + 1, stored + BATCH + 1)]
        stored += BATCH
        report = ProcessReport(
            process="bench", host="", pid=1, role="", started_ts=1, seen_ts=1, captured=stored, stored=stored
        )
        journal.append(batch, report)


def _own(record: Record, number: int) -> Record:
    """The record with an identity and a time of its own."""
    began = BEGAN + number * STEP_US
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began // 10**6)) + f".{began % 10**6:06d}Z"
    body = record.body.replace(b"7777777777777777", b"%016x" % (number * 0x9E3779B97F4A7C15 % 2**64))
    body = body.replace(b"2026-01-02T03:04:05.000000Z", stamp.encode()).replace(b"424242", b"%d" % number)
    return record._replace(ts_us=began, body=body, size=len(body))


def _event(chance: random.Random) -> Event:
    """A send as in a shop; about one in two thousand is of a refund."""
    model = chance.choice(["shop.Order", "shop.OrderLine", "shop.Stock", "shop.Customer", "auth.User", "shop.Payment"])
    refunded = chance.random() < 1 / 2_000
    names = ["shop.receivers.reserve_stock", "shop.search.reindex", "shop.cache.forget", "shop.audit.log"]
    receivers = [
        ReceiverCall(name=name, duration_us=chance.random() * 900, place="shop/receivers.py:41")
        for name in chance.sample(names, chance.randrange(4))
    ]
    if refunded:
        receivers.append(ReceiverCall(name="shop.audit.log_refund", duration_us=9.0))
    error = Error(type="ValueError", message="no such thing") if chance.random() < 0.002 else None
    status = "refunded" if refunded else chance.choice(["new", "paid", "paid", "sent"])
    fields = {
        "status": status,
        "email": f"user{chance.randrange(10_000)}424242@example.com",
        "total": f"{chance.randrange(100_000) / 100:.2f}",
        "placed": "2026-01-02T03:04:05.000000Z",
        "note": chance.choice(["", "leave it with the neighbours", "ring twice"]),
        "customer_id": chance.randrange(50_000),
    }
    if chance.random() < 0.0005:
        del fields["status"]
    return Event(
        uid="7777777777777777",
        root="7777777777777777",
        ts="2026-01-02T03:04:05.000000Z",
        signal=f"django.db.models.signals.{chance.choice(['pre_save', 'post_save', 'post_save', 'post_delete'])}",
        family="model",
        sender=model,
        duration_us=6e6 if chance.random() < 0.0005 else chance.random() * 3_000,
        status="raised" if error else "returned",
        error=error,
        receivers=receivers,
        kwargs={
            "instance": {"model": model, "pk": 424242, "fields": fields},
            "created": chance.random() < 0.5,
            "raw": False,
            "using": "default",
            "update_fields": None,
        },
        cause=Cause(kind="request", name=f"POST /orders/{chance.randrange(2_000)}/", id="c", route="orders/<int:pk>/"),
        where=f"shop/views.py:{chance.randrange(40, 60)} place_order",
        transaction=Transaction(db="default", state="committed", id="t1"),
        process=Process(host="web-1", pid=chance.randrange(100, 104), seq=1),
        changes={"status": ["new", status]},
    )
