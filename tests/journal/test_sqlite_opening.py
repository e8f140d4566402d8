"""Files that are not what a journal expects: the project goes on, and someone is told."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from livesignals.exceptions import ConfigurationError, JournalForeign, JournalUnavailable
from livesignals.journal import Journal, open_journal
from tests.journal.building import Sender, assert_balanced, make_event, make_events
from tests.journal.conftest import OpenAt


def broken_files(path: Path) -> list[Path]:
    """What was set aside, without what SQLite keeps beside it."""
    return [file for file in path.parent.glob(f"{path.name}.broken-*Z")]


class TestNewFiles:
    def test_opening_touches_nothing(self, path: Path, open_at: OpenAt) -> None:
        """A journal that is never used leaves no file."""
        open_at(path)
        assert not path.exists()

    def test_only_the_user_can_read_the_journal(self, tmp_path: Path, open_at: OpenAt) -> None:
        """The file, those SQLite keeps beside it and the new folder are private; git ignores them."""
        path = tmp_path / ".livesignals" / "journal.sqlite3"
        Sender(open_at(path)).append(make_events(1))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert modes.pop(".gitignore") is not None
        assert modes == {"journal.sqlite3": 0o600, "journal.sqlite3-wal": 0o600, "journal.sqlite3-shm": 0o600}
        assert (path.parent / ".gitignore").read_text() == "*\n"

    def test_a_folder_that_was_there_is_left_alone(self, tmp_path: Path, open_at: OpenAt) -> None:
        """No .gitignore appears in a folder that somebody else made, or that has another name."""
        there = tmp_path / "there" / ".livesignals"
        there.mkdir(parents=True)
        for folder in (there, tmp_path / "other"):
            Sender(open_at(folder / "journal.sqlite3")).append(make_events(1))
            assert not (folder / ".gitignore").exists()

    def test_an_empty_file_becomes_a_journal(self, path: Path, journal: Journal) -> None:
        """Somebody may have made it to set its owner or mode."""
        path.touch(0o640)
        Sender(journal).append(make_events(1))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert journal.notice() == ""

    def test_what_was_stored_is_there_for_the_next_process(self, path: Path, open_at: OpenAt) -> None:
        """Epoch, ids, events and figures outlive the processes."""
        first = open_at(path)
        Sender(first, "first").append(make_events(3))
        epoch, events = first.bounds().epoch, first.read(0, 10)
        first.close()
        assert sorted(file.name for file in path.parent.iterdir()) == [path.name]
        second = open_at(path)
        assert second.read(0, 10) == events
        assert Sender(second, "second").append(make_events(1)).first == 4
        assert second.bounds().epoch == epoch
        assert [report.stored for report in second.processes()] == [3, 1] or second.counts().stored == 4
        assert_balanced(second)

    @pytest.mark.parametrize(
        "url", ["", "journal.sqlite3", "sqlite:///", "sqlite://", "postgres://db", "memory"]
    )
    def test_a_url_that_names_no_journal_is_refused(self, url: str) -> None:
        """The message repeats it and the hint says what would be right."""
        with pytest.raises(ConfigurationError, match="no journal") as caught:
            open_journal(url, project="shop", retain_events=1, retain_bytes=1)
        assert repr(url) in str(caught.value)
        assert "sqlite:///" in caught.value.hint


class TestPathsThatCannotBeUsed:
    def assert_unavailable(self, journal: Journal, path: Path) -> None:
        with pytest.raises(JournalUnavailable) as caught:
            Sender(journal).append(make_events(1))
        assert str(path) in str(caught.value)
        assert "LIVESIGNALS" in caught.value.hint
        with pytest.raises(JournalUnavailable):
            journal.bounds()
        [problem] = journal.check()
        assert problem.level == "error" and str(path) in problem.message and problem.hint

    def test_a_path_below_a_file(self, tmp_path: Path, open_at: OpenAt) -> None:
        """The message names the path, the hint the setting; doctor says the same."""
        (tmp_path / "file").write_text("something")
        path = tmp_path / "file" / "folder" / "journal.sqlite3"
        self.assert_unavailable(open_at(path), path)

    def test_a_folder_in_which_no_file_can_be_made(self, open_at: OpenAt) -> None:
        """Not even by root."""
        path = Path("/proc/self/journal.sqlite3")
        if not path.parent.exists():
            pytest.skip("needs /proc")
        self.assert_unavailable(open_at(path), path.resolve())

    def test_a_path_that_is_a_folder(self, path: Path, journal: Journal) -> None:
        """It is not renamed as a broken journal would be."""
        path.mkdir()
        self.assert_unavailable(journal, path)
        assert path.is_dir()

    def test_it_works_as_soon_as_the_path_does(self, tmp_path: Path, open_at: OpenAt) -> None:
        """Nothing has to be restarted; what could not be stored may be tried again."""
        blocker = tmp_path / "folder"
        blocker.write_text("in the way")
        journal = open_at(blocker / "journal.sqlite3")
        sender = Sender(journal)
        event = make_event()
        with pytest.raises(JournalUnavailable):
            sender.append([event])
        blocker.unlink()
        sender.append([event])
        assert [stored.uid for stored in journal.read(0, 10)] == [event.uid]
        assert_balanced(journal)


class TestFullDisk:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of one megabyte."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("only root can mount a small disk, and not in every container")
        yield disk
        subprocess.run(["umount", "--lazy", str(disk)], check=True)

    def test_nothing_is_lost_or_doubled_once_there_is_space_again(
        self, small_disk: Path, open_at: OpenAt
    ) -> None:
        """A batch that did not fit was not stored at all; tried again it is stored once."""
        path = small_disk / "journal.sqlite3"
        journal = open_at(path)
        sender = Sender(journal)
        uids: list[str] = []
        batch = make_events(50)
        with pytest.raises(JournalUnavailable) as caught:
            for _ in range(200):
                sender.append(batch)
                uids += [event.uid for event in batch]
                batch = make_events(50)
        assert uids and "space" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "Free some space" in caught.value.hint
        assert [event.uid for event in journal.read(0, 100_000)] == uids
        assert_balanced(journal)
        assert [problem.level for problem in journal.check()] == ["warning"]

        subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
        sender.append(batch)
        uids += [event.uid for event in batch]
        assert [event.uid for event in journal.read(0, 100_000)] == uids
        assert_balanced(journal)

    def test_a_journal_can_begin_once_there_is_space(self, small_disk: Path, open_at: OpenAt) -> None:
        """A disk that is full from the start leaves nothing that would later pass for broken."""
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * (2**20 - 8_192))
        journal = open_at(small_disk / "journal.sqlite3")
        with pytest.raises(JournalUnavailable, match="journal"):
            Sender(journal).append(make_events(1))
        ballast.unlink()
        Sender(journal).append(make_events(1))
        assert journal.notice() == ""
        assert broken_files(small_disk / "journal.sqlite3") == []


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
    def test_a_damaged_journal_is_set_aside(
        self, path: Path, journal: Journal, damage: str, closed: bool
    ) -> None:
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

    def test_damage_that_only_a_reader_meets_is_dealt_with_by_the_reader(
        self, path: Path, open_at: OpenAt
    ) -> None:
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

    def test_two_processes_that_find_the_same_fault_set_one_file_aside(
        self, path: Path, open_at: OpenAt
    ) -> None:
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

    def test_a_journal_of_a_newer_format_is_left_to_newer_processes(
        self, path: Path, journal: Journal
    ) -> None:
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
        assert reader.changed() and not reader.changed()
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
        assert "/srv/shop" in str(caught.value) and "/srv/blog" in str(caught.value)
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
    def test_the_database_of_something_else_is_never_touched(
        self, path: Path, journal: Journal, mode: str
    ) -> None:
        """Neither written nor renamed, and nothing is put beside it."""
        database = apsw.Connection(str(path))
        database.execute(
            f"PRAGMA journal_mode = {mode}; CREATE TABLE orders (id); INSERT INTO orders VALUES (7)"
        ).fetchall()
        before = {file: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}
        for use in (lambda: Sender(journal).append(make_events(1)), journal.counts, journal.clear):
            with pytest.raises(JournalForeign) as caught:
                use()
            assert str(path) in str(caught.value) and "LIVESIGNALS" in caught.value.hint
        assert {file: file.read_bytes() for file in before} == before
        assert broken_files(path) == []
        assert database.execute("SELECT id FROM orders").get == 7
        database.close()
