"""What a replay asks of a journal."""

import pytest

from livesignals.filters import parse
from livesignals.journal.memory import MemoryJournal
from livesignals.transport.history import read_on
from tests.journal.building import Sender, make_event


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_reading_on_comes_by_what_is_kept_and_tells_each_hole(limit: int) -> None:
    """Of 60 sends the first 40 were evicted, but for two ranges that are kept: these in order, and what is missing."""
    journal = MemoryJournal(project="", retain_events=1_000, retain_bytes=2**30)
    Sender(journal).append([make_event(sender=f"shop.M{n % 2}") for n in range(60)])
    journal.pin("early", 11, 18)
    journal.pin("seam", 39, 42)
    journal.prune(20)
    for text, wanted in (
        ("", {*range(11, 19), *range(39, 61)}),
        ("sender:shop.M1", {*range(12, 19, 2), *range(40, 61, 2)}),
    ):
        after, ids, holes = 0, list[int](), list[tuple[int, int]]()
        while after < 60:
            _, missing, found = read_on(journal, parse(text), after, limit, 1_000)
            if missing is not None:
                assert missing.first == after + 1
                holes.append((missing.first, missing.last))
            ids += [event.id for event in found.events]
            assert found.scanned_to > after
            after = found.scanned_to
        assert ids == sorted(wanted)
        assert holes == [(1, 10), (19, 38)]
