"""Where the time of some sends went: by receiver and by signal, in total and without the sends made inside.

Receivers of one send run one after the other, so that the moment at which a nested send began says which of them made
it. Of async receivers, which run side by side, it is the one that shares most time with it, and of these the last to
begin: a guess, but time is given to one of them only.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import UNSET

from livesignals.events import Event, ReceiverCall
from livesignals.events.record import microseconds

Span = tuple[float, float]  # begin and end, in µs


class Share(NamedTuple):
    """What one receiver, or all sends of one signal, took."""

    name: str  # dotted
    calls: int  # calls of the receiver, or sends of the signal
    total_us: float  # what lies inside counts each time it is passed through
    own_us: float  # without the sends made inside; 0 ≤ own ≤ total
    errors: int  # how many of the calls raised


class OwnTime(NamedTuple):
    """Shares, those with the most own time first."""

    receivers: list[Share]
    signals: list[Share]


def own_time(events: Iterable[Event]) -> OwnTime:
    """What each receiver and each signal took in these *events*.

    A nested send whose parent is not among them is taken from nobody. Skipped sends took no time. A count adds what
    it stands for to its signal, all of it as own time.
    """
    events = list(events)
    made: dict[str, list[Event]] = {}
    for event in events:
        if event.parent is not None and event.duration_us is not None:
            made.setdefault(event.parent, []).append(event)
    receivers: dict[str, Share] = {}
    signals: dict[str, Share] = {}
    for event in events:
        if event.counted is not UNSET:
            counted, failed = event.counted, event.counted.sends if event.status == "raised" else 0
            _add(signals, event.signal, counted.sends, counted.duration_us, counted.duration_us, failed)
            continue
        begun = microseconds(event.ts)
        inside = [_span(child, begun) for child in made.get(event.uid, ())]
        whole = (0.0, event.duration_us or 0.0)
        failed = event.status == "raised" or any(call.status == "raised" for call in event.receivers)
        _add(signals, event.signal, 1, whole[1], own_of(whole, inside), int(failed))
        runs = [call for call in event.receivers if call.status != "not_run"]
        for call, spans in zip(runs, _shared_out(inside, runs), strict=True):
            ran = (call.start_us, call.start_us + call.duration_us)
            own = min(own_of(ran, spans), call.duration_us)  # the difference of two sums may be a trifle more
            _add(receivers, call.name, 1, call.duration_us, own, int(call.status == "raised"))
    return OwnTime(_sorted(receivers), _sorted(signals))


def own_of(whole: Span, inside: Iterable[Span]) -> float:
    """The length of *whole* that no span *inside* covers; these may overlap and stick out."""
    begin, end = whole
    own, reached = 0.0, begin
    for span_begin, span_end in sorted(inside):
        if span_begin > reached:
            own += min(span_begin, end) - reached
        reached = min(end, max(reached, span_end))
        if reached == end:
            break
    return own + max(0.0, end - reached)


def _shared_out(spans: Iterable[Span], calls: Sequence[ReceiverCall]) -> list[list[Span]]:
    """For each call the spans of the sends that it made."""
    shares: list[list[Span]] = [[] for _ in calls]
    if calls:
        for span in spans:
            _, _, number = max((_overlap(span, call), call.start_us, number) for number, call in enumerate(calls))
            shares[number].append(span)
    return shares


def _overlap(span: Span, call: ReceiverCall) -> float:
    return min(span[1], call.start_us + call.duration_us) - max(span[0], call.start_us)


def _span(event: Event, begun: int) -> Span:
    """When the send was under way, in µs after *begun*."""
    begin = float(microseconds(event.ts) - begun)
    return begin, begin + (event.duration_us or 0.0)


def _add(shares: dict[str, Share], name: str, calls: int, total_us: float, own_us: float, errors: int) -> None:
    before = shares.get(name, Share(name, 0, 0.0, 0.0, 0))
    shares[name] = Share(
        name, before.calls + calls, before.total_us + total_us, before.own_us + own_us, before.errors + errors
    )


def _sorted(shares: dict[str, Share]) -> list[Share]:
    return sorted(shares.values(), key=lambda share: (-share.own_us, -share.total_us, share.name))
