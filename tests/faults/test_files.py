"""An SQLite file that is taken away, or a disk that is, while processes write and read."""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Scene, wait_until
from tests.faults.files import AS_ROOT, fill, locked, read_only, small_disk


def delete(scene: Scene) -> None:
    scene.path.unlink()


def delete_all(scene: Scene) -> None:
    for file in scene.path.parent.glob("journal.sqlite3*"):
        file.unlink(missing_ok=True)


def delete_folder(scene: Scene) -> None:
    scene.path.parent.rename(scene.folder / "deleted")  # at one go: writers make it anew at once


def flip(path: Path, places: Callable[[bytes], Iterable[int]]) -> None:
    """Every bit at some places of a file, unless somebody has set it aside."""
    with suppress(FileNotFoundError), path.open("r+b") as file:
        data = bytearray(file.read())
        for place in places(bytes(data)):
            data[place] ^= 0xFF
        file.seek(0)
        file.write(data)


def log_of(scene: Scene) -> Path:
    return scene.path.with_name(f"{scene.path.name}-wal")


def flip_head(scene: Scene) -> None:
    flip(scene.path, lambda data: range(100))


def flip_pages(scene: Scene) -> None:
    flip(scene.path, lambda data: range(4096, len(data)))


def flip_log(scene: Scene) -> None:
    flip(log_of(scene), lambda data: range(len(data)))


def flip_events(scene: Scene) -> None:
    """What SQLite does not look at: a byte of each event that is stored."""
    for path in (scene.path, log_of(scene)):
        flip(path, lambda data: [found.start() for found in re.finditer(b'"sender"', data)])


def cut_short(scene: Scene) -> None:
    with suppress(FileNotFoundError):
        os.truncate(scene.path, 5_000)


HARMS = (delete, delete_all, delete_folder, flip_head, flip_pages, flip_log, flip_events, cut_short)


def test_a_file_that_is_harmed_again_and_again(scene: Scene) -> None:
    """Writers go on, in a new file where there is no other way; what was in the old one is told as stored elsewhere."""
    scene.start()
    for harm in HARMS:
        harm(scene)
        scene.wait_for_sends(300)
        scene.recover()
    events = scene.settle()
    counts = scene.journal.counts()
    assert set(counts.dropped) <= {"stored in another journal"}
    assert events[-1].id == len(events) == counts.retained
    lists = scene.readers[0].lists
    assert len(lists) > len(HARMS) / 2
    assert [shown for shown in lists[1:] if shown.notices[0]["reason"] != "epoch reset"] == []


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
