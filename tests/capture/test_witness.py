"""What capture says of a program's sends is what the receivers in them saw."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livesignals.events import Event, ReceiverCall
from tests.capture import programs
from tests.capture.conftest import Captured, capturing
from tests.capture.programs import (
    SIGNALS,
    Cancel,
    Gather,
    Group,
    Hop,
    Pause,
    Program,
    Raise,
    Receiver,
    SeenCall,
    SeenSend,
    Send,
    Spawn,
    Suppress,
    Witness,
)

METHODS = ("send", "send_robust", "asend", "asend_robust")

sends = st.builds(Send, st.sampled_from(sorted(SIGNALS)), st.sampled_from(METHODS))
leaves = st.one_of(sends, sends, st.just(Pause()), st.builds(Raise, st.sampled_from(["no stock", "no money"])))


def _longer(statements: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bodies = st.lists(statements, min_size=1, max_size=3)
    at_once = st.lists(bodies, min_size=1, max_size=3)
    return st.one_of(
        st.builds(Suppress, bodies),
        st.builds(Gather, at_once),
        st.builds(Group, at_once),
        st.builds(Spawn, bodies),
        st.builds(Hop, bodies),
        st.builds(Cancel, bodies, st.integers(0, 6)),
    )


statements = st.recursive(leaves, _longer, max_leaves=5)
bodies = st.lists(statements, max_size=4)
receivers = st.one_of(
    st.builds(
        Receiver,
        st.sampled_from(sorted(SIGNALS)),
        st.just(False),
        st.sampled_from(["function", "method", "partial", "object"]),
        st.booleans(),
        bodies,
    ),
    st.builds(
        Receiver,
        st.sampled_from(sorted(SIGNALS)),
        st.just(True),
        st.sampled_from(["function", "method", "partial"]),
        st.booleans(),
        bodies,
    ),
)
program_strategy = st.builds(
    Program, st.lists(receivers, min_size=1, max_size=6), st.lists(statements, min_size=1, max_size=4), st.booleans()
)


@pytest.fixture(autouse=True)
def _without_logs() -> Iterator[None]:
    """What robust sends log of thousands of errors would fill the memory."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program_strategy)
def test_capture_and_a_witness_agree(program: Program) -> None:
    """Same sends, parents, roots and depths; same receivers with the same outcome, in the same order."""
    with capturing() as captured:
        witness = Witness(program)
        witness.run()
    agree(witness, captured)


def agree(witness: Witness, captured: Captured) -> None:
    records = {send.named["number"]: send for send in captured.sends if "number" in send.named}
    events = {event.kwargs["number"]: event for event in captured.events if "number" in event.kwargs}
    assert len(captured.sends) == len(events) == len(records)
    assert events.keys() == witness.sends.keys()
    uids = {number: event.uid for number, event in events.items()}
    for number, seen in witness.sends.items():
        event = events[number]
        assert event.signal == f"{programs.__name__}.{seen.signal}"
        assert event.method == seen.method
        assert event.parent == (None if seen.parent is None else uids[seen.parent])
        assert event.root == uids[root_of(witness, seen)]
        assert records[number].depth == seen.depth
        assert event.thread == seen.thread
        assert (event.status == "raised") is (seen.error is not None)
        if seen.error is not None:
            assert event.error is not None
            assert event.error.type.rpartition(".")[2] == seen.error.__name__
        calls_agree(witness.names[seen.signal], seen, event)
    for thread in {seen.thread for seen in witness.sends.values()}:
        numbers = [number for number, seen in witness.sends.items() if seen.thread == thread]
        assert numbers == sorted(numbers, key=lambda number: records[number].number)


def root_of(witness: Witness, seen: SeenSend) -> int:
    while seen.parent is not None:
        seen = witness.sends[seen.parent]
    return seen.number


def calls_agree(connected: list[str], seen: SeenSend, event: Event) -> None:
    told = {call.name.rpartition(".")[2]: call for call in event.receivers}
    assert len(told) == len(event.receivers)
    if seen.error is None:
        assert sorted(told) == sorted(connected)
    assert set(told) <= set(connected)
    for name in connected:
        happened = next((call for call in seen.calls if call.receiver == name), None)
        call_agrees(told.get(name), happened, seen)
    in_order = [call.name.rpartition(".")[2] for call in event.receivers if call.start_us and call.status != "not_run"]
    began = sorted((call for call in seen.calls if call.receiver in in_order), key=lambda call: call.began)
    assert in_order == [call.receiver for call in began]


def call_agrees(told: ReceiverCall | None, happened: SeenCall | None, seen: SeenSend) -> None:
    if happened is None:
        assert told is not None
        assert told.status in ("not_run", "unfinished")
        # A thread that has not come to it may yet be kept from it by an error.
        assert told.status == "not_run" or (not told.is_async and seen.error is not None)
        return
    assert told is not None
    if told.status == "not_run":
        # The send was cancelled at the moment at which a thread took its sync receivers up: it could not know yet.
        assert seen.error is asyncio.CancelledError
        assert not told.is_async
        assert happened.began > seen.over
    elif happened.ended > seen.over:
        assert told.status == "unfinished"
    elif told.status == "unfinished":
        # It ended on its thread at the moment at which the send did.
        assert not told.is_async
        assert seen.error is not None
    else:
        assert told.status == happened.outcome
        assert ("" if told.error is None else told.error.type.rpartition(".")[2]) == happened.error
        returned = "" if told.returned is None else told.returned.value
        assert returned == (f"{happened.receiver} in {seen.number}" if happened.outcome == "returned" else "")
