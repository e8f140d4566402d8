"""Events, filters and rows for the tests of the filter language."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
from hypothesis import strategies as st

from livesignals.catalogue.builtin import FAMILIES
from livesignals.events import Cause, Error, Event, Process, ReceiverCall, Transaction, record_of
from livesignals.filters import Filter, register
from livesignals.filters.flags import FLAGS
from livesignals.journal.search_columns import SEGMENT_EVENTS
from livesignals.journal.search_file import SearchFile, prepared
from livesignals.journal.search_segment import OpenSegment, Segment
from livesignals.journal.sqlite_rows import INSERT, create_tables


def event(**changes: Any) -> Event:
    """An event of the shop, with *changes*."""
    values: dict[str, Any] = {
        "id": 4711,
        "uid": "u1",
        "root": "u1",
        "ts": "2026-01-02T03:04:05.678901Z",
        "signal": "django.db.models.signals.post_save",
        "family": "model",
        "sender": "shop.Order",
        "duration_us": 812.4,
        "receivers": [ReceiverCall(name="shop.receivers.reserve_stock", duration_us=790.1)],
        "kwargs": {
            "instance": {"model": "shop.Order", "pk": 7, "fields": {"status": "paid"}},
            "created": True,
        },
        "cause": Cause(kind="request", name="POST /orders/", id="c1"),
        "where": "shop/views.py:41 place_order",
        "transaction": Transaction(db="default", state="committed", id="t1"),
        "process": Process(host="web-1", pid=123, seq=88),
    }
    return Event(**values | changes)


def database(events: Sequence[Event]) -> apsw.Connection:
    """A database in memory that holds *events* as the journal does."""
    connection = apsw.Connection(":memory:")
    register(connection)
    create_tables(connection, project="", notice="")
    connection.executemany(INSERT, [(one.id, *record_of(_with_id(one, 0))) for one in events])
    return connection


def found(connection: apsw.Connection, chosen: Filter) -> list[int]:
    """Ids of the rows that the filter's SQL lets through."""
    where, params = chosen.sql()
    return [row[0] for row in connection.execute(f"SELECT id FROM searchable WHERE {where} ORDER BY id", params)]


def agrees(chosen: Filter, *events: Event) -> list[bool]:
    """Whether the filter lets each event through: asserts that the predicate and SQL say the same."""
    numbered = [one if one.id else _with_id(one, number) for number, one in enumerate(events, start=1)]
    matched = [bool(chosen.matches(one)) for one in numbered]
    ids = found(database(numbered), chosen)
    assert [one.id in ids for one in numbered] == matched, chosen.source
    return matched


def _with_id(one: Event, event_id: int) -> Event:
    values = {name: getattr(one, name) for name in one.__struct_fields__}
    return Event(**values | {"id": event_id})


#: Few enough words that random filters find something, odd enough to part Python from SQLite.
WORDS = [
    "order", "Order", "shop", "SHOP", "post_save", "paid", "request", "Straße", "STRASSE", "İstanbul", "ß", "ſ",
    "K", "k", "É", "e\u0301", "🦄", "", "*", "?", "[a]", "[", "]", "a.b", ".", "..", "a\0b", "\0",
    "12", "-5", "12.50", "1e3", "007", "null", "true", "%", "_",
    'say "hi"', "back\\slash", "two words", "line\nline", "'quote'",
]  # fmt: skip
KEYS = ["instance", "status", "fields", "model", "pk", "a", "b c", 'q"q', "b\\s", "Ünï", "x.y", "0", "\n"]

words = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
names = st.lists(words, min_size=1, max_size=3).map(".".join)
scalars = (
    st.none()
    | st.booleans()
    | words
    | st.integers(-20, 20)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 10**25, 0.1 + 0.2, 1e16, 1e-7, -0.0, 12.5, 1e300])
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
        | st.fixed_dictionaries(
            {
                "model": words,
                "pk": scalars,
                "fields": st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
            }
        )
    ),
    max_leaves=6,
)
kwargs = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
errors = st.builds(Error, type=names, message=words)
receivers = st.builds(
    ReceiverCall,
    name=names,
    duration_us=st.just(1.0),
    is_async=st.booleans(),
    status=st.sampled_from(["returned", "raised", "cancelled", "not_run"]),
    error=st.none() | errors,
)
causes = st.builds(
    Cause,
    kind=st.sampled_from(["request", "command", "task", "test", "shell", "process", "Request", "a b"]),
    name=words
    | st.sampled_from(["POST /orders/", "GET /K/ß?a=1", "get\0 /x", "manage.py migrate", "MANAGE.py x", " "]),
    id=st.just("c"),
)
identifiers = st.text("abC*[?", min_size=1, max_size=3)
moments = st.datetimes(datetime(2023, 12, 30), datetime(2024, 3, 2)) | st.datetimes(
    datetime(1, 1, 1), datetime(9999, 12, 31)
)
events = st.builds(
    Event,
    uid=identifiers,
    parent=st.none() | identifiers,
    root=identifiers,
    ts=moments.map(lambda moment: moment.isoformat(timespec="microseconds") + "Z"),
    signal=names,
    family=st.sampled_from(list(FAMILIES)),
    sender=names,
    method=st.sampled_from(["send", "asend", "send_robust", "asend_robust"]),
    duration_us=st.none() | st.sampled_from([0.0, 5_000.0, 9_999.9, 10_000.0]) | st.floats(0, 1e9),
    status=st.sampled_from(["returned", "raised", "skipped"]),
    error=st.none() | errors,
    receivers=st.lists(receivers, max_size=3),
    kwargs=kwargs,
    cause=st.none() | causes,
    where=st.none() | words,
    transaction=st.none()
    | st.builds(
        Transaction,
        db=words,
        state=st.sampled_from(["autocommit", "pending", "committed", "rolled_back", "unknown"]),
    ),
    process=st.builds(Process, host=words, pid=st.integers(1, 9), seq=st.just(1)),
    thread=words,
    flags=st.lists(st.sampled_from(["masked", "truncated", "async", "counted"]), max_size=2, unique=True),
    changes=st.none() | st.dictionaries(st.sampled_from(KEYS), st.tuples(values, values).map(list), max_size=3),
)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


