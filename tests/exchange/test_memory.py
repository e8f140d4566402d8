"""What is taken away and brought in is never in memory as a whole."""

import io
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from livesignals.exchange import jsonl, recordings
from livesignals.exchange.formats import FORMATS
from tests.exchange.building import many

EVENTS = 60_000
MIB = 2**20

pytestmark = pytest.mark.timeout(600)


def most_bytes(pieces: Iterable[object]) -> int:
    """The most memory that was in use while *pieces* were made."""
    tracemalloc.start(1)
    try:
        for _ in pieces:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FORMATS)
def test_a_long_file_is_written_in_a_few_megabytes(name: str) -> None:
    """The files have some 45 MB."""
    assert most_bytes(FORMATS[name].write(many(EVENTS))) < 4 * MIB


class _Endless(io.RawIOBase):
    """A line that does not end for a gigabyte."""

    left = 2**30

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = min(len(view), self.left)
        view[:count] = b"x" * count
        self.left -= count
        return count


def test_a_line_without_an_end_is_not_kept() -> None:
    """It is told once, with nothing of it in memory."""
    assert most_bytes(jsonl.read(io.BufferedReader(_Endless(), 65_536))) < 8 * MIB


def test_an_import_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is read goes into the recording in batches."""
    monkeypatch.setenv("LIVESIGNALS_JOURNAL", f"sqlite:///{tmp_path / 'journal.sqlite3'}")
    lines = (jsonl.Line(number, event) for number, event in enumerate(many(30_000), start=1))

    def pieces() -> Iterable[object]:
        yield recordings.bring_in("big", lines, source="big.jsonl")

    assert most_bytes(pieces()) < 24 * MIB
    assert recordings.describe("big").events == 30_000
