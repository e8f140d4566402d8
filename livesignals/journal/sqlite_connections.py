"""The connections of this process to one file of an SQLite journal.

One writer, guarded by a lock and used for one transaction at a time; a pool of readers, each in a read
transaction of its own; one connection that only watches. SQLite is never in use outside the three context
managers below: that is what lets `Connections.close` make a fork safe.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from livesignals.exceptions import JournalBroken, JournalBusy, JournalForeign, JournalUnavailable
from livesignals.journal.sqlite_file import ELSEWHERE, identity
from livesignals.journal.sqlite_rows import FORMAT_VERSION, TABLE_NAMES, create_tables

BUSY_MS = 2_000
CACHE_KIB = 8_192
WAL_BYTES = 16 * 2**20  # what a write-ahead log that grew is cut back to
CLOSE_SECONDS = 1.0


class Superseded(Exception):
    """These connections are no longer the journal's. Open it anew and try again."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Say SQLite's and the system's errors in ours, and what is wrong with an event that is read."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, msgspec.MsgspecError) as error:
        raise JournalBroken(str(error)) from error
    except apsw.SQLError as error:
        if "malformed JSON" not in str(error):
            raise
        raise JournalBroken(str(error)) from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", 0) != apsw.SQLITE_IOERR_SHORT_READ:  # else it ends where it should go on
            raise _unusable(path, error) from error
        raise JournalBroken(str(error)) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise JournalBusy(
            f"another process keeps the journal {path} locked ({error})",
            "It is tried again. If it stays so, look for a process that hangs, or a tool that has it open.",
        ) from error
    except apsw.FullError as error:
        raise JournalUnavailable(
            f"there is no space left for the journal {path} ({error})",
            f"Free some space on its disk. {ELSEWHERE}",
        ) from error
    except (
        apsw.CantOpenError,
        apsw.NoMemError,
        apsw.PermissionsError,
        apsw.ProtocolError,
        apsw.ReadOnlyError,
    ) as error:
        raise _unusable(path, error) from error
    except OSError as error:
        raise JournalUnavailable(
            f"the journal {path} cannot be opened ({error.strerror or error}: {error.filename or path})",
            f"The user of this process must be able to make the file and its folder. {ELSEWHERE}",
        ) from error


def _unusable(path: Path, error: apsw.Error) -> JournalUnavailable:
    return JournalUnavailable(
        f"the journal {path} cannot be used ({error})",
        f"The user of this process must be able to write to the file and its folder. {ELSEWHERE}",
    )


def make_journal(path: Path, project: str, notice: str) -> None:
    """Turn the empty file at *path* into a journal.

    WAL comes last: until then SQLite writes to the file itself, so the mark in its header is in place
    before anybody else can see that the file is not empty.
    """
    connection = _connect(path)
    try:
        with _transaction(connection, "EXCLUSIVE"):
            create_tables(connection, project, notice)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


