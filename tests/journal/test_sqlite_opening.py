"""Where a journal is made, and where none can be: the project goes on, and someone is told."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livesignals.exceptions import ConfigurationError, JournalForeign, JournalUnavailable
from livesignals.journal import Journal, open_journal
from tests.journal.building import Sender, assert_balanced, make_event, make_events
from tests.journal.conftest import OpenAt


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
        assert {report.process: report.stored for report in second.processes()} == {"first": 3, "second": 1}
        assert_balanced(second)

    @pytest.mark.parametrize("url", ["", "journal.sqlite3", "sqlite:///", "sqlite://", "postgres://db", "memory"])
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
        assert problem.level == "error"
        assert str(path) in problem.message
        assert problem.hint

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

    def test_a_file_that_is_named_by_mistake_is_left_as_it_is(self, tmp_path: Path, open_at: OpenAt) -> None:
        """JOURNAL may name anything, a program of the project's too: what is no database by name is not renamed."""
        program = tmp_path / "manage.py"
        program.write_text("print('mine')\n" * 20)
        with pytest.raises(JournalForeign, match=r"manage\.py is not a journal"):
            open_at(program).bounds()
        assert program.read_text().startswith("print('mine')")

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
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root can mount a small disk, and not in every container")
        yield disk
        subprocess.run(["umount", "--lazy", str(disk)], check=True)

    def test_nothing_is_lost_or_doubled_once_there_is_space_again(self, small_disk: Path, open_at: OpenAt) -> None:
        """A batch that did not fit was not stored at all; tried again it is stored once."""
        path = small_disk / "journal.sqlite3"
        journal = open_at(path)
        sender = Sender(journal)
        uids: list[str] = []
        batch = make_events(50)

        def fill() -> None:
            nonlocal batch
            for _ in range(200):
                sender.append(batch)
                uids.extend(event.uid for event in batch)
                batch = make_events(50)

        with pytest.raises(JournalUnavailable) as caught:
            fill()
        assert uids
        assert "space" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "Free some space" in caught.value.hint
        assert [event.uid for event in journal.read(0, 100_000)] == uids
        assert_balanced(journal)
        assert [problem.level for problem in journal.check()] == ["error"]

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
        assert list(small_disk.glob("*.broken-*")) == []
