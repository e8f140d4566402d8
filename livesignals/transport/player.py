"""Which events of the history are due, by a clock. Pure: no I/O, no time of its own.

A player stands at a place between two events of the journal, and holds a few of those that come next. Whoever owns it
hands it events with :meth:`Player.offer` and lets time pass with :meth:`Player.advance`, as often or as seldom as
it likes; what has become due comes back, each event once and in the order of ids.

Events stand in the order in which they were stored, which is nearly that of their times. The spacing that is played is
that of the latest time so far, so an event that began before the one in front of it follows it at once.
"""

from collections import deque
from collections.abc import Sequence
from math import inf

from msgspec import Struct

from livesignals.events import Event
from livesignals.events.record import microseconds

SLOWEST, FASTEST = 0.25, 64.0  # beside inf, which plays as fast as the page can paint
#: A longer silence plays as one of so many seconds. In slow motion it is as much slower as everything else.
SILENCE_SECONDS = 2.0
#: A loop rests so long at its end, at any speed: what is over can be seen, and nothing flickers.
LOOP_REST_SECONDS = 1.0
#: A page that paints nothing, such as one in a hidden tab, holds the clock up after so many seconds.
MOST_OWED_SECONDS = 1.0
#: The fewest events that should be at hand.
LOW_EVENTS = 100


class Missing(Struct, frozen=True):
    """Takes the place of events that were evicted before they could be played."""

    first: int
    last: int


class Range(Struct, frozen=True):
    """What is played instead of everything: ids, and the times (µs since 1970) that were chosen."""

    first: int
    last: int
    from_us: int
    to_us: int
    loop: bool = False


class Player:
    """One replay.

    ``id`` is the last event that was shown or passed; ``us`` the moment that is played, in µs since 1970.
    """

    def __init__(self) -> None:
        self.id = 0
        self.read_to = 0  # events up to here were offered, or do not match
        self.speed = 1.0
        self.is_playing = False
        self.range: Range | None = None
        self.has_begun_again = False  # set by a loop; who shows the events puts it back
        self._next: deque[tuple[int, Event | Missing]] = deque()
        self._us = 0
        self._progress = 0.0  # how much of the spacing to the next event has passed, from 0 to 1
        self._owed = 0.0  # seconds that passed and were not played yet
        self._rested = 0.0
        self._is_barren = False  # a round of the loop that has shown nothing yet

    def go(self, event_id: int, us: int) -> None:
        """Stand behind the event *event_id*, at the moment *us*. What was at hand is let go."""
        self.id = self.read_to = event_id
        self._us = us
        self._next.clear()
        self._progress = self._owed = self._rested = 0.0
        self._is_barren = False

    @property
    def us(self) -> int:
        """The moment that is played."""
        return self._us + int(self._progress * self._gap_us())

    @property
    def silence_us(self) -> int | None:
        """The length of the silence that is played shortened just now."""
        gap_us = self._gap_us()
        return gap_us if self.is_playing and gap_us / 1e6 / self.speed > self._longest() else None

    def wants_more(self, head: int) -> bool:
        """Whether events should be read on from ``read_to``; *head* is the newest id there is."""
        if self.has_begun_again:
            return False  # its beginning is shown first
        return len(self._next) < LOW_EVENTS and self.read_to < self._end(head)

    def offer(self, events: Sequence[Event], read_to: int, missing: Missing | None = None) -> None:
        """Take the matching events up to the id *read_to*; those in *missing* come before them no more."""
        if missing is not None:
            self._next.append((0, missing))
        last = self._end(read_to)
        self._next.extend((microseconds(event.ts), event) for event in events if event.id <= last)
        self.read_to = last

    def advance(self, seconds: float, head: int) -> list[Event | Missing]:
        """Let *seconds* pass; what has become due by then, of what is at hand."""
        if not self.is_playing:
            return []
        self._owed = min(self._owed + seconds, MOST_OWED_SECONDS)
        due: list[Event | Missing] = []
        while self._next:
            wait = self._wait()
            left = wait * (1 - self._progress)
            if left > self._owed:
                self._progress += self._owed / wait
                self._owed = 0.0
                break
            self._owed -= left
            due.append(self._pass())
        if not self._next and self.read_to >= self._end(head):
            self._end_round(was_due=bool(due))
        return due

    def _pass(self) -> Event | Missing:
        us, item = self._next.popleft()
        self._us, self._progress = max(self._us, us), 0.0
        self.id = item.last if isinstance(item, Missing) else item.id
        self._is_barren = False
        return item

    def _end_round(self, *, was_due: bool) -> None:
        """Nothing is left: begin again after a rest, or stop."""
        seconds, self._owed = self._owed, 0.0
        if self.range is None or not self.range.loop or self._is_barren:
            self.id, self.is_playing = self.read_to, False
            return
        self._rested += 0.0 if was_due else seconds
        if self._rested >= LOOP_REST_SECONDS:
            self.go(self.range.first - 1, self.range.from_us)
            self.has_begun_again = self._is_barren = True

    def _end(self, head: int) -> int:
        return head if self.range is None else min(head, self.range.last)

    def _gap_us(self) -> int:
        """How long nothing happens before the next event."""
        return max(0, self._next[0][0] - self._us) if self._next else 0

    def _wait(self) -> float:
        """The seconds that this plays for."""
        return min(self._gap_us() / 1e6 / self.speed, self._longest())

    def _longest(self) -> float:
        return 0.0 if self.speed == inf else SILENCE_SECONDS * max(1.0, 1 / self.speed)
