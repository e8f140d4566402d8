"""The retained history of events, ordered by id."""

from pathlib import Path

from livesignals.exceptions import ConfigurationError
from livesignals.journal.base import (
    FACETS,
    Announcements,
    Appended,
    Bounds,
    Counts,
    Facets,
    Found,
    Histogram,
    Indexed,
    Journal,
    Outcome,
    Pin,
    Problem,
    ProcessReport,
    Retention,
    Tail,
)
from livesignals.journal.memory import MemoryJournal
from livesignals.journal.redis_address import without_password
from livesignals.journal.sqlite import SqliteJournal

__all__ = [
    "FACETS",
    "Announcements",
    "Appended",
    "Bounds",
    "Counts",
    "Facets",
    "Found",
    "Histogram",
    "Indexed",
    "Journal",
    "Outcome",
    "Pin",
    "Problem",
    "ProcessReport",
    "Retention",
    "SqliteJournal",
    "Tail",
    "open_journal",
]

_SQLITE = "sqlite:///"
_REDIS = ("redis", "unix:")


def open_journal(
    url: str, *, project: str, retain_events: int, retain_bytes: int, folder: Path | None = None
) -> Journal:
    """The journal that a URL names. Touches nothing yet: that is left to its first use.

    ``sqlite:////var/lib/shop/signals.sqlite3`` is an absolute path, ``sqlite:///signals.sqlite3`` one below
    the working folder, ``memory:`` a journal in this process alone.
    ``redis://…`` and its kin are shared by many hosts, see `livesignals.journal.redis_address`.

    Whoever reads a journal that is no file keeps a search index in the *folder*; without one there is none.

    *project* says whose it is; a journal of another project is refused with `JournalForeign`.

    Raises `ConfigurationError`.
    """
    if url == "memory:":
        return MemoryJournal(project=project, retain_events=retain_events, retain_bytes=retain_bytes)
    if url.startswith(_REDIS):
        from livesignals.journal.redis import RedisJournal  # brings redis-py

        return RedisJournal(url, project=project, retain_events=retain_events, retain_bytes=retain_bytes, folder=folder)
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        raise ConfigurationError(
            f"no journal can be opened at {without_password(url)!r}",
            "JOURNAL is sqlite:///path/of/file (four slashes for an absolute path), redis://host:6379/0 or memory:",
        )
    return SqliteJournal(Path(path), project=project, retain_events=retain_events, retain_bytes=retain_bytes)
