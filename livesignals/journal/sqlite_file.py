"""The file of an SQLite journal: is it ours, is it whole; making it, and setting a broken one aside.

Everything here happens under a lock on the folder, so that of several processes that find the same fault
one acts and the others see what it did.
"""

import logging
import os
import re
import stat
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw

from livesignals.exceptions import JournalBroken, JournalForeign, JournalUnavailable
from livesignals.journal.sqlite_rows import APPLICATION_ID

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger("livesignals")

LOCK_SECONDS = 2.0
PRIVATE_FOLDER = ".livesignals"
ELSEWHERE = 'Name another file in LIVESIGNALS["JOURNAL"] or the environment variable LIVESIGNALS_JOURNAL.'

_MAGIC = b"SQLite format 3\0"
#: Only a file whose name says that it is a database is taken for a broken one.
_SUFFIXES = (".sqlite3", ".sqlite", ".db")
_COMPANIONS = ("-wal", "-shm", "-journal")
#: Of the files that were set aside the newest stay, for who wants to know what broke them.
KEPT_ASIDE = 3

Identity = tuple[int, int]  # device and inode


def identity(path: Path) -> Identity | None:
    """Which file is at *path* now; None when none is. An open file's inode is not given to another."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def make_folder(folder: Path) -> None:
    """The folder with all above it, for this user alone; what git should not see says so itself."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.name == PRIVATE_FOLDER:
        (folder / ".gitignore").write_text("*\n")


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Exclude other processes, and other threads, for as long as it takes to open a journal.

    Windows is left out: there a file that another process has open cannot be renamed anyway.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise JournalUnavailable(
                        f"another process keeps the folder {folder} locked",
                        "Look for a process of this project that hangs, and end it.",
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def is_new(path: Path) -> bool:
    """Whether a journal has yet to be made at *path*; False when one is there already.

    Only the file's first 100 bytes are read, since a connection may write to what it opens. A journal
    has our mark there from its first transaction on. They are read through SQLite's own file layer: to close
    a file of Python's would drop the locks that connections of this process hold on it.

    Raises `JournalForeign` for someone else's database, `JournalBroken` for anything that is none.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise JournalUnavailable(f"the journal {path} is not a file", ELSEWHERE)
    if not path.exists() or path.stat().st_size == 0:
        if any(companion.exists() for companion in _companions(path)):
            raise JournalBroken("the file was emptied or deleted, what SQLite keeps beside it was not")
        return True
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0]
    file = apsw.VFSFile("", str(path), flags)
    try:
        header = file.xRead(min(100, path.stat().st_size), 0)
    finally:
        file.xClose()
    if len(header) < 100 or not header.startswith(_MAGIC):
        if path.suffix not in _SUFFIXES:
            # A mistyped setting may name anything, manage.py too.
            raise JournalForeign(f"{path} is not a journal; it was left as it is", ELSEWHERE)
        raise JournalBroken("it is not an SQLite file")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise JournalForeign(f"{path} is an SQLite database of something else; it was left as it is", ELSEWHERE)
    return False


def make_file(path: Path) -> None:
    """An empty file that no other user can read; SQLite gives its companions the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def set_aside(path: Path, reason: str) -> str:
    """Rename a broken file and its companions, and delete the oldest of such. Returns what readers are to be told."""
    moment = datetime.now(UTC)
    aside = path.with_name(f"{path.name}.broken-{moment:%Y%m%dT%H%M%S.%fZ}")
    for companion in (path, *_companions(path)):
        if companion.exists():
            companion.rename(aside.with_name(aside.name + companion.name.removeprefix(path.name)))
    told = (
        f"The journal {path.name} was broken ({reason}). It was set aside as {aside.name} "
        f"and a new one begun at {moment:%Y-%m-%d %H:%M:%S} UTC."
    )
    deleted = _delete_oldest(path)
    logger.warning(
        "livesignals: %s The newest %d that were set aside are kept; older ones deleted: %d.", told, KEPT_ASIDE, deleted
    )
    return told


def _delete_oldest(path: Path) -> int:
    """Of the files that were set aside from *path*. How many, without their companions."""
    name = re.compile(rf"{re.escape(path.name)}\.broken-(\d{{8}}T\d{{6}}\.\d{{6}}Z)({'|'.join(_COMPANIONS)})?")
    aside: defaultdict[str, list[Path]] = defaultdict(list)
    for file in path.parent.iterdir():
        if found := name.fullmatch(file.name):
            aside[found[1]].append(file)
    deleted = 0
    for moment in sorted(aside)[:-KEPT_ASIDE]:
        with suppress(OSError):  # what cannot be deleted must not keep a new journal from being begun
            for file in aside[moment]:
                file.unlink()
            deleted += 1
    return deleted


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in _COMPANIONS]
