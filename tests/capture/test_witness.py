"""livesignals agrees with a witness that is connected to the signal, whatever the program does.

A program is a tree of sends: each has receivers, sync and async, which pause, make further sends, raise or let through
what those raised. The receivers themselves keep the minutes.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.dispatch import Signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livesignals.events import Event
from tests.capture.conftest import Captured

step = Signal()


class Receiver(NamedTuple):
    """What a receiver does, in this order."""

    is_async: bool
    pauses: int  # how often it lets others run, when it is async
    sends: "tuple[Step, ...]"
    lets_through: bool  # what these raise
    raises: bool


class Step(NamedTuple):
    """A send."""

    method: str
    receivers: tuple[Receiver, ...]


def steps(sends: st.SearchStrategy[tuple[Step, ...]]) -> st.SearchStrategy[Step]:
    """Sends whose receivers make *sends*."""
    receivers = st.builds(
        Receiver, st.booleans(), st.integers(0, 2), sends, st.booleans(), st.sampled_from([False, False, True])
    )
    methods = st.sampled_from(["send", "send_robust", "asend", "asend_robust"])
    return st.builds(Step, methods, st.lists(receivers, max_size=3).map(tuple))


programs = st.recursive(steps(st.just(())), lambda inner: steps(st.lists(inner, max_size=2).map(tuple)), max_leaves=6)


class Seen:
    """The minutes of one send."""

    def __init__(self, method: str, parent: "Seen | None") -> None:
        self.method = method
        self.parent = parent
        self.error = ""  # name of the class
        self.is_under_way = True
        self.was_witnessed = False
        self.calls: dict[str, tuple[str, str]] = {}  # by receiver: status, and what it returned or raised


class Witness:
    """Runs a program and keeps the minutes."""

    def __init__(self) -> None:
        self.sends: dict[str, Seen] = {}  # by sender
        step.connect(self.is_there)

    def is_there(self, sender: str, **named: Any) -> None:
        """The receiver that is called first at every send."""
        self.sends[sender].was_witnessed = True

    def send(self, program: Step, parent: Seen | None) -> None:
        """In sync code."""
        if program.method.startswith("a"):
            async_to_sync(self._asend)(program, parent)
        else:
            self._send(program, parent)

    async def asend(self, program: Step, parent: Seen | None) -> None:
        """In async code."""
        if program.method.startswith("a"):
            await self._asend(program, parent)
        else:
            await sync_to_async(self._send)(program, parent)

    def wait(self) -> None:
        """Until every send is over: a thread goes on when what awaits it is cancelled."""
        while any(seen.is_under_way for seen in list(self.sends.values())):
            time.sleep(0.001)

    def _send(self, program: Step, parent: Seen | None) -> None:
        sender, seen = self._begins(program, parent)
        try:
            getattr(step, program.method)(sender=sender)
        except BaseException as error:
            seen.error = type(error).__name__
            raise
        finally:
            seen.is_under_way = False

    async def _asend(self, program: Step, parent: Seen | None) -> None:
        sender, seen = self._begins(program, parent)
        try:
            await getattr(step, program.method)(sender=sender)
        except BaseException as error:
            seen.error = type(error).__name__
            raise
        finally:
            seen.is_under_way = False

    def _begins(self, program: Step, parent: Seen | None) -> tuple[str, Seen]:
        sender = f"step {len(self.sends)}"
        seen = self.sends[sender] = Seen(program.method, parent)
        for number, receiver in enumerate(program.receivers):
            function = self._async(receiver, seen) if receiver.is_async else self._sync(receiver, seen)
            function.__qualname__ = str(number)
            seen.calls[str(number)] = ("not_run", "")
            step.connect(function, sender=sender, weak=False)
        return sender, seen

    def _sync(self, receiver: Receiver, seen: Seen) -> Callable[..., Any]:
        def run(**named: Any) -> str:
            seen.calls[run.__qualname__] = ("unfinished", "")
            try:
                for program in receiver.sends:
                    try:
                        self.send(program, seen)
                    except Exception:
                        if receiver.lets_through:
                            raise
                if receiver.raises:
                    raise ValueError(run.__qualname__)
            except BaseException as error:
                seen.calls[run.__qualname__] = _raised(error)
                raise
            seen.calls[run.__qualname__] = ("returned", "done")
            return "done"

        return run

    def _async(self, receiver: Receiver, seen: Seen) -> Callable[..., Any]:
        async def run(**named: Any) -> str:
            seen.calls[run.__qualname__] = ("unfinished", "")
            try:
                for _ in range(receiver.pauses):
                    await asyncio.sleep(0)
                for program in receiver.sends:
                    try:
                        await self.asend(program, seen)
                    except Exception:
                        if receiver.lets_through:
                            raise
                if receiver.raises:
                    raise ValueError(run.__qualname__)
            except BaseException as error:
                seen.calls[run.__qualname__] = _raised(error)
                raise
            seen.calls[run.__qualname__] = ("returned", "done")
            return "done"

        return run


def _raised(error: BaseException) -> tuple[str, str]:
    return ("cancelled" if isinstance(error, asyncio.CancelledError) else "raised"), type(error).__name__


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Robust sends log what receivers raise, and asyncio what siblings of a failed receiver do."""
    caplog.set_level("CRITICAL", "django.dispatch")
    caplog.set_level("CRITICAL", "asyncio")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs)
def test_livesignals_and_a_connected_witness_agree(captured: Captured, program: Step) -> None:
    """Every send once: its method, parent, outcome, and for each receiver whether it ran and what came of it."""
    captured.sends.clear()
    witness = Witness()
    try:
        asyncio.run(_outermost(witness, program)) if program.method.startswith("a") else witness.send(program, None)
    except Exception:
        assert witness.sends["step 0"].error
    finally:
        witness.wait()
        step.receivers.clear()
    events = {event.sender: event for event in captured.events}
    assert len(events) == len(captured.sends)
    assert events.keys() == witness.sends.keys()
    senders = {event.uid: event.sender for event in events.values()}
    for sender, seen in witness.sends.items():
        event = events[sender]
        parent = senders[event.parent] if event.parent is not None else None
        assert (witness.sends[parent] if parent is not None else None) is seen.parent
        assert (event.method, event.error.type if event.error else "") == (seen.method, seen.error)
        assert event.status == ("raised" if seen.error else "returned")
        assert seen.was_witnessed
        _agree_on_receivers(event, seen)


async def _outermost(witness: Witness, program: Step) -> None:
    await witness.asend(program, None)


def _agree_on_receivers(event: Event, seen: Seen) -> None:
    told = {call.name.rpartition(".")[2]: call for call in event.receivers}
    told.pop("is_there", None)
    assert told.keys() <= seen.calls.keys()
    for name, (status, what) in seen.calls.items():
        call = told[name]
        assert call.status == status
        if status == "returned":
            assert call.returned is not None
            assert call.returned.value == what
        elif status == "raised":
            assert call.error is not None
            assert call.error.type.rpartition(".")[2] == what
