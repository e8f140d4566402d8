"""Events of one cause, as processes send them: nested sends inside the receivers that made them."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from livesignals.events import Cause, Event, Process, ReceiverCall

BEGUN = datetime(2026, 1, 2, 3, 4, 5)
REQUEST = Cause(kind="request", name="POST /orders/", id="c1")


def at(us: int) -> str:
    """The moment *us* microseconds after the cause began, as an event has it."""
    return (BEGUN + timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z"


def send(uid: str, begin_us: int, length_us: int, **more: Any) -> Event:
    """A send that began at *begin_us*; *more* as an event has it, but ``receivers`` as (name, start, length)."""
    calls = [
        ReceiverCall(name=name, start_us=float(start), duration_us=float(length))
        for name, start, length in more.pop("receivers", ())
    ]
    values: dict[str, Any] = {
        "uid": uid,
        "root": uid,
        "ts": at(begin_us),
        "signal": "s",
        "family": "custom",
        "sender": "shop.Order",
        "duration_us": float(length_us),
        "receivers": calls,
        "cause": REQUEST,
        "process": Process(host="web", pid=1, seq=begin_us),
    }
    return Event(**{**values, **more})


@st.composite
def causes(draw: st.DrawFn) -> list[Event]:
    """Sends one after the other, each with receivers one after the other that make sends of their own."""
    events: list[Event] = []

    def make(begin_us: int, parent: str | None, depth: int) -> int:
        """A send and all below it; when it ended."""
        uid = f"u{len(events)}"
        place = len(events)
        events.append(send(uid, begin_us, 0))
        now, calls = begin_us + draw(st.integers(0, 3)), []
        for _ in range(draw(st.integers(0, 3 if depth < 3 else 0))):
            start = now
            now += draw(st.integers(0, 20))
            for _ in range(draw(st.integers(0, 2 if len(events) < 30 else 0))):
                now = make(now, uid, depth + 1) + draw(st.integers(1, 5))
            calls.append((draw(st.sampled_from(["a", "b", "c"])), start - begin_us, now - start))
            now += draw(st.integers(1, 3))
        signal = draw(st.sampled_from(["s", "t"]))
        events[place] = send(uid, begin_us, now - begin_us, signal=signal, parent=parent, receivers=calls)
        return now

    end = 0
    for _ in range(draw(st.integers(1, 3))):
        end = make(end + draw(st.integers(0, 10)), None, 0)
    return events
