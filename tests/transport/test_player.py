"""Which events a replay shows, and when: only the clock that it is given counts."""

from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.events import Event
from livesignals.transport.player import LOOP_REST_SECONDS, Missing, Player, Range
from tests.journal.building import make_event

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, inf)
FIRST_ID = 41
START_US = 1_750_000_000_000_000


def event(event_id: int, us: int) -> Event:
    ts = datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{us % 1_000_000:06d}Z"
    return replace(TEMPLATE, id=event_id, ts=ts)


TEMPLATE = make_event()


class Recording:
    """A history as a journal has it, and a player that is handed pieces of it when it wants them."""

    def __init__(self, steps_us: list[int], *, piece: int = 200) -> None:
        self.events: list[Event] = []
        us = START_US
        for number, step in enumerate(steps_us):
            us += step
            self.events.append(event(FIRST_ID + number, us))
        self.piece = piece
        self.player = Player()
        self.player.go(FIRST_ID - 1, START_US)
        self.player.is_playing = True

    @property
    def head(self) -> int:
        return FIRST_ID + len(self.events) - 1

    def tick(self, seconds: float) -> list[int]:
        """What becomes due, by id."""
        due = self.player.advance(seconds, self.head)
        while self.player.is_playing and self.player.wants_more(self.head):
            after = self.player.read_to
            found = [event for event in self.events if event.id > after][: self.piece]
            self.player.offer(found, found[-1].id if found else self.head)
            due += self.player.advance(0, self.head)
        return [item.id for item in due if isinstance(item, Event)]

    def play(self, ticks: list[float]) -> list[int]:
        """Tick until it stops, over and over with the same pattern."""
        shown: list[int] = []
        while self.player.is_playing:
            for seconds in ticks:
                shown += self.tick(seconds)
        return shown

    def seconds(self, tick: float = 0.01) -> float:
        """How long it plays, in ticks of so many seconds."""
        passed = 0.0
        while self.player.is_playing:
            self.tick(tick)
            passed += tick
        return passed


steps = st.lists(st.one_of(st.integers(-2_000_000, 2_000_000), st.integers(0, 10**11)), max_size=30)
ticks = st.lists(st.floats(0, 3), min_size=1, max_size=8).filter(lambda pattern: sum(pattern) > 0.2)


@given(steps, st.sampled_from(SPEEDS), ticks, st.integers(1, 7))
def test_every_event_is_shown_once_and_in_order(
    steps_us: list[int], speed: float, pattern: list[float], piece: int
) -> None:
    """At any speed, however the clock ticks, in whatever pieces it is read and whatever the times of the events are."""
    recording = Recording(steps_us, piece=piece)
    recording.player.speed = speed
    assert recording.play(pattern) == [event.id for event in recording.events]
    assert recording.player.id == recording.head


@given(steps, ticks, st.lists(st.sampled_from([*SPEEDS, "pause", "play"]), min_size=1, max_size=30))
def test_changes_of_speed_and_pauses_lose_nothing(
    steps_us: list[int], pattern: list[float], changes: list[float | str]
) -> None:
    """Between any two ticks; what is shown goes on where it was."""
    recording = Recording(steps_us, piece=3)
    shown: list[int] = []
    for number, change in enumerate(changes):
        if isinstance(change, float):
            recording.player.speed = change
        elif change == "pause":
            recording.player.is_playing = False
        elif recording.player.id < recording.head:
            recording.player.is_playing = True
        shown += recording.tick(pattern[number % len(pattern)])
    recording.player.is_playing = True
    shown += recording.play(pattern)
    assert shown == [event.id for event in recording.events]


@given(steps, st.sampled_from(SPEEDS[:-1]), ticks, st.integers(0, 20))
def test_the_moment_never_goes_back_while_it_plays(
    steps_us: list[int], speed: float, pattern: list[float], count: int
) -> None:
    """Not where an event began before the one in front of it, and it is never past an event that is to come."""
    recording = Recording(steps_us)
    recording.player.speed = speed
    before = recording.player.us
    for number in range(count):
        recording.tick(pattern[number % len(pattern)])
        assert recording.player.us >= before
        before = recording.player.us
        coming = [event for event in recording.events if event.id > recording.player.id]
        if coming:
            assert before <= max(START_US, *(_us(event) for event in recording.events[: -len(coming) + 1 or None]))


def _us(event: Event) -> int:
    return int(datetime.fromisoformat(event.ts).timestamp() * 1_000_000 + 0.5)


@pytest.mark.parametrize("speed", SPEEDS[:-1])
def test_the_spacing_is_scaled(speed: float) -> None:
    """Two events 1.2 s apart are that far apart at 1×, four times as far at ¼×, a 64th at 64×."""
    recording = Recording([0, 1_200_000])
    recording.player.speed = speed
    assert recording.seconds(0.001) == pytest.approx(1.2 / speed, abs=0.003)


def test_without_a_speed_limit_nothing_waits() -> None:
    """At max all that is at hand is due at once, an hour's silence too."""
    recording = Recording([0, 3_600_000_000, 5, 3_600_000_000])
    recording.player.speed = inf
    assert recording.tick(0) == [event.id for event in recording.events]


