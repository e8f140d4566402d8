"""What a server follows of the journal: all of it, whoever comes and goes, whatever fails for a moment."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Tail
from livesignals.journal.memory import MemoryJournal
from livesignals.transport.feed import Feed
from tests.journal.building import Sender, make_events

PATIENCE = 20.0


class FlakyJournal(MemoryJournal):
    """A journal that cannot be followed each second time."""

    def __init__(self) -> None:
        super().__init__(project="", retain_events=1_000, retain_bytes=2**20)
        self.fails = False
        self.is_flaky = False

    def tail(self, after: int, limit: int) -> Tail:
        self.fails = self.is_flaky and not self.fails
        if self.fails:
            raise JournalUnavailable("locked")
        return super().tail(after, limit)


@pytest.fixture
def journal() -> FlakyJournal:
    return FlakyJournal()


def run(journal: FlakyJournal, scenario: Callable[[Feed], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario(Feed(lambda: journal)))


async def reaches(feed: Feed, head: int) -> None:
    """Wait until the feed has come to an id."""
    deadline = time.monotonic() + PATIENCE
    while feed.head != head:
        assert time.monotonic() < deadline, f"the feed stayed at {feed.head}"
        await asyncio.sleep(0.005)


def test_a_reader_that_comes_as_the_last_one_leaves_misses_nothing(journal: FlakyJournal) -> None:
    """As when a page is reloaded: the batch that was under way for the old one is read again for the new one."""
    sender = Sender(journal)

    async def reload_often(feed: Feed) -> None:
        await feed.watch()
        for _ in range(20):
            await feed.unwatch()
            await feed.watch()
            await asyncio.sleep(0.01)
            await reaches(feed, sender.append(make_events(1)).last)
        await feed.unwatch()

    run(journal, reload_often)


def test_what_was_stored_while_the_journal_could_not_be_read_comes_afterwards(journal: FlakyJournal) -> None:
    """Without anything more being stored."""
    sender = Sender(journal)

    async def stumble(feed: Feed) -> None:
        await feed.watch()
        await reaches(feed, sender.append(make_events(1)).last)
        journal.is_flaky = True
        await reaches(feed, sender.append(make_events(1)).last)
        await feed.unwatch()

    run(journal, stumble)


def test_a_reader_who_could_not_be_let_in_is_not_counted(
    journal: FlakyJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else those after it would find nobody following."""
    sender = Sender(journal)

    async def fail_once(feed: Feed) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(journal, "bounds", lambda: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                await feed.watch()
        await feed.watch()
        await reaches(feed, sender.append(make_events(1)).last)
        await feed.unwatch()

    run(journal, fail_once)
