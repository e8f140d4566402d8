"""Ranges of ids that are kept when they are evicted: what may be pinned, and which ids that makes."""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext

from livesignals.exceptions import PinError
from livesignals.journal.base import Bounds, Pin

MAX_PINS = 20
MAX_NAME = 80


def check(pin: Pin, pins: Sequence[Pin], bounds: Bounds, retain_events: int) -> None:
    """Raises `PinError` unless *pin* can be one more."""
    if not 0 < len(pin.name) <= MAX_NAME:
        message = gettext("the name of a kept range has 1 to %d characters") % MAX_NAME
        raise PinError(message, gettext("Give it another name."))
    if any(other.name == pin.name for other in pins):
        message = gettext('a range called "%s" is kept already') % pin.name
        raise PinError(message, gettext("Give it another name, or let that one go."))
    if len(pins) >= MAX_PINS:
        message = gettext("%d ranges are kept, which is the most") % MAX_PINS
        raise PinError(message, gettext("Let one of them go."))
    if not bounds.first <= pin.first <= pin.last <= bounds.last:
        message = gettext("sends %(first)d to %(last)d are not all retained") % {"first": pin.first, "last": pin.last}
        there = gettext("There are %(first)d to %(last)d.") % {"first": bounds.first, "last": bounds.last}
        raise PinError(message, there if bounds.first <= bounds.last else gettext("There are none."))
    pinned = sum(last - first + 1 for first, last in ranges([*pins, pin]))
    if pinned > retain_events // 2:
        message = gettext("with this range %(n)d sends would be kept, more than half of RETAIN_EVENTS (%(most)d)")
        message %= {"n": pinned, "most": retain_events // 2}
        raise PinError(message, gettext("Let another range go, or keep fewer."))


def check_bytes(pinned: int, retain_bytes: int) -> None:
    """Raises `PinError` when pinned events weigh too much."""
    if pinned > retain_bytes // 2:
        message = gettext("what is kept would weigh %(n)d bytes, more than half of RETAIN_BYTES (%(most)d)")
        message %= {"n": pinned, "most": retain_bytes // 2}
        raise PinError(message, gettext("Let another range go, or keep fewer."))


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
