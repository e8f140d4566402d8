"""JSON Lines: one event, one line, in UTF-8. The form that can be brought back.

What a reader may rely on: each line is a JSON object with the keys of `livesignals.events.Event`, in that order, and
begins with ``"v"``, the version of the form. Keys are added at the end without a new version, so leave out what you do
not know; a key is never taken away, and never changes its meaning or type, without one. ``id`` ascends, within one
``epoch``; in a file that was filtered it has holes. Values that were masked stay masked: nothing here can tell more
than the page does.

What is read may come from anybody. A line is taken for an event only if the page, the filters and the journal can do
with it what they do with our own: it is not too long or deep, and its texts, numbers and times are within bounds.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from msgspec import UNSET

from livesignals.catalogue.builtin import FAMILIES
from livesignals.events import Event, decode, encode
from livesignals.events.model import FORMAT_VERSION

#: Our own events have some 20 KB at the most.
MAX_LINE_BYTES = 1_048_576
#: Of what a row shows, and of what is looked up.
MAX_NAME_CHARS = 4_096
#: SQLite reads JSON to a depth of 1,000; snapshots have 4 levels of values and a few for what holds them.
MAX_DEPTH = 64
MAX_RECEIVERS = 10_000
MAX_INT_BITS = 256  # of a value, as in a snapshot
MAX_NUMBER = 2**53  # beyond it, programs in other languages round
MAX_US = 1e15  # some 30 years

_TS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_FLAG = re.compile(r"[a-z_]{1,40}", re.ASCII)
_BOM = b"\xef\xbb\xbf"


def write(events: Iterable[Event]) -> Iterator[str]:
    """A line for each event."""
    for event in events:
        yield encode(event).decode() + "\n"


class Line(NamedTuple):
    """One line of a file: the event that it says, or what is wrong with it."""

    number: int  # from 1
    event: Event | None
    problem: str = ""
    bytes: int = 0


def read(file: BinaryIO) -> Iterator[Line]:
    """Every line of *file* but blank ones. No more than one is held in memory, and of that no more than a megabyte."""
    number = 0
    while text := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        size = len(text)
        is_too_long = size > MAX_LINE_BYTES and not text.endswith(b"\n")
        while is_too_long and text and not text.endswith(b"\n"):
            text = file.readline(MAX_LINE_BYTES)
            size += len(text)
        if is_too_long:
            yield Line(number, None, f"longer than {MAX_LINE_BYTES:,} bytes", size)
            continue
        text = text.removeprefix(_BOM).strip() if number == 1 else text.strip()
        if not text:
            continue
        try:
            yield Line(number, checked(decode(text)), bytes=size)
        except UnicodeDecodeError as error:
            yield Line(number, None, f"not UTF-8: {error.reason} at byte {error.start + 1}", size)
        except RecursionError:
            yield Line(number, None, f"nested deeper than {MAX_DEPTH} levels", size)
        except ValueError as error:
            words = str(error)
            begins = words[:1] if words[:2].isupper() else words[:1].lower()
            yield Line(number, None, begins + words[1:], size)


def checked(event: Event) -> Event:
    """An event that somebody else wrote, if it could be one of ours; its types have been checked.

    Raises ValueError with what is wrong, and where.
    """
    if event.v != FORMAT_VERSION:
        raise ValueError(f"expected version {FORMAT_VERSION}, got {event.v} - at `$.v`")
    _check_time(event.ts)
    if event.family not in FAMILIES:
        raise ValueError(f"expected one of {', '.join(FAMILIES)} - at `$.family`")
    for name in ("uid", "root", "parent", "signal", "sender", "method", "where", "thread"):
        _check_text(getattr(event, name), name)
    if not event.uid:
        raise ValueError("expected text, got none - at `$.uid`")
    for index, flag in enumerate(event.flags):
        if index == 32 or not _FLAG.fullmatch(flag):
            raise ValueError(f"expected a few words of small letters - at `$.flags[{index}]`")
    if ("counted" in event.flags) != (event.counted is not UNSET):
        raise ValueError('expected the flag "counted" with the key `counted`, and none without it - at `$.flags`')
    _check_us(event.duration_us, "duration_us")
    _check_parts(event)
    _check_value(event.kwargs, "kwargs")
    _check_value(event.changes, "changes")
    return event


def _check_parts(event: Event) -> None:
    if event.error is not None:
        _check_text(event.error.type, "error.type")
    if len(event.receivers) > MAX_RECEIVERS:
        raise ValueError(f"expected at most {MAX_RECEIVERS:,} - at `$.receivers`")
    for call in event.receivers:
        _check_text(call.name, "receivers[...].name")
        _check_text(call.place, "receivers[...].place")
        _check_text(call.error.type if call.error else None, "receivers[...].error.type")
        for number in (call.duration_us, call.start_us, call.ran_us):
            _check_us(number, "receivers[...]")
    if (cause := event.cause) is not None:
        for name in ("kind", "name", "id", "route", "user"):
            _check_text(getattr(cause, name), f"cause.{name}")
        _check_number(cause.status, "cause.status")
    if (transaction := event.transaction) is not None:
        _check_text(transaction.db, "transaction.db")
        _check_text(transaction.id, "transaction.id")
    _check_text(event.process.host, "process.host")
    _check_number(event.process.pid, "process.pid")
    _check_number(event.process.seq, "process.seq")
    if (counted := event.counted) is not UNSET:
        _check_number(counted.sends, "counted.sends")
        _check_us(counted.duration_us, "counted.duration_us")
        _check_us(counted.seconds, "counted.seconds")
        if not counted.sends:
            raise ValueError("expected 1 or more - at `$.counted.sends`")


def _check_time(ts: str) -> None:
    try:
        if _TS.fullmatch(ts):
            datetime.fromisoformat(ts)
            return
    except ValueError:
        pass
    raise ValueError("expected a time such as 2026-01-02T03:04:05.678901Z - at `$.ts`")


def _check_text(text: str | None, where: str) -> None:
    if text is not None and len(text) > MAX_NAME_CHARS:
        raise ValueError(f"expected at most {MAX_NAME_CHARS:,} characters - at `$.{where}`")


def _check_number(number: int | None, where: str) -> None:
    if number is not None and not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"expected a number from 0 to 2**53 - at `$.{where}`")


def _check_us(duration_us: float | None, where: str) -> None:
    if duration_us is not None and not 0 <= duration_us <= MAX_US:
        raise ValueError(f"expected a duration from 0 to 1e15 - at `$.{where}`")


def _check_value(value: Any, where: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for each in level:
            if type(each) is dict:
                inner += each.values()
            elif type(each) is list:
                inner += each
            elif type(each) is int and each.bit_length() > MAX_INT_BITS:
                raise ValueError(f"expected a number of at most {MAX_INT_BITS} bits - at `$.{where}`")
        if not inner:
            return
        level = inner
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels - at `$.{where}`")
