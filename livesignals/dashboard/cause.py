"""The page of one cause: all sends of a request, command or task on one axis of time, and where the time went."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import get_language, get_language_bidi
from msgspec import UNSET

from livesignals.dashboard.markup import render
from livesignals.dashboard.trees import nested
from livesignals.dashboard.words import duration, errors_of, family_of, number, sender_name, short_name, summary
from livesignals.events import Cause, Event
from livesignals.events.record import microseconds
from livesignals.insights.own_time import Share, own_time

#: Sends that are drawn; the figures are those of all that were read.
DRAWN = 1_000
MAX_DEPTH = 12
TICKS = 5
#: Of the axis, so that a short run is still to be seen.
MIN_WIDTH = 0.25


def cause_html(events: Sequence[Event], *, base: str, is_cut: bool = False, problem: str = "") -> str:
    """The whole page.

    *base* is the dashboard's own path; *events* are all sends of one cause, or the first ones when *is_cut*. Without
    any the page says that they are gone, or what the *problem* is.
    """
    return render(
        "livesignals/cause.html",
        {
            "base": base,
            "assets": f"{base}static/livesignals/",
            "language": get_language() or "en",
            "direction": "rtl" if get_language_bidi() else "ltr",
            "problem": problem,
            **(_found(events, is_cut=is_cut) if events else {}),
        },
    )


def _found(events: Sequence[Event], *, is_cut: bool) -> dict[str, Any]:
    begin, end = _axis(events)
    tree = nested(events)
    times = own_time(events)
    sends = sum(1 if event.counted is UNSET else event.counted.sends for event in events)
    undrawn = len(tree[DRAWN:])
    return {
        "cause": _cause(events),
        "began": min(event.ts for event in events),
        "took": duration(end - begin),
        "sends": sends,
        "count": number(sends),
        "errors": sum(bool(errors_of(event)) for event in events),
        "is_cut": is_cut,
        "read": number(len(events)),
        "lines": [_line(depth, event, begin, end) for depth, event in tree[:DRAWN]],
        "drawn": number(DRAWN),
        "undrawn": undrawn,
        "left_out": number(undrawn) if undrawn else "",
        "ticks": [duration((end - begin) * tick / (TICKS - 1)) if tick else "0" for tick in range(TICKS)],
        "receivers": [_share(share) for share in times.receivers],
        "signals": [_share(share) for share in times.signals],
    }


def _axis(events: Sequence[Event]) -> tuple[float, float]:
    """From the first begin to the last end, in µs since 1970."""
    begins = [microseconds(event.ts) for event in events]
    ends = [begin + _length_us(event) for begin, event in zip(begins, events, strict=True)]
    return float(min(begins)), float(max(*ends, min(begins) + 1.0))


def _length_us(event: Event) -> float:
    """A count lasts as long as it was counted."""
    return event.duration_us or 0.0 if event.counted is UNSET else event.counted.seconds * 1e6


def _cause(events: Sequence[Event]) -> Cause | None:
    """The cause as its last send knows it: with status and user."""
    latest = max(events, key=lambda event: (event.ts, event.process.seq)).cause
    return next((event.cause for event in events if event.cause and event.cause.status is not None), latest)


def _line(depth: int, event: Event, begin: float, end: float) -> dict[str, Any]:
    """One send: its bar and those of its receivers, *x* and *width* in percent of the axis."""
    at = microseconds(event.ts) - begin

    def bar(start_us: float, length_us: float) -> dict[str, str]:
        width = min(100.0, max(length_us / (end - begin) * 100, MIN_WIDTH))
        return {"x": f"{min(start_us / (end - begin) * 100, 100 - width):.3f}", "width": f"{width:.3f}"}

    length = _length_us(event)
    return {
        "event": event,
        "depth": min(depth, MAX_DEPTH),
        "family": family_of(event),
        "name": short_name(event),
        "sender": sender_name(event.sender),
        "summary": summary(event),
        "times": "" if event.counted is UNSET else f"× {number(event.counted.sends)}",
        "error": next((kind.rpartition(".")[2] for kind, _ in errors_of(event)), ""),
        "is_rolled_back": event.transaction is not None and event.transaction.state == "rolled_back",
        "duration": duration(event.duration_us),
        "at": f"+{duration(at)}" if at else "0",
        "bar": bar(at, length),
        "is_late": (at + length / 2) * 2 > end - begin,  # its figure has more room before the bar
        "calls": [
            {**bar(at + call.start_us, call.duration_us), "raised": call.status == "raised"}
            for call in event.receivers
            if call.status != "not_run"
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    short = share.name.rpartition(".")[2]
    part = share.own_us / share.total_us * 100 if share.total_us else 0.0
    return {
        "module": share.name[: len(share.name) - len(short)],
        "short": short,
        "calls": number(share.calls),
        "total": duration(share.total_us),
        "own": duration(share.own_us),
        "part": f"{part:.1f}",
        "errors": number(share.errors) if share.errors else "",
    }
