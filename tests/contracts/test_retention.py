"""How much every journal keeps, and that this can be changed while processes write."""

import pytest

from livesignals.exceptions import PinError
from livesignals.journal import Journal, Retention
from tests.contracts.conftest import OpenJournal
from tests.journal.building import Sender, assert_balanced, make_events


def test_it_is_as_the_settings_say(make_journal: OpenJournal) -> None:
    """Until somebody changes it."""
    journal = make_journal(retain_events=100, retain_bytes=200_000)
    assert journal.retention() == Retention(100, 200_000)


def test_who_writes_keeps_to_it_from_the_next_batch_on(make_journal: OpenJournal) -> None:
    """Fewer events, then more than the settings say; evicted is a bounded number each time."""
    journal = make_journal(retain_events=100)
    sender = Sender(journal)
    sender.append(make_events(100))
    journal.retain(20, None)
    assert journal.retention() == Retention(20, 100_000_000, 20, None)
    assert journal.counts().retained == 100
    for _ in range(20):
        sender.append(make_events(5))
    assert journal.counts().retained <= 20
    assert_balanced(journal)
    journal.retain(300, None)
    for _ in range(60):
        sender.append(make_events(5))
    assert 250 <= journal.counts().retained <= 300
    assert_balanced(journal)


def test_bytes_are_kept_to_as_events_are(make_journal: OpenJournal) -> None:
    """Each of the two can be set by itself."""
    journal = make_journal()
    sender = Sender(journal)
    journal.retain(None, 100_000)
    assert journal.retention() == Retention(100_000, 100_000, None, 100_000)
    for _ in range(40):
        sender.append(make_events(5, kwargs={"note": "x" * 1_000}))
    assert 50_000 < journal.counts().bytes <= 100_000
    assert_balanced(journal)


def test_prune_goes_down_to_it_at_once(journal: Journal) -> None:
    """When it is told no limits of its own."""
    Sender(journal).append(make_events(50))
    journal.retain(20, None)
    assert journal.prune() == 30
    assert journal.prune(keep_events=10) == 10
    assert_balanced(journal)


def test_half_of_it_can_be_pinned(journal: Journal) -> None:
    """And the error says of how much."""
    Sender(journal).append(make_events(50))
    journal.retain(40, None)
    with pytest.raises(PinError) as error:
        journal.pin("much", 1, 21)
    assert "20" in f"{error.value} {error.value.hint}"
    journal.pin("half", 1, 20)


def test_it_outlives_a_clear_and_ends_with_a_reset(make_journal: OpenJournal) -> None:
    """The settings hold again."""
    journal = make_journal(retain_events=100)
    journal.retain(20, 300_000)
    journal.clear()
    assert journal.retention() == Retention(20, 300_000, 20, 300_000)
    assert journal.changed()
    journal.retain(None, None)
    assert journal.changed()
    assert journal.retention() == Retention(100, 100_000_000)
    Sender(journal).append(make_events(50))
    assert journal.counts().retained == 50
    assert journal.check() == []


@pytest.mark.parametrize(("events", "bytes"), [(0, None), (-1, None), (None, 65_535), (5, 0)])
def test_next_to_nothing_is_refused(journal: Journal, events: int | None, bytes: int | None) -> None:
    """As in the settings; it stays as it was."""
    before = journal.retention()
    with pytest.raises(ValueError, match="at least"):
        journal.retain(events, bytes)
    assert journal.retention() == before
