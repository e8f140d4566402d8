"""Several processes on one SQLite journal, some of which end badly."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from livesignals.events import Event
from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Journal
from tests.journal.building import Sender, assert_balanced, make_event, make_events
from tests.journal.conftest import OpenAt

ROOT = Path(__file__).parents[2]


def start_writer(path: Path, token: str, batches: int, size: int) -> subprocess.Popen[str]:
    """A process that appends batches and prints the first and last id of each as soon as it is told them."""
    command = [sys.executable, "-m", "tests.journal.writer", f"sqlite:///{path}", token, str(batches), str(size)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


HOLD = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that keeps the journal locked until it reads a line."""
    command = [sys.executable, "-c", HOLD, str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def append_in_the_end(sender: Sender, events: list[Event], attempts: list[int] | None = None) -> None:
    """Append as often as it takes; *attempts* grows by one each time."""
    while True:
        if attempts is not None:
            attempts.append(1)
        try:
            sender.append(events)
            return
        except JournalUnavailable:
            continue


def in_child(work: Callable[[], None], fork: Callable[[], int] = os.fork) -> int:
    """Run *work* in a fork of this process, which must end well. The child's process id."""
    pid = fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def assert_ended_well(pid: int) -> None:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class TestManyWriters:
    def test_four_processes_share_the_ids(self, path: Path, open_at: OpenAt) -> None:
        """Unique, without holes, in the order of commits; batches stay whole and each process in order."""
        writers = [start_writer(path, f"writer-{number}", 40, 50) for number in range(4)]
        outputs = [writer.communicate()[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
        journal = open_at(path)
        events = journal.read(0, 100_000)
        assert [event.id for event in events] == list(range(1, 4 * 40 * 50 + 1))
        for number, output in enumerate(outputs):
            own = [event for event in events if event.thread == f"writer-{number}"]
            assert [event.process.seq for event in own] == list(range(1, 2_001))
            told = [tuple(map(int, line.split())) for line in output.splitlines()]
            assert all(later[0] > earlier[1] for earlier, later in pairwise(told))
            assert [event.id for event in own] == [
                event_id for first, last in told for event_id in range(first, last + 1)
            ]
        assert {report.process: report.stored for report in journal.processes()} == {
            f"writer-{number}": 2_000 for number in range(4)
        }
        assert_balanced(journal)

    def test_a_writer_that_is_killed_leaves_whole_batches(self, path: Path, open_at: OpenAt) -> None:
        """All that was acknowledged is there, a batch under way is there or not; figures say which."""
        acknowledged = {}
        for number in range(3):
            with start_writer(path, f"killed-{number}", 1_000_000, 200) as writer:
                assert writer.stdout is not None
                for _ in range(5):
                    writer.stdout.readline()
                writer.send_signal(signal.SIGKILL)
                lines = [line for line in writer.stdout.read().splitlines() if len(line.split()) == 2]
            assert writer.returncode == -signal.SIGKILL
            acknowledged[f"killed-{number}"] = (5 + len(lines)) * 200
        journal = open_at(path)
        assert journal.notice() == ""
        events = journal.read(0, 10_000_000)
        for report in journal.processes():
            own = sum(event.thread == report.process for event in events)
            assert own == report.stored >= acknowledged[report.process]
            assert own % 200 == 0
        assert_balanced(journal)
        assert Sender(journal, "next").append(make_events(1)).first == len(events) + 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestForks:
    def test_both_sides_of_a_fork_go_on(self, path: Path, journal: Journal) -> None:
        """The child opens connections of its own; neither loses an event, whoever closes first."""
        parent = Sender(journal, "parent")
        parent.append(make_events(10))
        journal.read(0, 10)
        journal.changed()
        read_end, write_end = os.pipe()

        def child() -> None:
            sender = Sender(journal, "child")
            sender.append(make_events(5))
            os.write(write_end, b"1")
            os.read(resume_end, 1)  # the parent has closed the journal, and its log if it was the last
            sender.append(make_events(5))
            assert journal.counts().stored == 25
            journal.close()

        resume_end, resume = os.pipe()
        pid = in_child(child)
        os.read(read_end, 1)
        parent.append(make_events(5))
        journal.close()
        os.write(resume, b"1")
        assert_ended_well(pid)
        assert journal.counts().stored == 25
        assert {report.process: report.stored for report in journal.processes()} == {
            "parent": 15,
            "child": 10,
        }
        assert_balanced(journal)
        for end in (read_end, write_end, resume_end, resume):
            os.close(end)

    def test_a_fork_while_other_threads_write_and_read(self, journal: Journal) -> None:
        """Whatever they are at, the child can use the journal at once and the parent's threads go on."""
        stop = threading.Event()
        failures: list[BaseException] = []
        sender = Sender(journal, "parent")
        sender.append(make_events(500))

        def repeat(work: Callable[[], object]) -> None:
            try:
                while not stop.is_set():
                    work()
            except BaseException as error:
                failures.append(error)

        def child() -> None:
            Sender(journal, f"child-{os.getpid()}").append(make_events(3))
            assert journal.read(0, 10)
            journal.close()

        works: list[Callable[[], object]] = [
            lambda: sender.append(make_events(20)),
            lambda: journal.read(0, 1_000),
            journal.changed,
        ]
        threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for _ in range(10):
            assert_ended_well(in_child(child))
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(journal.processes()) == 11
        assert journal.notice() == ""
        assert_balanced(journal)

    def test_a_fork_that_python_does_not_see(self, journal: Journal) -> None:
        """A server written in C forks by itself: there `abandon` in the child is enough."""
        fork = ctypes.PyDLL(None).fork
        Sender(journal, "parent").append(make_events(10))
        journal.read(0, 10)
        journal.changed()

        def child() -> None:
            journal.abandon()
            Sender(journal, "child").append(make_events(5))
            assert journal.counts().stored == 15
            assert locks_of(os.getpid())

        assert_ended_well(in_child(child, fork))
        Sender(journal, "next").append(make_events(1))
        assert journal.counts().stored == 16
        assert_balanced(journal)

    def test_a_child_holds_locks_of_its_own(self, journal: Journal) -> None:
        """SQLite in the child must not take the parent's locks for its own: others would not see it."""
        Sender(journal, "parent").append(make_events(1))

        def child() -> None:
            Sender(journal, "child").append(make_events(1))
            assert locks_of(os.getpid())

        assert_ended_well(in_child(child))


def locks_of(pid: int) -> list[str]:
    """The lines of /proc/locks that concern a process."""
    locks = Path("/proc/locks")
    if not locks.exists():
        return ["unknown here"]
    return [line for line in locks.read_text().splitlines() if f" {pid} " in line]


class TestBusy:
    def test_a_batch_that_went_into_a_deleted_file_is_stored_again(self, path: Path, journal: Journal) -> None:
        """The file may go between the look at it and the commit: then the batch goes into the next one."""
        sender = Sender(journal)
        sender.append([make_event()])
        holder = hold(path)
        event = make_event()
        thread = threading.Thread(target=append_in_the_end, args=(sender, [event]))
        thread.start()
        thread.join(0.2)  # it waits for the holder now; the outcome is the same if it has not come so far
        for file in path.parent.glob("journal.sqlite3*"):
            file.unlink()
        holder.communicate("\n")
        thread.join()
        assert [stored.uid for stored in journal.read(0, 10)] == [event.uid]
        assert_balanced(journal)

    def test_other_threads_run_while_a_batch_waits_for_another_process(self, path: Path, journal: Journal) -> None:
        """The interpreter's lock is not held for that long: the project goes on."""
        sender = Sender(journal)
        sender.append([make_event()])
        holder = hold(path)
        attempts: list[int] = []
        thread = threading.Thread(target=append_in_the_end, args=(sender, [make_event()], attempts))
        thread.start()
        turns: Counter[int] = Counter()
        while max(turns.values(), default=0) < 10:  # turns of this thread within a single attempt
            time.sleep(0.01)
            if attempts:
                turns[len(attempts)] += 1
            assert len(attempts) < 20
        holder.communicate("\n")
        thread.join()
        assert journal.counts().stored == 2

    def test_a_journal_that_stays_locked_is_unavailable(self, path: Path, journal: Journal) -> None:
        """The batch is not stored, and can be tried again; readers are not in the way of anybody."""
        sender = Sender(journal)
        sender.append([make_event()])
        holder = hold(path)
        with pytest.raises(JournalUnavailable, match="locked"):
            sender.append([make_event()])
        assert journal.counts().stored == 1
        holder.communicate("\n")
        sender.append([make_event()])
        assert journal.counts().stored == 2
        assert_balanced(journal)
