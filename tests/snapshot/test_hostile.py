"""Snapshots of 100,000 random object graphs that resent being looked at."""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from livesignals.capture import Send, scope, signals
from livesignals.capture.describe import Describer
from livesignals.snapshot import freeze
from livesignals.snapshot.masking import Masking
from livesignals.snapshot.types import Shape
from tests.snapshot import hostile

GRAPHS = 100_000
BATCH = 2_500
KIB = 1_024

pytestmark = pytest.mark.django_db


@pytest.fixture
def young_heap() -> Iterator[None]:
    """What was there before is no garbage: collections look at the test's own objects only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.timeout(600)
def test_snapshots_of_hostile_graphs(young_heap: None, record_property: Callable[[str, object], None]) -> None:
    """They never raise, query, call the project's code, change or keep anything of its, and are bounded, valid JSON."""
    describer = Describer(Masking(), names_only=False)
    state = signals.SignalState("tests.hostile", "custom", True, False, None)
    worst = longest = most_held = 0
    with CaptureQueriesContext(connection) as queries:
        for seed in range(GRAPHS // BATCH):
            graphs = hostile.Graphs(seed)
            kept = []
            for number in range(BATCH):
                named = graphs.graph()
                before = graphs.fingerprint(), hostile.content(named)
                with hostile.armed():
                    gc.disable()  # its pauses are none of the snapshot's
                    began = time.thread_time_ns()
                    frozen = freeze(named)
                    worst = max(worst, time.thread_time_ns() - began)
                    gc.enable()
                    body = describer.record(send_of(state, number, frozen)).body
                assert hostile.calls == [], f"graph {number} of seed {seed}"
                assert (graphs.fingerprint(), hostile.content(named)) == before
                kwargs = json.loads(body.decode())["kwargs"]
                if len(body) > 4 * KIB:
                    longest = max(longest, len(json.dumps(kwargs, ensure_ascii=False).encode()))
                most_held = max(most_held, held_bytes(frozen))
                kept.append(frozen)
                graphs.forget()
                del named
            watched = graphs.watched
            del graphs
            gc.collect()
            alive = [type(thing) for thing in (reference() for reference in watched) if thing is not None]
            assert alive == [], f"kept by snapshots of seed {seed}"
            kept.clear()
    assert len(queries) == 0
    assert longest <= 16 * KIB
    assert most_held <= 32 * KIB
    record_property("worst_freeze_us", worst / 1_000)
    print(f"worst freeze {worst / 1_000:.0f} us, longest JSON {longest} bytes, most held {most_held} bytes")


def send_of(state: signals.SignalState, number: int, frozen: dict[str, Any]) -> Send:
    """A send that has ended and carried this."""
    cause, number = scope.PROCESS, number + 1
    return Send(number, state, "sender", "send", frozen, None, "MainThread", None, cause, 0, number, 1, None, 0, 1)


def held_bytes(frozen: Any) -> int:
    """The memory of a snapshot; what is known of a class is shared by all snapshots."""
    if isinstance(frozen, Shape):
        return 0
    held = sys.getsizeof(frozen)
    if isinstance(frozen, dict):
        held += sum(map(held_bytes, frozen)) + sum(map(held_bytes, frozen.values()))
    elif isinstance(frozen, tuple):
        held += sum(map(held_bytes, frozen))
    return held
