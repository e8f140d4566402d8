"""Files that are not, or no longer, the journal that they should be."""

import os
from pathlib import Path

import apsw
import pytest

from livesignals.exceptions import JournalForeign, JournalUnavailable
from livesignals.journal import Journal
from tests.journal.building import Sender, assert_balanced, make_events
from tests.journal.conftest import OpenAt


def broken_files(path: Path) -> list[Path]:
    """What was set aside, without what SQLite keeps beside it."""
    return list(path.parent.glob(f"{path.name}.broken-*Z"))


class TestBrokenFiles:
    def assert_begun_anew(self, path: Path, journal: Journal, was_epoch: str = "") -> None:
        """A new journal works, tells why it is new, and the broken one is beside it."""
        [aside] = broken_files(path)
        assert aside.name in journal.notice()
        assert path.name in journal.notice()
        assert journal.bounds().epoch != was_epoch
        assert journal.check()[0].level == "warning"
        assert_balanced(journal)

    def test_a_text_file_is_set_aside(self, path: Path, journal: Journal) -> None:
        """With its content."""
        path.write_text("not a journal\n")
        Sender(journal).append(make_events(2))
        self.assert_begun_anew(path, journal)
        assert broken_files(path)[0].read_text() == "not a journal\n"
        assert journal.counts().stored == 2

    @pytest.mark.parametrize("closed", [True, False], ids=["between two processes", "while it is open"])
    @pytest.mark.parametrize("damage", ["cut in half", "cut short", "overwritten", "emptied", "another text"])
    def test_a_damaged_journal_is_set_aside(self, path: Path, journal: Journal, damage: str, closed: bool) -> None:
        """The next batch is stored in a new one; the figures stay true."""
        sender = Sender(journal)
        for _ in range(20):
            sender.append(make_events(100))
        epoch = journal.bounds().epoch
        journal.close()  # all of it is in the file now
        if not closed:
            sender.append(make_events(1))
        size = path.stat().st_size
        match damage:
            case "cut in half":
                os.truncate(path, size // 2)
            case "cut short":
                os.truncate(path, 60)
            case "overwritten":
                with path.open("r+b") as file:
                    file.write(b"\xff" * (size - 1))
                os.truncate(path, size - 1)
            case "emptied":
                os.truncate(path, 0)
            case "another text":
                path.write_text("not a journal\n")
        if damage == "cut in half":
            journal.read(0, 100_000)  # what is missing is noticed when it is looked for
        sender.append(make_events(3))
        if damage == "emptied" and closed:
            assert journal.bounds().epoch != epoch  # an empty file with nothing beside it is no fault
        else:
            self.assert_begun_anew(path, journal, epoch)
        assert journal.counts().stored == 3
        assert journal.counts().dropped == {"stored in another journal": sender.stored - 3}

    def test_damage_that_only_a_reader_meets_is_dealt_with_by_the_reader(self, path: Path, open_at: OpenAt) -> None:
        """Readers do not wait for the next writer."""
        journal = open_at(path)
        sender = Sender(journal)
        for _ in range(20):
            sender.append(make_events(100))
        epoch = journal.bounds().epoch
        journal.close()
        with path.open("r+b") as file:
            file.seek(100_000)
            file.write(b"\xff" * 500_000)
        assert journal.read(0, 100_000) == []
        self.assert_begun_anew(path, journal, epoch)

    def test_what_was_left_beside_a_deleted_file_is_set_aside(self, path: Path, journal: Journal) -> None:
        """A write-ahead log of another file would break the new one."""
        Sender(journal).append(make_events(3))
        path.unlink()
        Sender(journal, "next").append(make_events(1))
        assert journal.counts().retained == 1
        assert list(path.parent.glob("*.broken-*-wal"))
        assert_balanced(journal)

    def test_two_processes_that_find_the_same_fault_set_one_file_aside(self, path: Path, open_at: OpenAt) -> None:
        """The second takes the journal that the first began."""
        one, two = open_at(path), open_at(path)
        Sender(one, "one").append(make_events(1))
        Sender(two, "two").append(make_events(1))
        path.write_text("garbage")
        Sender(one, "three").append(make_events(1))
        Sender(two, "four").append(make_events(1))
        assert len(broken_files(path)) == 1
        assert one.bounds() == two.bounds()
        assert one.counts().stored == 2

    def test_the_newest_three_are_kept(self, path: Path, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
        """What breaks a file again and again does not fill the disk; what was not set aside from it stays."""
        beside = path.with_name("other.sqlite3.broken-20260101T000000.000000Z")
        mine = path.with_name(f"{path.name}.broken-and-kept-by-me")
        for file in (beside, mine):
            file.touch()
        for number in range(5):
            path.write_text(f"garbage {number}")
            path.with_name(f"{path.name}-wal").write_text("garbage")
            assert journal.notice()
        kept = sorted(broken_files(path))
        assert [file.read_text() for file in kept] == [f"garbage {number}" for number in (2, 3, 4)]
        assert len(list(path.parent.glob(f"{path.name}.broken-*Z-wal"))) == 3
        assert beside.exists()
        assert mine.exists()
        ends = [record.getMessage().partition("set aside are kept; ")[2] for record in caplog.records]
        assert ends == [f"older ones deleted: {number}." for number in (0, 0, 0, 1, 1)]

    def test_clear_forgets_the_notice(self, path: Path, journal: Journal) -> None:
        """Who cleared the journal has seen it."""
        path.write_text("garbage")
        assert journal.notice()
        journal.clear()
        assert journal.notice() == ""

    def test_a_journal_of_an_older_format_is_set_aside(self, path: Path, journal: Journal) -> None:
        """It is disposable; nothing is converted."""
        Sender(journal).append(make_events(1))
        journal.close()
        database = apsw.Connection(str(path))
        database.execute("PRAGMA user_version = 0")
        database.close()
        assert journal.read(0, 10) == []
        self.assert_begun_anew(path, journal)

    def test_a_journal_of_a_newer_format_is_left_to_newer_processes(self, path: Path, journal: Journal) -> None:
        """Two versions that run side by side do not set aside each other's files for ever."""
        Sender(journal).append(make_events(1))
        journal.close()
        database = apsw.Connection(str(path))
        database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(JournalUnavailable, match="format 99") as caught:
            journal.read(0, 10)
        assert "restart" in caught.value.hint
        assert broken_files(path) == []


class TestReplacedFiles:
    @pytest.mark.parametrize("how", ["deleted", "all deleted", "replaced by another journal"])
    def test_writing_goes_on_in_the_file_that_is_there(self, path: Path, open_at: OpenAt, how: str) -> None:
        """Never into one that nobody can find any more; a reader notices by the epoch."""
        journal, reader = open_at(path), open_at(path)
        sender = Sender(journal)
        sender.append(make_events(5))
        epoch = reader.bounds().epoch
        assert reader.changed()
        assert not reader.changed()
        match how:
            case "deleted":
                path.unlink()
            case "all deleted":
                for file in path.parent.glob("journal.sqlite3*"):
                    file.unlink()
            case _:
                other = open_at(path.with_name("other.sqlite3"))
                Sender(other, "other").append(make_events(1))
                other.close()
                for file in path.parent.glob("journal.sqlite3-*"):
                    file.unlink()
                path.with_name("other.sqlite3").rename(path)
        sender.append(make_events(2))
        assert reader.changed()
        assert reader.bounds() == journal.bounds()
        assert reader.bounds().epoch != epoch
        assert reader.counts().dropped == {"stored in another journal": 5}
        assert_balanced(reader)


class TestForeignFiles:
    def test_a_journal_of_another_project_is_refused(self, path: Path, open_at: OpenAt) -> None:
        """The message names both projects; nothing is written."""
        Sender(open_at(path, project="/srv/shop")).append(make_events(1))
        other = open_at(path, project="/srv/blog")
        with pytest.raises(JournalForeign) as caught:
            Sender(other).append(make_events(1))
        assert "/srv/shop" in str(caught.value)
        assert "/srv/blog" in str(caught.value)
        assert "LIVESIGNALS" in caught.value.hint
        with pytest.raises(JournalForeign):
            other.counts()
        assert [problem.level for problem in other.check()] == ["error"]
        assert open_at(path, project="/srv/shop").counts().stored == 1

    def test_a_journal_may_be_opened_by_who_says_no_project(self, path: Path, open_at: OpenAt) -> None:
        """For tools that only look."""
        Sender(open_at(path, project="/srv/shop")).append(make_events(1))
        assert open_at(path, project="").counts().stored == 1

    @pytest.mark.parametrize("mode", ["delete", "wal"])
    def test_the_database_of_something_else_is_never_touched(self, path: Path, journal: Journal, mode: str) -> None:
        """Neither written nor renamed, and nothing is put beside it."""
        database = apsw.Connection(str(path))
        database.execute(
            f"PRAGMA journal_mode = {mode}; CREATE TABLE orders (id); INSERT INTO orders VALUES (7)"
        ).fetchall()
        before = {file: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
        for use in (lambda: Sender(journal).append(make_events(1)), journal.counts, journal.clear):
            with pytest.raises(JournalForeign) as caught:
                use()
            assert str(path) in str(caught.value)
            assert "LIVESIGNALS" in caught.value.hint
        assert {file: file.read_bytes() for file in before} == before
        assert broken_files(path) == []
        assert database.execute("SELECT id FROM orders").get == 7
        database.close()
