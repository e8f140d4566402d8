"""From the path of an SQLite journal to open connections, again whenever the file there is another one.

A file that was deleted or replaced is opened anew, a broken one set aside first. Around a fork none is open.
"""

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from livesignals.exceptions import JournalBroken, JournalUnavailable
from livesignals.journal.sqlite_connections import (
    CLOSE_SECONDS,
    Connections,
    Superseded,
    make_journal,
    translated,
)
from livesignals.journal.sqlite_file import ELSEWHERE, folder_lock, is_new, make_file, make_folder, set_aside

T = TypeVar("T")


class JournalFile:
    """The file at a path, for all threads of the process. Nothing is opened before `run`."""

    def __init__(self, path: Path, project: str, *, makes: bool = True) -> None:
        """*makes*: whether a file that is missing or broken gives way to a new one; else it is an error."""
        self.path = path.expanduser().resolve()
        self._project = project
        self._makes = makes
        self._lock = threading.Lock()  # guards the two below
        self._connections: Connections | None = None
        self._notice = ""  # of a file that was set aside, until the next one could be made
        _files.add(self)

    def run(self, work: Callable[[Connections], T]) -> T:
        """Do *work* on the file that is there now, and again if it is replaced meanwhile."""
        for _ in range(3):
            connections = self._current()
            try:
                return work(connections)
            except Superseded:
                continue
            except JournalBroken as error:
                self._keep(error)
                self._retire(connections, str(error))
        raise JournalUnavailable(
            f"the journal {self.path} is replaced or broken again as soon as it was opened",
            f"Something else writes to this file. {ELSEWHERE}",
        )

    def close(self) -> None:
        """Close everything; the next `run` opens it again."""
        with self._lock:
            if self._connections is not None:
                self._connections.close(tidy=True)
                self._connections = None

    def abandon(self) -> None:
        """In the child of a fork that did not run the hooks below, as uWSGI's does not: open nothing twice.

        Connections that the parent had in use are left as they are, since closing them could harm its log.
        Idle ones are closed: kept, they would make SQLite believe that this process has its parent's locks.
        """
        self._lock = threading.Lock()
        connections, self._connections = self._connections, None
        if connections is not None:
            connections.close(seconds=0)
            _abandoned.append(connections)

    def _current(self) -> Connections:
        with self._lock:
            if self._connections is not None and not self._connections.is_current:
                self._connections.close()
                self._connections = None
            if self._connections is None:
                self._connections = self._open()
            return self._connections

    def _open(self) -> Connections:
        with translated(self.path):
            if not self._makes and not self.path.exists():
                raise JournalUnavailable(f"there is no journal {self.path}", "It was deleted, or is not there yet.")
            make_folder(self.path.parent)
            with folder_lock(self.path.parent):
                try:
                    if not is_new(self.path) or not self._makes:
                        return Connections(self.path, self._project)
                except JournalBroken as error:
                    self._keep(error)
                    self._notice = set_aside(self.path, str(error))
                make_file(self.path)
                make_journal(self.path, self._project, self._notice)
                self._notice = ""
                return Connections(self.path, self._project)

    def _keep(self, error: JournalBroken) -> None:
        if not self._makes:
            raise JournalUnavailable(f"the journal {self.path} is broken: {error}", "Import it again.") from error

    def _retire(self, connections: Connections, reason: str) -> None:
        """Set a broken file aside, unless another thread or process has done so."""
        with self._lock, translated(self.path), folder_lock(self.path.parent):
            if connections.in_place:
                self._notice = set_aside(self.path, reason)


# A connection cannot be carried over a fork: used there it breaks the log, closed while in use it may do so.
# Merely forgotten, it leaves the child's SQLite believing that it holds the parent's locks, so that new
# connections take none. Hence none is open at a fork.

_files: weakref.WeakSet[JournalFile] = weakref.WeakSet()
_forking: list[JournalFile] = []
_abandoned: list[Connections] = []  # never collected, since that would close them


def _before_fork() -> None:
    for file in list(_files):
        if file._lock.acquire(timeout=CLOSE_SECONDS):
            _forking.append(file)
            if file._connections is not None:
                file._connections.close()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop()._lock.release()


def _after_fork_in_child() -> None:
    _forking.clear()
    for file in list(_files):
        file.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
