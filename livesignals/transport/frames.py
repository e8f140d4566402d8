"""What one frame shows of many events: rows as far as there is room for them, and how many the others are.

A run (see `livesignals.insights.runs`) gets only so many of the rows that what stands beside it is seen as well.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from livesignals.events import Event
from livesignals.insights.runs import alike, run_name, runs

#: Rows of one run in one frame.
RUN_ROWS = 40
#: HTML of one frame, in characters. JSON makes up to six bytes of one, and daphne sends no message over a megabyte.
FRAME_CHARS = 160_000
#: So many times fewer lines than rows are too few for a first look.
FEW = 4


class Rendering(Protocol):
    """How rows look: :mod:`livesignals.dashboard.rendering`."""

    def row_html(self, event: Event) -> str: ...
    def coalesced_html(self, first_id: int, last_id: int, count: int, run: str) -> str: ...
    def notice_html(self, kind: str, said: str) -> str: ...
    def dropped_html(self, count: int, why: str) -> str: ...
    def gap_html(self, first_id: int, last_id: int, reason: str) -> str: ...


def rows_of(
    events: Sequence[Event],
    max_rows: int,
    rendering: Rendering,
    row_html: Callable[[Event], str],
    *,
    run_rows: int = RUN_ROWS,
) -> list[str]:
    """HTML for *events*, which are from the newest to the oldest: each is in a row, or in one that says how many.

    There are at most *max_rows* rows, *run_rows* of one run, and together they are no longer than a frame may be. A
    long run gets what the others leave: in a flood, what is not of it is seen.
    """
    content: list[str] = []
    chars, taken = FRAME_CHARS, 0
    found = list(islice(runs(events), max_rows))
    for run, share in zip(found, _shares([min(len(run), run_rows) for run in found], max_rows), strict=True):
        shown = 0
        for event in run[:share]:
            html = row_html(event)
            chars -= len(html)
            if chars < 0:
                break
            content.append(html)
            shown += 1
        if not shown:
            break
        if shown < len(run):
            content.append(_left_out(run[shown:], run_name(run[0]), rendering))
        taken += len(run)
        if chars < 0:
            break
    if taken < len(events):
        left = events[taken:]
        name = run_name(left[0]) if all(alike(left[0], event) for event in left) else ""
        content.append(_left_out(left, name, rendering))
    return content


def _shares(wanted: list[int], room: int) -> list[int]:
    """As much of *room* for each as it wants, and as the others leave it: the modest first."""
    shares = [0] * len(wanted)
    for place, number in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        shares[number] = min(wanted[number], room // (len(wanted) - place))
        room -= shares[number]
    return shares


def has_few_lines(events: Sequence[Event], enough: int) -> bool:
    """Whether *events* are so much alike that they would be but a few lines, where *enough* rows were wanted."""
    return sum(1 for _ in runs(events)) < enough / FEW


def _left_out(events: Sequence[Event], run: str, rendering: Rendering) -> str:
    return rendering.coalesced_html(events[-1].id, events[0].id, len(events), run)
