"""Recordings: journals of their own, made whole or not at all, and never mixed with what happens now."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from livesignals.events import Event, encode
from livesignals.exceptions import JournalUnavailable, RecordingError
from livesignals.exchange import jsonl, recordings
from livesignals.exchange.reading import retained, within
from livesignals.filters import FilterError, parse
from livesignals.journal import open_journal
from tests.exchange import building
from tests.journal.building import Sender, assert_balanced, make_event, make_events


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the recordings of a test are."""
    monkeypatch.setenv("LIVESIGNALS_JOURNAL", f"sqlite:///{tmp_path / 'journal.sqlite3'}")
    return tmp_path / "recordings"


def lines(events: list[Event]) -> Iterator[jsonl.Line]:
    return jsonl.read(io.BytesIO("".join(jsonl.write(events)).encode()))


def bring_in(name: str, events: list[Event], *, replaces: bool = False) -> recordings.Imported:
    return recordings.bring_in(name, lines(events), source="file.jsonl", replaces=replaces)


def without_place(events: list[Event]) -> list[Event]:
    """Without what a journal gives."""
    return [replace(event, epoch="", id=0) for event in events]


def refuse(gap: str) -> None:
    raise AssertionError(gap)


def test_what_was_exported_and_imported_is_exported_the_same(tmp_path: Path) -> None:
    """From journal to file to recording to file: the same events in the same order, under new ids."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(building.events, min_size=1, max_size=8))
    def same(events: list[Event]) -> None:
        journal = open_journal("memory:", project="", retain_events=1_000, retain_bytes=2**28)
        Sender(journal).append(events)
        exported = list(retained(journal, parse(""), tell=refuse))
        bring_in("same", exported, replaces=True)
        recording = recordings.open_recording("same")
        again = list(retained(recording, parse(""), tell=refuse))
        assert without_place(again) == without_place(exported)
        assert [event.id for event in again] == list(range(1, len(events) + 1))
        assert {event.epoch for event in again}.isdisjoint({event.epoch for event in exported})
        assert_balanced(recording)
        recording.close()

    same()


def test_a_recording_says_what_it_is(folder: Path) -> None:
    """Its name, how many events, and from which file; and it is this user's alone to read."""
    assert bring_in("one", make_events(3)) == recordings.Imported("one", 3, 0)
    one = recordings.describe("one")
    assert (one.name, one.events, one.source, one.problem) == ("one", 3, "file.jsonl", "")
    assert recordings.names() == ["one"]
    assert (folder / "one.sqlite3").stat().st_mode & 0o77 == 0


def test_the_live_journal_is_not_touched(tmp_path: Path) -> None:
    """It is not even made."""
    bring_in("one", make_events(3))
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]


def test_a_recording_is_replaced_only_when_that_is_asked_for() -> None:
    """Whoever reads the old one goes on in the new one, which has an epoch of its own."""
    bring_in("one", make_events(3))
    reader = recordings.open_recording("one")
    before = reader.bounds()
    with pytest.raises(RecordingError, match="is a recording 'one' already"):
        bring_in("one", make_events(4))
    assert reader.bounds() == before
    bring_in("one", make_events(5), replaces=True)
    after = reader.bounds()
    assert (after.last, after.epoch != before.epoch) == (5, True)
    assert_balanced(reader)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-o", "a b", "a\n", "ü", "x" * 65, "a\0"])
def test_a_name_cannot_lead_elsewhere(name: str, folder: Path) -> None:
    """Neither to make a recording nor to open or delete one."""
    with pytest.raises(RecordingError):
        bring_in(name, make_events(1))
    with pytest.raises(RecordingError):
        recordings.open_recording(name)
    with pytest.raises(RecordingError):
        recordings.delete(name)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("source", "name"), [("/tmp/day one.jsonl", "day-one"), ("a.b.c", "a"), ("…", None), ("-", None), (".x", None)]
)
def test_a_recording_is_named_after_its_file(source: str, name: str | None) -> None:
    """Or after the time, when the file's name is none for a recording."""
    given_name = recordings.name_from(source)
    assert given_name == name if name else given_name.startswith("recording-")
    recordings.check_name(given_name, may_exist=False)


def test_an_import_that_fails_leaves_nothing(folder: Path) -> None:
    """Neither a part of a recording nor the loss of the one that was to be replaced."""
    bring_in("one", make_events(3))

    def broken() -> Iterator[jsonl.Line]:
        yield from lines(make_events(1_500))
        raise OSError("the disk went away")

    with pytest.raises(RecordingError, match="cannot be written"):
        recordings.bring_in("one", broken(), source="x", replaces=True)
    assert [path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))] == ["one.sqlite3"]
    assert recordings.describe("one").events == 3


def test_a_file_without_an_event_makes_no_recording(folder: Path) -> None:
    """It is told so."""
    with pytest.raises(RecordingError, match="No line of x is an event"):
        recordings.bring_in("one", jsonl.read(io.BytesIO(b"hello\n{}\n")), source="x")
    assert recordings.names() == []


def test_lines_that_are_left_out_are_told_and_counted() -> None:
    """The others are there, in order."""
    told: list[int] = []
    good = encode(make_event())
    file = io.BytesIO(b"\n".join([good, b"{}", good, b"x"]))
    imported = recordings.bring_in("one", jsonl.read(file), source="x", tell=lambda line: told.append(line.number))
    assert (imported.events, imported.left_out, told) == (2, 2, [2, 4])


def test_a_recording_that_is_deleted_or_broken_is_not_made_anew(folder: Path) -> None:
    """Who has it open is told; nothing appears in its place, and what is broken is left for its owner."""
    bring_in("one", make_events(3))
    reader = recordings.open_recording("one")
    assert reader.bounds().last == 3
    recordings.delete("one")
    assert list(folder.iterdir()) == []
    with pytest.raises(JournalUnavailable, match="there is no journal"):
        reader.bounds()
    assert list(folder.iterdir()) == []
    (folder / "two.sqlite3").write_bytes(b"no database" * 100)
    assert "is broken" in recordings.describe("two").problem
    assert [path.name for path in folder.iterdir()] == ["two.sqlite3"]


def test_a_range_is_part_of_a_filter() -> None:
    """By ids or times, both ends included, and of what the filter matches only."""
    events = [make_event(sender=f"s{number % 2}", ts=f"2026-01-02T03:04:{number:02d}.000000Z") for number in range(10)]
    bring_in("one", events)
    journal = recordings.open_recording("one")

    def found(text: str, first: str, last: str) -> list[int]:
        return [event.id for event in retained(journal, within(parse(text), first, last), tell=refuse)]

    assert found("", "3", "5") == [3, 4, 5]
    assert found("sender:s1 OR sender:none", "3", "") == [4, 6, 8, 10]
    assert found("", "2026-01-02T03:04:08Z", "") == [9, 10]
    assert found("sender:s0", "", "2026-01-02T03:04:03Z") == [1, 3]
    for wrong in ("x", "1 OR id:2", '1"', "2026-13-01"):
        with pytest.raises(FilterError):
            within(parse(""), wrong)
