"""The retained history of events, ordered by id."""

from pathlib import Path

from livesignals.exceptions import ConfigurationError
from livesignals.journal.base import (
    FACETS,
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
from livesignals.journal.sqlite import SqliteJournal

__all__ = [
    "FACETS",
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


def open_journal(url: str, *, project: str, retain_events: int, retain_bytes: int) -> Journal:
    """The journal that a URL names. Touches nothing yet: that is left to its first use.

    ``sqlite:////var/lib/shop/signals.sqlite3`` is an absolute path, ``sqlite:///signals.sqlite3`` one below
    the working folder (as other Django tools read such URLs), ``memory:`` a journal in this process alone.

    *project* says whose it is; a journal of another project is refused with `JournalForeign`.

    Raises `ConfigurationError`.
    """
    if url == "memory:":
        return MemoryJournal(project=project, retain_events=retain_events, retain_bytes=retain_bytes)
    path = url.removeprefix(_SQLITE)
    if path == url or not path:
        raise ConfigurationError(
            f"no journal can be opened at {url!r}",
            "JOURNAL is sqlite:///path/of/file.sqlite3 (four slashes for an absolute path) or memory:",
        )
    return SqliteJournal(Path(path), project=project, retain_events=retain_events, retain_bytes=retain_bytes)
