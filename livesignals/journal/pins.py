"""Ranges of ids that are kept when they are evicted: what may be pinned, and which ids that makes."""

from collections.abc import Iterable, Sequence

from livesignals.exceptions import PinError
from livesignals.journal.base import Bounds, Pin

MAX_PINS = 20
MAX_NAME = 80


def check(pin: Pin, pins: Sequence[Pin], bounds: Bounds, retain_events: int) -> None:
    """Raises `PinError` unless *pin* can be one more."""
    if not 0 < len(pin.name) <= MAX_NAME:
        raise PinError(f"the name of a pinned range has 1 to {MAX_NAME} characters", "Give it another name.")
    if any(other.name == pin.name for other in pins):
        raise PinError(f"a range called {pin.name!r} is pinned already", "Give it another name, or let that one go.")
    if len(pins) >= MAX_PINS:
        raise PinError(f"{MAX_PINS} ranges are pinned, which is the most", "Let one of them go.")
    if not bounds.first <= pin.first <= pin.last <= bounds.last:
        raise PinError(
            f"events {pin.first} to {pin.last} are not all retained",
            f"There are {bounds.first} to {bounds.last}." if bounds.first <= bounds.last else "There are none.",
        )
    pinned = sum(last - first + 1 for first, last in ranges([*pins, pin]))
    if pinned > retain_events // 2:
        raise PinError(
            f"with these {pin.last - pin.first + 1:,} events, {pinned:,} would be pinned",
            f"At most half of RETAIN_EVENTS can be, {retain_events // 2:,}: pin fewer, or let another range go.",
        )


def check_bytes(pinned: int, retain_bytes: int) -> None:
    """Raises `PinError` when pinned events weigh too much."""
    if pinned > retain_bytes // 2:
        raise PinError(
            f"the pinned events would weigh {pinned:,} bytes",
            f"At most half of RETAIN_BYTES can be pinned, {retain_bytes // 2:,}: pin fewer, or let another range go.",
        )


def ranges(pins: Iterable[Pin], below: int | None = None) -> list[tuple[int, int]]:
    """The ids that are pinned, as ranges that do not touch, ascending; only those below an id."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((pin.first, pin.last) for pin in pins):
        end = last if below is None else min(last, below - 1)
        if end < first:
            continue
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((first, end))
    return merged
