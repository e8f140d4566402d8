"""JSON Lines: what is written is read again as it was; what is no event is told and left out."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.events import Event, encode
from livesignals.exchange import jsonl
from livesignals.exchange.jsonl import MAX_LINE_BYTES
from tests.exchange import building
from tests.journal.building import make_count, make_event


def lines_of(text: bytes) -> list[jsonl.Line]:
    return list(jsonl.read(io.BytesIO(text)))


@settings(deadline=None)
@given(st.lists(building.events, max_size=4))
def test_events_are_read_as_they_were_written(events: list[Event]) -> None:
    """Any event that a send can make, to the last value."""
    text = "".join(jsonl.write(events)).encode()
    assert [line.event for line in lines_of(text)] == events
    assert text.count(b"\n") == len(events)


def test_a_count_is_read_as_it_was_written() -> None:
    """With its own key and flag."""
    count = make_count(5_000)
    assert [line.event for line in lines_of(encode(count))] == [count]


def test_blank_lines_and_the_marks_of_other_systems_are_passed_over() -> None:
    """A byte order mark, carriage returns, a last line without an end: lines keep their numbers."""
    line = encode(make_event())
    read = lines_of(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n" + line)
    assert [(each.number, each.problem) for each in read] == [(1, ""), (4, "")]


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(encode(make_event())) | changes).encode()


def with_kwargs(text: str) -> bytes:
    return encode(make_event(kwargs={})).replace(b'"kwargs":{}', b'"kwargs":{"a":%s}' % text.encode())


HOSTILE = {
    "a wrong type": (changed(signal=17), "expected `str`, got `int` - at `$.signal`"),
    "another version": (changed(v=2), "expected version 1, got 2 - at `$.v`"),
    "no JSON": (b"hello", "JSON is malformed"),
    "no object": (b"[]", "expected `object`, got `array`"),
    "an empty object": (b"{}", "missing required field `uid`"),
    "not UTF-8": (changed().replace(b"shop.Order", b"shop.\xff"), "not UTF-8: invalid start byte"),
    "half a character": (with_kwargs(r'"\ud800"'), ""),
    "too deep to read": (with_kwargs("[" * 100_000 + "]" * 100_000), "nested deeper than 64 levels"),
    "too deep to show": (with_kwargs("[" * 900 + "]" * 900), "nested deeper than 64 levels - at `$.kwargs`"),
    "a number of many digits": (with_kwargs("9" * 400), "at most 256 bits - at `$.kwargs`"),
    "a number of more digits": (with_kwargs("9" * 5_000), "out of range"),
    "an infinite number": (with_kwargs("1e400"), "out of range"),
    "no number": (with_kwargs("NaN"), "JSON is malformed"),
    "a time that is none": (changed(ts="2026-02-30T00:00:00.000000Z"), "expected a time such as"),
    "a time in other digits": (changed(ts="٢026-01-02T03:04:05.678901Z"), "expected a time such as"),
    "a family that is none": (changed(family="<script>"), "expected one of model, request"),
    "a long name": (changed(sender="x" * 5_000), "at most 4,096 characters - at `$.sender`"),
    "a flag that is many": (changed(flags=["a b"]), "at `$.flags[0]`"),
    "a count without one": (changed(flags=["counted"]), "at `$.flags`"),
    "time that runs backwards": (changed(duration_us=-1), "at `$.duration_us`"),
    "a process that is none": (changed(process={"host": "h", "pid": 2**70, "seq": 1}), "at `$.process.pid`"),
    "an unknown status": (changed(status="exploded"), "invalid enum value 'exploded' - at `$.status`"),
    "a long line": (changed(kwargs={"a": "x" * MAX_LINE_BYTES}), "longer than 1,048,576 bytes"),
    "a very long line": (b"x" * (5 * MAX_LINE_BYTES), "longer than 1,048,576 bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_line_that_is_no_event_of_ours_is_told_by_its_number(name: str) -> None:
    """With what is wrong, and where; the lines around it are read."""
    line, problem = HOSTILE[name]
    good = encode(make_event())
    before, wrong, after = lines_of(b"\n".join([good, line, good]))
    assert (before.number, wrong.number, after.number) == (1, 2, 3)
    assert before.event is not None
    assert after.event is not None
    assert wrong.event is None
    assert wrong.problem
    assert problem in wrong.problem


def test_keys_that_are_not_known_are_left_out() -> None:
    """A later livesignals adds keys."""
    [line] = lines_of(changed(uid="u", since_then={"more": 1}))
    assert line.event is not None
    assert "more" not in encode(line.event).decode()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_told_and_nothing_else_happens(data: bytes) -> None:
    """Nothing is raised."""
    assert all(line.event is None and line.problem for line in lines_of(data))


def test_what_is_masked_stays_masked() -> None:
    """The mask is a text as any other."""
    masked = make_event(kwargs={"password": "••••••"}, flags=["masked"])
    [line] = lines_of(encode(replace(masked, epoch="e", id=7)))
    assert line.event == replace(masked, epoch="e", id=7)
