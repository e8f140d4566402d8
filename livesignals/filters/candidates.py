"""Which events a filter holds, told from a search index instead of from the events.

A set of events of one segment of the journal is an int: the bit of an event is its place in the segment. What an
index cannot tell for sure, it says in two sets: every event in ``sure`` is held, none outside of ``maybe`` is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Number = int | float
#: Path of keys into kwargs; the whole numbers below stand for what has no key.
Path = tuple[str | int, ...]

#: Behind the path of a list: its items.
ITEMS = 0
#: Behind a path: that a dict or list is there, that null is, that a model instance is.
CONTAINER, NULL, INSTANCE = 1, 2, 3


class Candidates(NamedTuple):
    """Two sets that the events held by a filter lie between."""

    sure: int
    maybe: int

    def __and__(self, other: "Candidates") -> "Candidates":
        return Candidates(self.sure & other.sure, self.maybe & other.maybe)

    def __or__(self, other: "Candidates") -> "Candidates":
        return Candidates(self.sure | other.sure, self.maybe | other.maybe)


class Column(Protocol):
    """The values of a field, or of a path of keys, in all events of a segment. Text is folded.

    Each method gives the events that have such a value.
    """

    @property
    def any(self) -> int:
        """With any value."""

    def equal(self, text: str) -> int: ...

    def holding(self, literal: str, check: Callable[[Any], bool]) -> int:
        """With a text that *check* holds for; it can hold only where *literal* is part of the text."""

    def between(self, low: Number, high: Number, *, above: bool = False, below: bool = False) -> int:
        """With a number, or a text that spells one, from *low* to *high*; without *low* itself when *above*,
        without *high* when *below*."""


class Segment(Protocol):
    """The events with ids in a fixed range, by column."""

    everything: int
    loose: int  # events that have more values than are indexed
    unsettled: int  # events whose transaction was open, or its end not seen, when they were indexed
    cut: int  # events that may say more than a bare word looks at

    def column(self, name: str) -> Column:
        """Of a field by its name, of what a send carried by `carried`. Empty when no event has it."""

    def saying(self, needle: str) -> int:
        """Events with *needle*, a folded text in one line, in a line of ``event_text``."""


def carried(path: Path) -> str:
    """The name of a column of what sends carried."""
    return "kwargs:" + "\0".join(step if type(step) is str else f"\0{step}" for step in path)
