"""The file of a search index, beside the journal's: closed segments, and what can be asked of them.

It is made from the journal by whoever reads it, never by who writes events, and can be deleted at any time: a file
that is missing, broken, of another format or of another epoch is made anew.
"""

from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import apsw
from msgspec import json

from livesignals.filters import Filter
from livesignals.filters.candidates import Candidates
from livesignals.journal.search_columns import ClosedColumn, Ends
from livesignals.journal.search_segment import OpenSegment, Segment
from livesignals.journal.sqlite_file import identity, make_file

APPLICATION_ID = 0x4C536978
FORMAT_VERSION = 1
BUSY_MS = 500
CACHE_KIB = 16_384
PAGE_BYTES = 16_384
WAL_BYTES = 4 * 2**20
#: What so many pairs of a segment and a filter gave is remembered, of at most 4 KiB each.
MAX_FOUND = 2_048

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- Sets are what int.to_bytes(…, "little") gives.
CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    everything BLOB NOT NULL, loose BLOB NOT NULL, unsettled BLOB NOT NULL, cut BLOB NOT NULL,
    is_sorted INTEGER NOT NULL, lowest INTEGER NOT NULL, highest INTEGER NOT NULL, -- µs since 1970
    names TEXT NOT NULL, -- of the columns that there are, and `Ends` of each, as JSON
    times BLOB NOT NULL
);
CREATE TABLE columns (
    segment INTEGER NOT NULL, name TEXT NOT NULL,
    key TEXT, -- what stands before a value in a line that bare words are looked for in; NULL: not looked for
    any_value BLOB NOT NULL, numbers BLOB NOT NULL, texts BLOB NOT NULL, starts BLOB NOT NULL, sets BLOB NOT NULL,
    PRIMARY KEY (segment, name)
);
"""
_decode_names = json.Decoder(dict[str, Ends | None]).decode
_SETS = "everything, loose, unsettled, cut, is_sorted, lowest, highest, names"


class SearchFile:
    """An open file. Raises `apsw.Error`; `Unfit` when it is not the index of this epoch."""

    def __init__(self, path: Path, epoch: str, *, make: bool) -> None:
        self.path = path
        self.epoch = epoch
        self._heads: dict[int, Any] = {}  # what `ClosedSegment` begins with
        self._found: dict[tuple[int, Filter], Candidates] = {}  # the pair asked for last at the end
        if make and not path.exists():
            make_file(path)
        self._identity = identity(path)
        if self._identity is None:
            raise Unfit("there is none")
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            self._connection.set_busy_timeout(BUSY_MS)
            if make and not path.stat().st_size:
                self._make()
            if self._connection.pragma("application_id") != APPLICATION_ID:
                raise Unfit("it is something else")
            if self._connection.pragma("user_version") != FORMAT_VERSION:
                raise Unfit("it has another format")
            found = self._connection.execute("SELECT value FROM meta WHERE name = 'epoch'").get
            if found != epoch:
                raise Unfit("it is of another epoch")
            self._connection.execute(
                f"PRAGMA synchronous = NORMAL; PRAGMA cache_size = -{CACHE_KIB};"
                f"PRAGMA journal_size_limit = {WAL_BYTES}; PRAGMA temp_store = MEMORY"
            ).fetchall()
        except BaseException:
            self._connection.close()
            raise

    def _make(self) -> None:
        # Large pages, since a column is read as a whole.
        self._connection.execute(f"PRAGMA page_size = {PAGE_BYTES}").fetchall()
        with self._connection:
            self._connection.execute(_TABLES)
            self._connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (self.epoch,))
            self._connection.execute(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}"
            ).fetchall()
        self._connection.execute("PRAGMA journal_mode = WAL").fetchall()

    @property
    def in_place(self) -> bool:
        """Whether the path still leads to the file that is open."""
        return identity(self.path) == self._identity

    def close(self) -> None:
        self._connection.close()

    def numbers(self) -> list[int]:
        """Of the segments that are there, ascending."""
        return [number for (number,) in self._connection.execute("SELECT number FROM segments ORDER BY number")]

    def size(self) -> int:
        """Bytes on disk."""
        return sum(
            path.stat().st_size for path in (self.path, self.path.with_name(f"{self.path.name}-wal")) if path.exists()
        )

    def segment(self, number: int) -> "ClosedSegment | None":
        head = self._heads.get(number)
        if head is None:
            row = self._connection.execute(f"SELECT {_SETS} FROM segments WHERE number = ?", (number,)).fetchone()
            if row is None:
                return None
            *sets, is_sorted, lowest, highest, names = row
            whole = [int.from_bytes(each, "little") for each in sets]
            head = self._heads[number] = (*whole, bool(is_sorted), lowest, highest, _decode_names(names))
        return ClosedSegment(self._connection, self._found, number, *head)

    def add(self, segment: "Prepared") -> None:
        """Store a segment, unless another process did."""
        connection = self._connection
        with connection:
            marks = ", ".join("?" * len(segment.head))
            connection.execute(
                f"INSERT OR IGNORE INTO segments (number, {_SETS}, times) VALUES ({marks})", segment.head
            )
            if connection.changes():
                connection.executemany("INSERT INTO columns VALUES (?, ?, ?, ?, ?, ?, ?, ?)", segment.columns)

    def forget(self, below: int) -> None:
        """Delete the segments with numbers below this one."""
        with self._connection:
            self._connection.execute("DELETE FROM columns WHERE segment < ?", (below,))
            self._connection.execute("DELETE FROM segments WHERE number < ?", (below,))
        self._heads = {number: head for number, head in self._heads.items() if number >= below}


class Prepared(NamedTuple):
    """A full segment as the rows that it is stored as."""

    head: tuple[Any, ...]
    columns: list[tuple[Any, ...]]


def prepared(segment: OpenSegment) -> Prepared:
    """Takes as long as all else together: tenths of a second."""
    sets = [
        each.to_bytes(-(-each.bit_length() // 8), "little")
        for each in (segment.everything, segment.loose, segment.unsettled, segment.cut)
    ]
    # Of a path that only leads on, the column is empty.
    columns = {name: column.close() for name, column in segment.columns.items() if any(column.places.values())}
    names = json.encode({name: stored.ends for name, stored in columns.items()}).decode()
    times = segment.times
    ends = (min(times), max(times)) if times else (0, 0)
    return Prepared(
        (segment.number, *sets, segment.is_sorted, *ends, names, times.tobytes()),
        [(segment.number, name, segment.key(name), *stored) for name, stored in columns.items()],
    )


class Unfit(Exception):
    """A file that cannot be used as it is, and why."""


class ClosedSegment(Segment):
    """A segment that was stored; columns are read when they are asked for."""

    def __init__(
        self,
        connection: apsw.Connection,
        found: dict[tuple[int, Filter], Candidates],
        number: int,
        everything: int,
        loose: int,
        unsettled: int,
        cut: int,
        is_sorted: bool,
        lowest: int,
        highest: int,
        names: dict[str, Ends | None],
    ) -> None:
        self._connection = connection
        self._found = found
        self.number = number
        self.everything, self.loose, self.unsettled, self.cut = everything, loose, unsettled, cut
        self.is_sorted, self.lowest, self.highest = is_sorted, lowest, highest
        self._names = names
        self._times: array[int] | None = None
        self._columns: dict[str, ClosedColumn] = {}

    @property
    def times(self) -> "array[int]":  # type: ignore[override]
        if self._times is None:
            blob = self._connection.execute("SELECT times FROM segments WHERE number = ?", (self.number,)).get
            self._times = array("q", blob)
        return self._times

    def candidates(self, filter: Filter) -> Candidates:
        """Kept, since facets, histogram and pages ask for the same, and again and again."""
        found = self._found.pop((self.number, filter), None) or super().candidates(filter)
        self._found[self.number, filter] = found
        if len(self._found) > MAX_FOUND:
            del self._found[next(iter(self._found))]  # asked for the longest ago
        return found

    def named(self, name: str) -> ClosedColumn | None:
        if name not in self._names:
            return None
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = ClosedColumn(partial(self._load, name), self._names[name])
        return column

    def lines(self) -> Iterator[tuple[str, ClosedColumn]]:
        rows = self._connection.execute(
            "SELECT key, name, texts FROM columns WHERE segment = ? AND key IS NOT NULL", (self.number,)
        ).fetchall()
        for key, name, texts in cast("list[tuple[str, str, bytes]]", rows):
            column = ClosedColumn(partial(self._load, name), self._names[name])
            column.texts = texts
            yield key, column

    def _load(self, name: str, part: str) -> bytes:
        statement = f"SELECT {part} FROM columns WHERE segment = ? AND name = ?"
        row = self._connection.execute(statement, (self.number, name)).fetchone()
        if row is None:
            raise Unfit(f"segment {self.number} lacks {name!r}")
        return cast("bytes", row[0])


def delete(path: Path) -> None:
    """Delete a file and what SQLite keeps beside it."""
    for ending in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + ending).unlink(missing_ok=True)
