"""The search index that a server keeps of a Redis journal: answers are the same with it, only sooner."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livesignals.filters import parse
from livesignals.journal import Journal, Outcome, open_journal
from livesignals.journal.search_columns import SEGMENT_EVENTS
from tests.journal.building import Sender, make_event, pending
from tests.journal.test_search_index import COUNT, FILTERS, answers, fill, index

_numbers = itertools.count(1)
Opening = Callable[..., Journal]


@pytest.fixture
def opening(redis_url: str) -> Iterator[Opening]:
    """Opens the journal of a test, as often as wanted, with a folder for its index or without."""
    url, opened = f"{redis_url}?name=index-{next(_numbers)}", list[Journal]()

    def make(folder: Path | None = None) -> Journal:
        journal = open_journal(url, project="shop", retain_events=100_000, retain_bytes=2**30, folder=folder)
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


def test_an_index_changes_no_answer(opening: Opening, tmp_path: Path) -> None:
    """Searches in both directions, counts and histograms are the same with it and without, pinned events too."""
    journal, without = opening(tmp_path / "folder"), opening()
    fill(journal)
    Sender(journal, "late").append([make_event(transaction=pending(f"t{number}")) for number in range(300)])
    journal.pin("first", 10, 300)
    index(journal)
    journal.resolve([Outcome(f"t{number}", "rolled_back") for number in range(0, 300, 2)])
    journal.prune(keep_events=COUNT - 700)
    indexed = journal.indexed()
    assert indexed is not None
    assert (indexed.events, indexed.bytes > 0) == (COUNT - 700, True)
    assert without.indexed() is None
    for text in (*FILTERS[::4], "is:rolledback", "-is:rolledback sender:shop.Order"):
        assert answers(journal, text) == answers(without, text), text


def test_it_is_kept_in_the_folder_for_this_user_alone(opening: Opening, tmp_path: Path) -> None:
    """It holds what signals carried; it is made when it is wanted, by who reads."""
    folder = tmp_path / "folder"
    journal = opening(folder)
    fill(journal)
    assert not folder.exists()
    index(journal)
    (path,) = folder.glob("redis-*-search")
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    reader = opening(folder)
    indexed = reader.indexed()
    assert indexed is not None
    assert indexed.events == SEGMENT_EVENTS
    assert [event.id for event in reader.search(parse("kwargs.instance.pk:777"), None, 5).events] == [777]


def test_without_a_folder_that_can_be_written_to_searches_go_on(opening: Opening, tmp_path: Path) -> None:
    """Doctor says why they are slow."""
    (tmp_path / "folder").write_text("in the way")
    journal = opening(tmp_path / "folder" / "below")
    fill(journal, 300)
    assert not journal.index(10)
    assert [event.id for event in journal.search(parse("kwargs.instance.pk:77"), None, 5).events] == [77]
    (problem,) = journal.check()
    assert (problem.level, "search index" in problem.message) == ("warning", True)


def test_an_index_is_of_one_epoch(opening: Opening, tmp_path: Path) -> None:
    """Once the journal was cleared, nothing of before is found, and what comes is indexed."""
    journal = opening(tmp_path / "folder")
    fill(journal)
    index(journal)
    journal.clear()
    assert journal.search(parse("sender:shop.Order"), None, 5).events == []
    fill(journal, 100)
    index(journal)
    indexed = journal.indexed()
    assert indexed is not None
    assert indexed.events == 100
    assert [event.id for event in journal.search(parse("kwargs.instance.pk:77"), None, 5).events] == [COUNT + 77]