@contextmanager
def _transaction(connection: apsw.Connection, mode: str) -> Iterator[None]:
    """What ``with connection`` does too, but holding the interpreter's lock while it waits or writes."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MS)
    # Only a commit and a last, orderly close write the log back into the file.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.execute(
        f"PRAGMA synchronous = NORMAL; PRAGMA cache_size = -{CACHE_KIB};"
        f"PRAGMA journal_size_limit = {WAL_BYTES}; PRAGMA temp_store = MEMORY"
    ).fetchall()  # a pragma that answers would keep those behind it from being run
    return connection


def _connect_reader(path: Path) -> apsw.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA query_only = 1")
    return connection


_register: Callable[[apsw.Connection], None] | None = None


def provide(register: Callable[[apsw.Connection], None]) -> None:
    """Have *register* bring to each reader what SQL of filters calls.

    Who searches provides it. Who writes reads figures and no more, on a thread that must import nothing which the
    project's own threads may be importing: two imports that wait for each other fail.
    """
    global _register
    _register = register


class Connections:
    """Raises `JournalBroken` or `JournalForeign` when the file is not this project's whole journal."""

    def __init__(self, path: Path, project: str) -> None:
        self.path = path
        self.closed = False
        self._is_stale = False
        self._identity = identity(path)
        self._size = path.stat().st_size
        self._writing = threading.Lock()
        self._watching = threading.Lock()
        self._pool = threading.Condition()
        self._idle: list[apsw.Connection] = []
        self._registered: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._busy = 0
        with translated(path):
            self._writer = _connect(path)
            self._watch: apsw.Connection | None = None  # opened when it is first asked
            try:
                self._verify(project)
            except BaseException:
                self._writer.close()
                raise

    def _verify(self, project: str) -> None:
        names = {name for (name,) in self._writer.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        owner = ""
        if "meta" in names:
            owner = self._writer.execute("SELECT value FROM meta WHERE name = 'project'").get or ""
        if owner and project and owner != project:
            raise JournalForeign(
                f"the journal {self.path} belongs to the project {owner!r}, and this is {project!r}",
                ELSEWHERE,
            )
        version = self._writer.pragma("user_version")
        if version > FORMAT_VERSION:
            # Setting it aside would start a fight with the process that made it.
            raise JournalUnavailable(
                f"the journal {self.path} has format {version}, this livesignals knows {FORMAT_VERSION}",
                "Another process of the project runs a newer livesignals: restart this one.",
            )
        if version < FORMAT_VERSION:
            raise JournalBroken(f"its format is {version}, this livesignals needs {FORMAT_VERSION}")
        if not names >= TABLE_NAMES:
            raise JournalBroken(f"it has no table {', '.join(sorted(TABLE_NAMES - names))}")

    @property
    def in_place(self) -> bool:
        """Whether the path still leads to the file that is open."""
        return identity(self.path) == self._identity

    @property
    def is_current(self) -> bool:
        """`in_place`, to be written to if it can be, and not cut short, which SQLite itself would notice late."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        shrunk, self._size = status.st_size < self._size, status.st_size
        return not (self.closed or self._is_stale or shrunk) and (status.st_dev, status.st_ino) == self._identity

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """The writer, in a transaction of its own from the first statement on."""
        with self._writing:
            if self.closed:
                raise Superseded
            try:
                with translated(self.path), _transaction(self._writer, "IMMEDIATE"):
                    yield self._writer
            except JournalUnavailable:
                # Opened while the file could not be written to, it would stay so for good.
                self._is_stale = self._writer.readonly("main")
                raise
            finally:
                if self.closed:
                    self._writer.close()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A reader that sees one moment of the journal. Be short: meanwhile the log cannot start over."""
        with self._pool:
            if self.closed:
                raise Superseded
            self._busy += 1
            connection = self._idle.pop() if self._idle else None
        try:
            with translated(self.path):
                if connection is None:
                    connection = _connect_reader(self.path)
                if _register is not None and connection not in self._registered:
                    _register(connection)
                    self._registered.add(connection)
                with _transaction(connection, "DEFERRED"):
                    yield connection
        finally:
            with self._pool:
                self._busy -= 1
                if connection is not None:
                    if self.closed:
                        connection.close()
                    else:
                        self._idle.append(connection)
                self._pool.notify_all()

    def data_version(self) -> int:
        """A number that changes with every commit of any other connection, in any process."""
        with self._watching:
            if self.closed:
                raise Superseded
            with translated(self.path):
                if self._watch is None:
                    self._watch = _connect_reader(self.path)
                return self._watch.pragma("data_version")  # type: ignore[no-any-return]

    def close(self, *, seconds: float = CLOSE_SECONDS, tidy: bool = False) -> None:
        """Close what is not in use within *seconds*; who uses the rest closes it when done.

        *tidy*: if this is the last connection of all processes, write the log back and remove it.
        """
        tidy = tidy and not self.closed
        self.closed = True
        if self._pool.acquire(timeout=seconds):
            self._pool.wait_for(lambda: not self._busy, seconds)
            while self._idle:
                self._idle.pop().close()
            self._pool.release()
        if self._watching.acquire(timeout=seconds):
            if self._watch is not None:
                self._watch.close()
            self._watching.release()
        if self._writing.acquire(timeout=seconds):
            if tidy and self.in_place:
                self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
            self._writer.close()
            self._writing.release()
