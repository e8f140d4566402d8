"""Recordings: events that were brought in from a file, each a journal of its own beside the live one.

A recording is ``recordings/NAME.sqlite3`` in the journal's folder, with an epoch of its own and ids from 1. It is made
once, and only read after that. Nothing of it ever gets into the live journal.
"""

import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from livesignals import conf
from livesignals.events import record_of
from livesignals.exceptions import JournalError, RecordingError
from livesignals.exchange.jsonl import Line
from livesignals.journal import Journal, ProcessReport, SqliteJournal
from livesignals.journal.sqlite_file import folder_lock, make_folder

BATCH_EVENTS = 1_000
#: A recording is kept whole.
UNBOUNDED = 2**62
#: What an import that was killed left behind is removed after so long.
LEFTOVER_SECONDS = 24 * 3_600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SUFFIX = ".sqlite3"
_COMPANIONS = ("-wal", "-shm")
_ROLE = "import of "


class Recording(Struct, frozen=True):
    """What is told of a recording. ``problem`` says why the rest is not known."""

    name: str
    epoch: str = ""
    events: int = 0
    bytes: int = 0
    imported_us: int = 0  # since 1970, UTC
    source: str = ""  # the name of the file it came from
    problem: str = ""


class Imported(Struct, frozen=True):
    """What became of a file."""

    name: str
    events: int
    left_out: int


def folder() -> Path:
    """Where recordings are kept: beside the journal, or in the project's root when that is not a file."""
    url = conf.journal_url(conf.read())
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).expanduser().resolve().parent / "recordings"
    return conf.project_folder() / "recordings"


def names() -> list[str]:
    """The recordings there are, in the order of the alphabet."""
    try:
        found = [path.name.removesuffix(_SUFFIX) for path in folder().iterdir() if path.name.endswith(_SUFFIX)]
    except OSError:
        return []
    return sorted(filter(_NAME.fullmatch, found))


def exists(name: str) -> bool:
    """Whether there is a recording of this name, which may be anything."""
    return bool(_NAME.fullmatch(name)) and _path(name).is_file()


def open_recording(name: str) -> Journal:
    """The journal of a recording. It is never made anew: once it is deleted, JournalUnavailable is raised.

    Raises RecordingError when there is none.
    """
    if not exists(name):
        known = ", ".join(names())
        raise RecordingError(f"There is no recording {name!r}.", f"There are: {known}." if known else "There are none.")
    return _journal(_path(name), makes=False)


def describe(name: str) -> Recording:
    """What is known of a recording."""
    try:
        journal = open_recording(name)
        try:
            return described(name, journal)
        finally:
            journal.close()
    except (JournalError, RecordingError) as error:
        return Recording(name, problem=str(error))


def described(name: str, journal: Journal) -> Recording:
    """The same of one that is open. Raises JournalError."""
    counts = journal.counts()
    made = next(iter(journal.processes()), None)
    return Recording(
        name,
        epoch=counts.epoch,
        events=counts.retained,
        bytes=counts.bytes,
        imported_us=made.seen_ts if made else 0,
        source=made.role.removeprefix(_ROLE) if made else "",
    )


def delete(name: str) -> None:
    """Remove a recording; whoever has it open is told that it is gone. Raises RecordingError when there is none."""
    open_recording(name)
    with folder_lock(folder()):
        _remove(_path(name))


def name_from(source: str) -> str:
    """A name for what comes from this file, or from no file when *source* is "-"."""
    stem = Path(source).name.split(".")[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64]
    return name if source != "-" and name else time.strftime("recording-%Y%m%d-%H%M%S")


def check_name(name: str, *, may_exist: bool) -> None:
    """Raises RecordingError for a name that cannot be used."""
    if not _NAME.fullmatch(name):
        raise RecordingError(
            f"{name!r} is no name for a recording.",
            "Take up to 64 letters, digits, dots, dashes and underscores, with a letter or digit first.",
        )
    if not may_exist and exists(name):
        raise RecordingError(f"There is a recording {name!r} already.", "Choose another --name, or say --replace.")


def bring_in(
    name: str,
    lines: Iterable[Line],
    *,
    source: str,
    replaces: bool = False,
    tell: Callable[[Line], object] = lambda line: None,
    progress: Callable[[int, int], object] = lambda number, size: None,
) -> Imported:
    """Make a recording of what *lines* hold. It is there once it is whole; before that nobody sees it.

    *tell* is called with each line that is left out; *progress* after each batch with the number of the last line and
    the bytes that were read. Raises RecordingError, also when no line is an event, and JournalError.
    """
    check_name(name, may_exist=replaces)
    make_folder(folder().parent)
    make_folder(folder())
    _remove_leftovers()
    part = folder() / f".{name}.{secrets.token_hex(4)}{_SUFFIX}"
    journal = _journal(part, makes=True)
    try:
        imported = _fill(journal, name, lines, source, tell, progress)
        journal.close()
        if not imported.events:
            raise _nothing_in(source)
        with folder_lock(folder()):
            check_name(name, may_exist=replaces)
            _remove(_path(name))  # with its log, which is not that of the new one
            part.rename(_path(name))
    except OSError as error:
        raise RecordingError(f"{_path(name)} cannot be written: {error.strerror or error}") from None
    finally:
        journal.close()
        _remove(part)
    return imported


def _fill(
    journal: Journal,
    name: str,
    lines: Iterable[Line],
    source: str,
    tell: Callable[[Line], object],
    progress: Callable[[int, int], object],
) -> Imported:
    started_us = time.time_ns() // 1_000
    stored = left_out = size = 0
    rest = iter(lines)
    while batch := list(islice(rest, BATCH_EVENTS)):
        events = []
        for line in batch:
            size += line.bytes
            if line.event is None:
                left_out += 1
                tell(line)
            else:
                events.append(replace(line.event, epoch="", id=0))
        stored += len(events)
        report = ProcessReport(
            process="import",
            host=socket.gethostname(),
            pid=os.getpid(),
            role=_ROLE + source,
            started_ts=started_us,
            seen_ts=time.time_ns() // 1_000,
            captured=stored,
        )
        journal.append([record_of(event) for event in events], report)
        progress(batch[-1].number, size)
    return Imported(name, stored, left_out)


def _nothing_in(source: str) -> RecordingError:
    return RecordingError(
        f"No line of {source} is an event; nothing was imported.",
        "It takes what `export` writes, one JSON object a line.",
    )


def _journal(path: Path, *, makes: bool) -> Journal:
    # Of no project: it may have been made where the project was before, or be carried to another one.
    return SqliteJournal(path, project="", retain_events=UNBOUNDED, retain_bytes=UNBOUNDED, makes=makes)


def _path(name: str) -> Path:
    return folder() / f"{name}{_SUFFIX}"


def _remove(path: Path) -> None:
    for companion in (path, *(path.with_name(path.name + ending) for ending in _COMPANIONS)):
        companion.unlink(missing_ok=True)


def _remove_leftovers() -> None:
    for path in folder().glob(f".*{_SUFFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()