globs = st.lists(
    st.sampled_from(["*", "?", "a", "b", "O", "order", "shop", ".", "[", "]", "s", "ß", "\0", " "]),
    max_size=5,
).map(lambda parts: "".join(parts).replace(" ", "").replace("..", ".") or "*")
numbers = st.sampled_from(["0", "7", "-5", "12", "12.5", "12.50", "1e3", "9223372036854775808", "1e400", "1E16", ".5"])
texts = words.map(_quoted) | st.sampled_from([word for word in WORDS if word.isalnum()]) | globs
text_fields = st.sampled_from(
    "signal sender receiver app model exc cause path command user host thread db uid parent root pk".split()
)
payload_fields = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(
    lambda steps: "kwargs" + "".join(f".{_quoted(step)}" for step in steps)
)
times = moments.flatmap(
    lambda moment: st.sampled_from([4, 7, 10, 13, 16, 19, 21, 26]).map(
        lambda length: moment.isoformat(timespec="microseconds")[:length]
    )
) | st.sampled_from(["2024-02-29T00:00Z", "2024-01-01T00:30+01:00", "0001", "9999", "2024-02-30"])
operators = st.sampled_from([">", ">=", "<", "<=", "=", "!="])
durations = st.tuples(numbers, st.sampled_from(["", "us", "ms", "s", "m", "h"])).map("".join)


def _ordered(fields: st.SearchStrategy[str], scalars: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Terms over values that have an order."""
    listed = st.lists(scalars | st.tuples(scalars, scalars).map("..".join), min_size=1, max_size=2).map(",".join)
    return st.tuples(fields, st.just(":"), listed).map("".join) | st.tuples(fields, operators, scalars).map("".join)


terms = (
    st.tuples(text_fields | payload_fields, st.just(":"), st.lists(texts, min_size=1, max_size=2).map(",".join)).map(
        "".join
    )
    | st.tuples(text_fields, st.sampled_from(["=", "!=", ":"]), texts).map("".join)
    | _ordered(st.sampled_from(["n", "pid", "id"]), numbers)
    | _ordered(payload_fields | st.just("pk"), numbers)
    | _ordered(st.just("dur"), durations)
    | _ordered(st.just("ts"), times)
    | st.sampled_from([f"is:{flag}" for flag in FLAGS] + ["is:*", "is:error,async"])
    | st.sampled_from(["family:model", "family:m,a", "family:*", "method:asend*", "method=send", "cause:request"])
    | (text_fields | payload_fields | st.sampled_from(["dur", "n", "id", "ts"])).map(lambda name: f"{name}:*")
    | words.map(_quoted)
)
filter_texts = st.recursive(
    terms,
    lambda inner: (
        inner.map(lambda text: f"-({text})")
        | inner.map(lambda text: f"NOT ({text})")
        | st.lists(inner, min_size=2, max_size=3).map(" ".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' OR '.join(parts)})")
    ),
    max_leaves=4,
)


def numbered(batch: Sequence[Event]) -> list[Event]:
    """The events with the ids that a journal gives."""
    return [_with_id(one, number) for number, one in enumerate(batch, start=1)]


def segments(events: Sequence[Event], folder: Path) -> list[Segment]:
    """*events* in a search index, as they come and as they are stored."""
    number = (events[0].id - 1) // SEGMENT_EVENTS
    growing = OpenSegment(number)
    for one in events:
        growing.add(one, len(record_of(_with_id(one, 0)).body))
    file = SearchFile(folder / "search", "epoch", make=True)
    file.forget(below=number + 1)
    file.add(prepared(growing))
    stored = file.segment(number)
    assert stored is not None
    return [growing, stored]
