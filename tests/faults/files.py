"""What may happen to a file and to its disk."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
LOCK = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(10_000)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By another process, which does nothing else."""
    command = [sys.executable, "-c", LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.communicate("\n")


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 MB at a folder, and a file that fills what is left of it."""
    _sh("mount", "-t", "tmpfs", "-o", "size=64m", "none", folder)
    try:
        yield folder / "filler"
    finally:
        _sh("umount", "-l", folder)


def fill(filler: Path) -> None:
    """Until not one byte more can be written."""
    with filler.open("ab", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """For processes that open a file from now on, whoever they are."""
    if AS_ROOT:
        _sh("mount", "--bind", folder, folder)
        _sh("mount", "-o", "remount,bind,ro", folder)
    else:
        for path in (folder, *folder.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        if AS_ROOT:
            _sh("umount", "-l", folder)
        else:
            for path in (folder, *folder.iterdir()):
                path.chmod(0o755 if path.is_dir() else 0o644)


def _sh(*command: str | Path) -> None:
    subprocess.run(command, check=True)
