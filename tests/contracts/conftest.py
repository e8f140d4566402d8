"""The journals that every contract is run over. Another backend is one more entry of `BACKENDS`."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livesignals.journal import Journal, open_journal

_numbers = itertools.count(1)

#: Name to what gives the URL of a journal that nothing has been written to.
BACKENDS: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "memory": lambda request: "memory:",
    "sqlite": lambda request: f"sqlite:///{request.getfixturevalue('tmp_path') / 'journal.sqlite3'}",
    "redis": lambda request: f"{request.getfixturevalue('redis_url')}?name=contract-{next(_numbers)}",
}

OpenJournal = Callable[..., Journal]


@pytest.fixture(params=BACKENDS)
def make_journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenJournal]:
    """Opens the journal of a backend; keywords limit it."""
    opened: list[Journal] = []
    url = BACKENDS[request.param](request)

    def make(retain_events: int = 100_000, retain_bytes: int = 100_000_000) -> Journal:
        journal = open_journal(
            url, project="shop", retain_events=retain_events, retain_bytes=retain_bytes, folder=tmp_path / "index"
        )
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(make_journal: OpenJournal) -> Journal:
    return make_journal()
