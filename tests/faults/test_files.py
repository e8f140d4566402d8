"""An SQLite file that is taken away, or a disk that is, while processes write and read."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Scene, wait_until

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

LOCK = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(10_000)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


def sh(*command: str | Path) -> None:
    subprocess.run(command, check=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By another process, which does nothing else."""
    command = [sys.executable, "-c", LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield
        holder.communicate("\n")


def delete(scene: Scene) -> None:
    scene.path.unlink()


def delete_all(scene: Scene) -> None:
    for file in scene.path.parent.glob("journal.sqlite3*"):
        file.unlink()


def delete_folder(scene: Scene) -> None:
    sh("rm", "-r", scene.path.parent)


def flip(path: Path, first: int, last: int) -> None:
    """Every bit of a part of a file."""
    with path.open("r+b") as file:
        file.seek(first)
        data = file.read(last - first)
        file.seek(first)
        file.write(bytes(byte ^ 0xFF for byte in data))


def flip_head(scene: Scene) -> None:
    flip(scene.path, 0, 100)


def flip_pages(scene: Scene) -> None:
    flip(scene.path, 4096, scene.path.stat().st_size)


def flip_log(scene: Scene) -> None:
    log = scene.path.with_name(f"{scene.path.name}-wal")
    flip(log, 0, log.stat().st_size)


def flip_events(scene: Scene) -> None:
    """What SQLite does not look at: a byte of each event that is stored."""
    for path in (scene.path, scene.path.with_name(f"{scene.path.name}-wal")):
        data = path.read_bytes()
        for place in (found.start() for found in re.finditer(b'"sender"', data)):
            flip(path, place, place + 1)


def cut_short(scene: Scene) -> None:
    os.truncate(scene.path, 5_000)


HARMS = (delete, delete_all, delete_folder, flip_head, flip_pages, flip_log, flip_events, cut_short)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_file_that_is_harmed(scene: Scene, harm: Callable[[Scene], None]) -> None:
    """Writers go on, in a new file where there is no other way; what was in the old one is told as stored elsewhere."""
    scene.start()
    harm(scene)
    scene.wait_for_sends(1_500)
    events = scene.settle()
    counts = scene.journal.counts()
    assert set(counts.dropped) <= {"stored in another journal"}
    assert events[-1].id == len(events) == counts.retained
    for shown in scene.readers[0].lists[1:]:
        assert [notice["notice"] for notice in shown.notices][-1] == "epoch"


def test_a_file_that_is_locked_by_another_process(scene: Scene) -> None:
    """For longer than a writer waits at once: nothing is lost, and the reader goes on by itself."""
    scene.start()
    with locked(scene.path):
        at = [writer.sent for writer in scene.writers]
        scene.wait_for_sends(3_000)
    assert all(writer.sent > before for writer, before in zip(scene.writers, at, strict=True))
    scene.settle()
    assert scene.journal.counts().dropped == {}
    assert len(scene.readers[0].lists) == 1


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 MB at a folder, and a file that fills what is left of it."""
    sh("mount", "-t", "tmpfs", "-o", "size=64m", "none", folder)
    try:
        yield folder / "filler"
    finally:
        sh("umount", "-l", folder)


def fill(filler: Path) -> None:
    """Until not one byte more can be written."""
    with filler.open("ab", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount a small disk")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Sends wait, then are dropped with the reason, and counted; with space again all goes on by itself."""
    (tmp_path / "journal").mkdir()
    with small_disk(tmp_path / "journal") as filler, Scene(tmp_path) as scene:
        scene.start()
        fill(filler)
        writer = scene.write(20_000)
        wait_until(lambda: writer.sent > 45_000, "more sends than are buffered")
        filler.unlink()
        scene.settle()
        dropped = scene.journal.counts().dropped
        assert "journal unavailable" in dropped
        assert len(scene.readers[0].lists) == 1


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """For processes that open a file from now on, whoever they are."""
    if AS_ROOT:
        sh("mount", "--bind", folder, folder)
        sh("mount", "-o", "remount,bind,ro", folder)
    else:
        for path in (folder, *folder.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        if AS_ROOT:
            sh("umount", "-l", folder)
        else:
            for path in (folder, *folder.iterdir()):
                path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_file_that_is_read_only(scene: Scene) -> None:
    """Who has it open writes on; who comes later waits, and drops what does not fit."""
    scene.start()
    with read_only(scene.path.parent):
        late = scene.write(20_000)
        wait_until(lambda: late.sent > 25_000, "more sends than are buffered")
        scene.wait_for_sends(500)
    events = scene.settle()
    (report,) = (report for report in scene.journal.processes() if report.pid == late.process.pid)
    assert "journal unavailable" in report.dropped
    assert report.stored >= 20_000
    assert events[-1].id == len(events)
    assert len(scene.readers[0].lists) == 1
