"""What a frame shows of many events: every one of them is in it, in a row or in one that says how many."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.dashboard import rendering
from livesignals.events import Event
from livesignals.transport.consumer import MAX_MESSAGE_BYTES
from livesignals.transport.frames import FRAME_CHARS, RUN_ROWS, has_few_lines, rows_of
from tests.insights.building import send


def shown(events: list[Event], max_rows: int) -> tuple[list[int], list[tuple[int, int, int]], str]:
    """The ids of the rows, (first, last, count) of those that stand for others, and the whole HTML."""
    html = "".join(rows_of(events, max_rows, rendering, rendering.row_html))
    more = re.findall(r'data-first="(\d+)" data-last="(\d+)" data-count="(\d+)"', html)
    return [int(row) for row in re.findall(r'data-id="(\d+)"', html)], [tuple(map(int, found)) for found in more], html  # type: ignore[misc]


def stream(lengths: list[int]) -> list[Event]:
    """Runs of these lengths, from the newest to the oldest, with ids and an epoch."""
    senders = [f"s{number}" for number, length in enumerate(lengths) for _ in range(length)]
    return [
        replace(send(f"u{number}", number, 1, sender=sender), id=len(senders) - number, epoch="e")
        for number, sender in enumerate(senders)
    ]


@given(st.lists(st.integers(1, 120), max_size=8), st.integers(1, 70))
def test_each_event_is_in_a_row_or_in_one_that_counts_it(lengths: list[int], max_rows: int) -> None:
    """Once, whatever runs there are; rows are no more than there is room for, and none of them is doubled."""
    events = stream(lengths)
    rows, more, _ = shown(events, max_rows)
    assert len(rows) == len(set(rows)) <= max_rows
    assert len(rows) + sum(count for _, _, count in more) == len(events)
    assert all(last - first + 1 == count for first, last, count in more)
    hidden = {event_id for first, last, _ in more for event_id in range(first, last + 1)}
    assert hidden | set(rows) == {event.id for event in events}


def test_a_long_run_leaves_room_for_what_stands_beside_it() -> None:
    """Its rest is in a row that says of which run it is, so that the page can count it with the run."""
    rows, more, html = shown(stream([500, 5]), 60)
    assert len(rows) == RUN_ROWS + 5
    assert more == [(6, 505 - RUN_ROWS, 500 - RUN_ROWS)]
    assert len(set(re.findall(r'data-run="(\w+)"', html))) == 2


def test_in_a_flood_what_is_not_of_it_is_seen() -> None:
    """A long run gets the room that others leave, and none of them is left out for it."""
    rows, more, _ = shown(stream([300, 1, 300, 2, 300]), 20)
    assert len(rows) == 20
    assert {603, 302, 301} < set(rows)
    assert [count for _, _, count in more] == [295, 294, 294]


def test_a_row_for_sends_that_differ_is_of_no_run() -> None:
    """Nobody could count it with one."""
    _, more, html = shown(stream([1] * 70), 60)
    assert more == [(1, 10, 10)]
    assert "data-run" not in html.partition('class="more"')[2]


def test_a_run_alone_is_few_lines() -> None:
    """However long it is; as many different sends are not."""
    assert has_few_lines(stream([100]), 100)
    assert has_few_lines(stream([50, 50]), 100)
    assert not has_few_lines(stream([1] * 100), 100)
    assert not has_few_lines(stream([60, *[1] * 40]), 100)


def test_rows_are_no_longer_together_than_a_frame_may_be() -> None:
    """What has no room is in a row that counts it; that holds for a single row too."""
    events = stream([1] * 90)

    def rows(chars: int) -> list[str]:
        return rows_of(events, 100, rendering, lambda event: f'<li data-id="{event.id}">'.ljust(chars, "x"))

    assert len(rows(FRAME_CHARS // 90)) == 90
    few = rows(FRAME_CHARS // 30)
    assert len(few) == 31
    assert 'data-count="60"' in few[-1]
    (alone,) = rows(FRAME_CHARS + 1)
    assert 'data-count="90"' in alone
    longest = "\x00" * FRAME_CHARS  # nothing is written with more bytes
    assert len(msgspec.json.encode(longest)) < MAX_MESSAGE_BYTES
