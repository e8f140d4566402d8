"""SQLite journals at a path that the test knows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livesignals.journal import Journal, open_journal

OpenAt = Callable[..., Journal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def open_at() -> Iterator[OpenAt]:
    """Opens a journal at a path, as often as wanted; each as another process would have it."""
    opened: list[Journal] = []

    def make(path: Path, *, project: str = "shop", retain_events: int = 100_000) -> Journal:
        url = f"sqlite:///{path}"
        journal = open_journal(url, project=project, retain_events=retain_events, retain_bytes=100_000_000)
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(path: Path, open_at: OpenAt) -> Journal:
    return open_at(path)