@pytest.mark.parametrize(
    ("speed", "silence_us", "seconds"),
    [(1.0, 192_000_000, 2.0), (64.0, 10**12, 2.0), (64.0, 64_000_000, 1.0), (8.0, 12_000_000, 1.5), (0.25, 10**9, 8.0)],
)
def test_a_silence_is_played_shortened(speed: float, silence_us: int, seconds: float) -> None:
    """Never more than 2 s at 1× and faster; what is shorter once it is scaled keeps its length."""
    recording = Recording([0, silence_us])
    recording.player.speed = speed
    assert recording.seconds() == pytest.approx(seconds, abs=0.03)


def test_a_silence_is_told_while_it_is_shortened() -> None:
    """With the length that it had; not before it begins and not after it."""
    recording = Recording([0, 192_000_000, 1_000_000])
    assert recording.player.silence_us is None
    recording.tick(0.1)
    assert recording.player.silence_us == 192_000_000
    recording.player.is_playing = False
    assert recording.player.silence_us is None
    recording.player.is_playing = True
    recording.player.speed = 128.0
    assert recording.player.silence_us is None  # 1.5 s: not shortened
    recording.player.speed = 1.0
    assert recording.tick(0.9) == []
    assert recording.tick(1.0) == [FIRST_ID + 1]
    assert recording.player.silence_us is None


def test_in_the_midst_of_a_silence_the_moment_moves_on() -> None:
    """Evenly, over its whole length."""
    recording = Recording([0, 200_000_000])
    recording.tick(0)
    recording.tick(0.5)
    assert recording.player.us == pytest.approx(START_US + 50_000_000, abs=10)


def test_a_page_that_paints_nothing_holds_the_clock() -> None:
    """After an hour in a hidden tab it goes on from there, instead of being over."""
    recording = Recording([0] + [1_000_000] * 10)
    recording.tick(0)
    assert recording.tick(3_600) == [FIRST_ID + 1]


@given(steps.filter(lambda steps_us: len(steps_us) > 3), st.sampled_from(SPEEDS), ticks, st.data())
def test_a_loop_shows_its_range_over_and_over(
    steps_us: list[int], speed: float, pattern: list[float], data: st.DataObject
) -> None:
    """Each round each event of the range once and in order, and none of outside."""
    recording = Recording(steps_us, piece=3)
    first = data.draw(st.integers(FIRST_ID, recording.head))
    last = data.draw(st.integers(first, recording.head))
    player = recording.player
    player.range = Range(first, last, START_US, START_US, loop=True)
    player.speed = speed
    player.go(first - 1, START_US)
    wanted, rounds, shown = list(range(first, last + 1)), 0, []
    while rounds < 3:
        for seconds in pattern:
            shown += recording.tick(seconds)
            if player.has_begun_again:
                player.has_begun_again = False
                assert shown == wanted
                rounds, shown = rounds + 1, []


def test_a_loop_rests_before_it_begins_again() -> None:
    """At max too, so that nothing flickers."""
    recording = Recording([0, 1, 1])
    player = recording.player
    player.speed = inf
    player.range = Range(FIRST_ID, FIRST_ID + 1, START_US, START_US + 1, loop=True)
    assert recording.tick(0.1) == [FIRST_ID, FIRST_ID + 1]
    recording.tick(LOOP_REST_SECONDS / 2)
    assert not player.has_begun_again
    recording.tick(LOOP_REST_SECONDS / 2)
    assert player.has_begun_again
    assert player.id == FIRST_ID - 1


def test_a_loop_without_a_match_ends() -> None:
    """There is nothing to show again."""
    recording = Recording([])
    player = recording.player
    player.range = Range(FIRST_ID, FIRST_ID + 9, START_US, START_US, loop=True)
    recording.events = [event(FIRST_ID + 20, START_US)]
    for _ in range(10):
        player.advance(1, recording.head)
        player.offer([], FIRST_ID + 9)
    assert not player.is_playing


def test_a_range_ends_the_replay() -> None:
    """Without a loop it stops behind the last event, and stands there."""
    recording = Recording([0] * 10)
    recording.player.range = Range(FIRST_ID, FIRST_ID + 4, START_US, START_US)
    assert recording.play([0.1]) == list(range(FIRST_ID, FIRST_ID + 5))
    assert recording.player.id == FIRST_ID + 4


def test_what_was_evicted_on_the_way_has_its_place() -> None:
    """It comes after what was at hand before it, and before what came after it."""
    recording = Recording([0] * 2)
    recording.tick(0)
    player = recording.player
    player.is_playing = True
    player.offer([event(FIRST_ID + 9, START_US)], FIRST_ID + 9, Missing(FIRST_ID + 2, FIRST_ID + 8))
    due = player.advance(0.1, FIRST_ID + 9)
    assert due[0] == Missing(FIRST_ID + 2, FIRST_ID + 8)
    assert isinstance(due[1], Event)
    assert due[1].id == FIRST_ID + 9


def test_it_plays_on_when_more_was_sent_meanwhile() -> None:
    """The end is where the journal ends at that moment."""
    recording = Recording([0])
    assert recording.play([0.1]) == [FIRST_ID]
    recording.events.append(event(FIRST_ID + 1, START_US))
    recording.player.is_playing = True
    assert recording.play([0.1]) == [FIRST_ID + 1]
