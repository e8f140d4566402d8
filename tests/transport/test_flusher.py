"""From a send to the journal: nothing is lost that is not counted, whatever happens on the way."""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal
from msgspec import UNSET

from livesignals import capture
from livesignals.capture import counting, sends
from livesignals.capture.describe import Describer
from livesignals.capture.transactions import Outcome
from livesignals.events import Event, Record
from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Appended, ProcessReport
from livesignals.journal import Outcome as Stored
from livesignals.journal.memory import MemoryJournal
from livesignals.snapshot.masking import Masking
from livesignals.transport import flusher as module
from livesignals.transport.flusher import Flusher
from tests.transport.programs import PATIENT, run, stored

PATIENCE = 30.0

numbered = Signal()
ticked = Signal()
outer = Signal()


class WatchedJournal(MemoryJournal):
    """A journal that checks every report it is given, and that can be made to wait or to fail."""

    def __init__(self) -> None:
        super().__init__(project="", retain_events=10**6, retain_bytes=2**30)
        self.accepts = threading.Event()
        self.accepts.set()
        self.problem: Exception | None = None
        self.asked = threading.Semaphore(0)
        self.answered = threading.Semaphore(0)
        self.reports: list[ProcessReport] = []

    def append(self, records: Sequence[Record], report: ProcessReport) -> Appended:
        assert report.buffered >= 0
        assert report.captured == self.counts().stored + len(records) + sum(report.dropped.values()) + report.buffered
        self.reports.append(report)
        self.asked.release()
        self.accepts.wait(PATIENCE)
        if self.problem is not None:
            raise self.problem
        appended = super().append(records, report)
        self.answered.release()
        return appended

    def wait_until_asked(self, times: int = 1) -> None:
        """Until the flusher came so often, since the last wait."""
        for _ in range(times):
            assert self.asked.acquire(timeout=PATIENCE)

    @property
    def numbers(self) -> list[int]:
        """Those that were sent, as they are stored."""
        return [event.kwargs["n"] for event in self.read(0, 10**6) if "n" in event.kwargs]

    def assert_settled(self, dropped: dict[str, int] | None = None) -> None:
        """All that was captured is stored or in *dropped*, and the last report says so."""
        report, counts = self.reports[-1], self.counts()
        assert (counts.captured, counts.stored, counts.buffered) == (report.captured, counts.retained, 0)
        assert counts.dropped == (dropped or {})
        assert counts.captured == counts.stored + sum(counts.dropped.values())


@pytest.fixture
def journal() -> WatchedJournal:
    return WatchedJournal()


@pytest.fixture
def flusher(journal: WatchedJournal) -> Iterator[Flusher]:
    """A flusher that gets what this test sends, and is not started yet."""
    flusher = Flusher(lambda: journal, lambda: Describer(Masking(), names_only=False))
    was_attached, sink, count_sink = capture.is_attached(), sends.get_sink(), counting.get_count_sink()
    capture.set_sink(flusher.put)
    capture.set_count_sink(flusher.ledger.add)
    capture.attach()
    yield flusher
    journal.problem = None
    journal.accepts.set()
    flusher.close()
    capture.set_sink(sink)
    capture.set_count_sink(count_sink)
    if not was_attached:
        capture.detach()


def send(numbers: range) -> None:
    for n in numbers:
        numbered.send(sender="flusher", n=n)


def settle(flusher: Flusher) -> None:
    assert flusher.flush(PATIENCE)


class TestStoring:
    def test_every_send_is_stored_once_and_in_order(self, flusher: Flusher, journal: WatchedJournal) -> None:
        """Over many batches."""
        flusher.start()
        send(range(2_345))
        settle(flusher)
        assert journal.numbers == list(range(2_345))
        journal.assert_settled()

    def test_before_it_is_started_sends_only_wait(self, flusher: Flusher, journal: WatchedJournal) -> None:
        """Django is still loading: no thread and no file until it is done."""
        send(range(10))
        assert flusher._thread is None
        assert journal.reports == []
        flusher.start()
        settle(flusher)
        assert journal.numbers == list(range(10))

    def test_a_process_that_sends_nothing_has_no_thread(self, flusher: Flusher) -> None:
        """Being installed costs nothing."""
        flusher.start()
        assert flusher._thread is None
        assert flusher.flush(0)

    def test_many_threads_send_and_every_report_balances(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """captured = stored + dropped + buffered each time, none of them below zero; each thread's are in order."""
        monkeypatch.setattr(module, "LINGER_SECONDS", 0)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            flusher.start()
            threads = [threading.Thread(target=send, args=(range(t * 2_000, (t + 1) * 2_000),)) for t in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        settle(flusher)
        numbers = journal.numbers
        assert sorted(numbers) == list(range(8_000))
        for t in range(4):
            own = [n for n in numbers if n // 2_000 == t]
            assert own == sorted(own)
        journal.assert_settled()

    def test_a_tree_is_stored_from_its_root_down(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though what a receiver sends ends before the send it belongs to, and fills several batches."""
        monkeypatch.setattr(module, "HOLD_SECONDS", PATIENCE)
        count = 3 * module.BATCH_SENDS

        def send_more(sender: object, depth: int, **kwargs: object) -> None:
            if depth < 5:
                outer.send(sender="flusher", depth=depth + 1)
            else:
                send(range(count))

        outer.connect(send_more)
        flusher.start()
        try:
            outer.send(sender="flusher", depth=0)
        finally:
            outer.disconnect(send_more)
        settle(flusher)
        events = journal.read(0, 10**6)
        assert [event.kwargs.get("depth") for event in events[:6]] == [0, 1, 2, 3, 4, 5]
        assert [event.parent for event in events[1:6]] == [event.uid for event in events[:5]]
        assert {event.root for event in events} == {events[0].uid}
        assert journal.numbers == list(range(count))

    def test_what_a_receiver_sends_does_not_wait_for_ever(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A receiver that takes long keeps its own send back, not what it has sent."""
        monkeypatch.setattr(module, "HOLD_SECONDS", 0)

        def send_and_wait(sender: object, **kwargs: object) -> None:
            send(range(1))
            assert journal.answered.acquire(timeout=PATIENCE)

        outer.connect(send_and_wait)
        flusher.start()
        try:
            outer.send(sender="flusher")
        finally:
            outer.disconnect(send_and_wait)
        settle(flusher)
        nested, root = journal.read(0, 10)
        assert (nested.parent, nested.root) == (root.uid, root.uid)

    def test_what_the_journal_itself_sends_is_not_recorded(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else each batch would cause the next."""
        append = WatchedJournal.append

        def sending(self: WatchedJournal, records: Sequence[Record], report: ProcessReport) -> Appended:
            numbered.send(sender="journal", n=-1)
            return append(self, records, report)

        monkeypatch.setattr(WatchedJournal, "append", sending)
        flusher.start()
        send(range(3))
        settle(flusher)
        assert journal.numbers == [0, 1, 2]
        journal.assert_settled()

    def test_an_idle_process_says_that_it_is_alive(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reports go on when no sends do."""
        monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
        flusher.start()
        send(range(1))
        journal.wait_until_asked(4)
        assert [report.captured for report in journal.reports[:4]] == [1] * 4


class TestDropping:
    def test_what_does_not_fit_is_counted(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A journal that is too slow: the oldest wait, the rest is dropped as "buffer full"."""
        monkeypatch.setattr(module, "BUFFER_SENDS", 100)
        journal.accepts.clear()
        flusher.start()
        send(range(1))
        journal.wait_until_asked()
        send(range(1, 151))
        journal.accepts.set()
        settle(flusher)
        assert journal.numbers == list(range(101))
        journal.assert_settled({"buffer full": 50})

    def test_a_journal_that_is_away_loses_nothing_that_was_buffered(
        self,
        flusher: Flusher,
        journal: WatchedJournal,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """When it is back all is there in order, what did not fit is counted, and the log said it once."""
        monkeypatch.setattr(module, "BUFFER_SENDS", 100)
        monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
        journal.problem = JournalUnavailable("the disk is full", "Make room.")
        flusher.start()
        send(range(30))
        journal.wait_until_asked(3)
        send(range(30, 170))
        journal.wait_until_asked(3)
        taken = journal.reports[0].captured - journal.reports[0].buffered  # before all the others came
        assert not flusher.flush(0)
        journal.problem = None
        settle(flusher)
        kept = len(journal.numbers)
        assert kept in (100, 100 + taken)
        assert journal.numbers == list(range(kept))
        journal.assert_settled({"journal unavailable": 170 - kept})
        assert [record.getMessage() for record in caplog.records if record.name == "livesignals"] == [
            "livesignals: the disk is full Make room.",
            "livesignals: the journal can be used again",
        ]

    def test_sends_nested_too_deep_are_counted(self, flusher: Flusher, journal: WatchedJournal) -> None:
        """A run-away recursion is bounded, and an event says how many sends went deeper."""

        def again(n: int, **named: Any) -> None:
            if n < 250:
                numbered.send(sender="flusher", n=n + 1)

        numbered.connect(again)
        flusher.start()
        try:
            send(range(1, 2))
        finally:
            numbered.disconnect(again)
        settle(flusher)
        assert journal.numbers == [*range(1, 101)]
        assert [event.counted.sends for event in journal.read(0, 1_000) if event.counted is not UNSET] == [150]
        journal.assert_settled()

    def test_a_later_overflow_has_its_own_reason(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is dropped once the journal is back is not blamed on its having been away."""
        monkeypatch.setattr(module, "BUFFER_SENDS", 10)
        monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
        journal.problem = JournalUnavailable("locked")
        flusher.start()
        send(range(1))
        journal.wait_until_asked()
        send(range(1, 16))
        journal.problem = None
        settle(flusher)
        assert journal.counts().dropped == {"journal unavailable": 5}
        while journal.asked.acquire(blocking=False):
            pass
        journal.accepts.clear()
        send(range(16, 17))
        journal.wait_until_asked()
        send(range(17, 30))
        journal.accepts.set()
        settle(flusher)
        journal.assert_settled({"journal unavailable": 5, "buffer full": 3})

    def test_a_journal_that_fails_in_an_unforeseen_way_costs_a_batch(
        self, flusher: Flusher, journal: WatchedJournal
    ) -> None:
        """It is dropped and counted; the next is stored."""
        journal.problem = ZeroDivisionError("a fault of ours")
        flusher.start()
        send(range(7))
        settle(flusher)
        journal.problem = None
        send(range(7, 10))
        settle(flusher)
        assert journal.numbers == [7, 8, 9]
        journal.assert_settled({"journal failed": 7})

    def test_an_outcome_that_cannot_be_written_costs_no_event(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The flusher goes on as if there had been none."""

        def fail(outcomes: Sequence[Stored]) -> int:
            raise ZeroDivisionError("a fault of ours")

        monkeypatch.setattr(journal, "resolve", fail)
        flusher.start()
        for number in range(3):
            send(range(number, number + 1))
            flusher.put_outcome(Outcome(number, "committed"))
            settle(flusher)
        assert journal.numbers == [0, 1, 2]
        journal.assert_settled()

    def test_a_send_that_cannot_be_described_costs_itself_alone(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is dropped and counted; those around it are stored."""
        describe = Describer.record

        def fails_at_three(self: Describer, send: capture.Send) -> Record:
            record = describe(self, send)
            if send.named["n"] == 3:
                raise ZeroDivisionError("a fault of ours")
            return record

        monkeypatch.setattr(Describer, "record", fails_at_three)
        flusher.start()
        send(range(6))
        settle(flusher)
        assert journal.numbers == [0, 1, 2, 4, 5]
        send(range(6, 7))
        settle(flusher)
        journal.assert_settled({"cannot be described": 1})


@pytest.fixture
def ticks(flusher: Flusher) -> Iterator[Callable[[int], None]]:
    """Makes so many sends that are counted."""

    def tick(count: int) -> None:
        for _ in range(count):
            ticked.send(sender="flusher")

    capture.configure([], ["ticked"])
    yield tick
    capture.configure([])


Ticks = Callable[[int], None]


class TestCounts:
    def test_counts_are_events_among_the_others(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the time they are of, numbers of their own, and nothing that only a single send has."""
        monkeypatch.setattr(module, "COUNT_SECONDS", 3600.0)
        before = time.time()
        flusher.start()
        ticks(5_000)
        send(range(3))
        settle(flusher)
        *sent, count = sorted(journal.read(0, 100), key=lambda event: event.process.seq)
        assert [event.kwargs["n"] for event in sent] == [0, 1, 2]
        assert [event.process.seq for event in (*sent, count)] == list(
            range(sent[0].process.seq, sent[0].process.seq + 4)
        )
        assert len({event.uid for event in (*sent, count)}) == 4
        assert count.counted is not UNSET
        assert count.counted.sends == 5_000
        assert count.counted.duration_us > 0
        assert before <= datetime.fromisoformat(count.ts).timestamp() + count.counted.seconds <= time.time() + 0.01
        assert (count.sender, count.status, count.flags) == ("flusher", "returned", ["counted"])
        assert count.signal.endswith(".ticked")
        assert (count.root, count.parent) == (count.uid, None)
        assert count.cause is not None
        assert count.cause.kind == "test"
        assert (count.duration_us, count.kwargs, count.receivers, count.method, count.thread) == (None, {}, [], "", "")
        assert journal.counts().counted == 5_000
        journal.assert_settled()

    def test_each_second_tells_what_came_in_it(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By itself, without another send, and nothing once nothing comes."""
        monkeypatch.setattr(module, "COUNT_SECONDS", 0.05)
        flusher.start()
        for so_far in (100, 120):
            ticks(so_far - journal.counts().counted)
            while journal.counts().counted < so_far:  # once, but for a machine that sends slowly
                journal.wait_until_asked()
                assert journal.answered.acquire(timeout=PATIENCE)
        while not flusher._is_idle:
            time.sleep(0.001)
        counts = [event.counted for event in journal.read(0, 100) if event.counted is not UNSET]
        assert sum(count.sends for count in counts) == 120
        assert all(count.seconds >= 0.05 for count in counts)
        assert len(journal.reports) == len(counts) >= 2
        journal.assert_settled()

    def test_other_sends_do_not_wait_for_the_second(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are stored at once, and what is counted after the second."""
        monkeypatch.setattr(module, "COUNT_SECONDS", 3600.0)
        flusher.start()
        ticks(10)
        send(range(1))
        journal.wait_until_asked()
        send(range(1, 2))
        journal.wait_until_asked()
        assert journal.answered.acquire(timeout=PATIENCE)
        assert journal.answered.acquire(timeout=PATIENCE)
        assert journal.numbers == [0, 1]
        assert journal.counts().counted == 0
        settle(flusher)
        assert journal.counts().counted == 10

    def test_over_threads_every_send_is_in_one_count(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the flusher reads them as often as it can, among sends that are kept; every report balances."""
        monkeypatch.setattr(module, "COUNT_SECONDS", 0.0)
        monkeypatch.setattr(module, "LINGER_SECONDS", 0)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            flusher.start()
            threads = [threading.Thread(target=work, args=(n,)) for n in (2_000, 3_000) for work in (ticks, ticks)]
            threads.append(threading.Thread(target=send, args=(range(1_000),)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        settle(flusher)
        assert sorted(journal.numbers) == list(range(1_000))
        assert sum(event.counted.sends for event in journal.read(0, 10**6) if event.counted is not UNSET) == 10_000
        assert journal.counts().counted == 10_000
        journal.assert_settled()

    def test_a_journal_that_is_away_loses_no_count(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is counted meanwhile waits, however much it is, in no more room."""
        monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
        monkeypatch.setattr(module, "COUNT_SECONDS", 0.0)
        journal.problem = JournalUnavailable("locked")
        flusher.start()
        ticks(10)
        journal.wait_until_asked(2)
        ticks(module.BUFFER_SENDS + 10)
        journal.problem = None
        settle(flusher)
        assert journal.counts().counted == module.BUFFER_SENDS + 20
        journal.assert_settled()

    @pytest.mark.parametrize("started", [True, False])
    def test_close_tells_what_was_counted(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks, started: bool
    ) -> None:
        """With a thread, and without one."""
        if started:
            flusher.start()
        ticks(10)
        flusher._is_started = True
        flusher.close()
        assert journal.counts().counted == 10
        journal.assert_settled()

    def test_before_it_is_started_counts_only_wait(
        self, flusher: Flusher, journal: WatchedJournal, ticks: Ticks
    ) -> None:
        """No thread; start() sees to them."""
        ticks(10)
        assert flusher._thread is None
        flusher.start()
        assert flusher._thread is not None
        settle(flusher)
        assert journal.counts().counted == 10


FORKS = """
send(*range(0, 50))
if sys.argv[1] == "stored":
    assert get_flusher().flush(30)
children = []
for child in range(1, 4):
    pid = os.fork()
    if pid == 0:
        send(*range(child * 1000, child * 1000 + 50))
        sys.exit(0)  # as a worker ends that is told to
    children.append(pid)
    send(*range(child * 10 + 40, child * 10 + 50))
for pid in children:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""

FORKS_AMID_SENDS = """
is_over = threading.Event()
def pour():
    n = 0
    while not is_over.is_set():
        send(n)
        n += 1
        time.sleep(0.0002)  # fewer than the buffer holds
    print(n, file=sys.stderr)
thread = threading.Thread(target=pour)
thread.start()
for child in range(1, 11):
    pid = os.fork()
    if pid == 0:
        is_over.set()
        send(-child)
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
is_over.set()
thread.join()
"""

GRANDCHILDREN = """
for generation in range(5):
    send(generation)
    pid = os.fork()
    if pid:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.exit(status)
send(5)
"""


class TestForks:
    @pytest.mark.parametrize("state", ["waiting", "stored"])
    def test_parent_and_children_each_keep_their_own(self, path: Path, state: str) -> None:
        """What waited at the fork is the parent's alone: none is lost, none is stored twice, no warning."""
        stderr = run(PATIENT + FORKS, path, state)
        events = stored(path)
        by_process: dict[int, list[int]] = {}
        for event in events:
            by_process.setdefault(event.process.pid, []).append(event.kwargs["n"])
        assert sorted(by_process.values()) == [
            list(range(80)),
            *(list(range(first, first + 50)) for first in (1_000, 2_000, 3_000)),
        ]
        assert len({event.uid for event in events}) == len(events)
        # Python 3.12 and later warn of a fork while there are other threads: ours has ended by then.
        assert "multi-threaded" not in stderr
        assert stderr == ""

    def test_a_fork_while_others_send_loses_nothing(self, path: Path) -> None:
        """Whatever the flusher is at when it happens."""
        count = int(run(FORKS_AMID_SENDS, path).split()[-1])
        numbers = [event.kwargs["n"] for event in stored(path)]
        assert sorted(n for n in numbers if n < 0) == list(range(-10, 0))
        assert [n for n in numbers if n >= 0] == list(range(count))

    def test_a_child_may_fork_again(self, path: Path) -> None:
        """Each generation numbers its own sends."""
        assert run(PATIENT + GRANDCHILDREN, path) == ""
        events = stored(path)
        assert sorted(event.kwargs["n"] for event in events) == [0, 1, 2, 3, 4, 5]
        assert len({event.process.pid for event in events}) == 6

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_what_waits_for_the_journal_at_a_fork_is_stored_after_it(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The parent goes on by itself, without another send."""
        monkeypatch.setattr(module, "RETRY_SECONDS", (0.001,))
        journal.problem = JournalUnavailable("locked")
        flusher.start()
        send(range(5))
        journal.wait_until_asked()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        journal.problem = None
        assert journal.answered.acquire(timeout=PATIENCE)
        assert journal.numbers == list(range(5))


ENDS: dict[str, tuple[str, int]] = {
    "returns": ("send(*range(500))", 0),
    "exits": ("send(*range(500)); sys.exit(3)", 3),
    "fails": ("send(*range(500)); raise SystemExit('no more')", 1),
    "sends at exit": ("atexit.register(lambda: send(*range(500)))", 0),
    "sends at exit again": ("send(*range(100)); atexit.register(lambda: send(*range(100, 500)))", 0),
    "sends from a thread that the interpreter waits for": (
        "threading.Thread(target=lambda: (time.sleep(0.2), send(*range(500)))).start()",
        0,
    ),
}


COUNTING = """
from livesignals import capture
capture.configure([], ["numbered"])
"""
COUNTED_FORKS = """
send(*range(100))
children = []
for child in range(1, 4):
    pid = os.fork()
    if pid == 0:
        send(*range(child))
        sys.exit(0)
    children.append(pid)
    send(*range(10))
for pid in children:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""
COUNTED_THREADS = """
def work():
    for _ in range(50):
        send(*range(100))
        time.sleep(0.001)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for child in range(5):
    pid = os.fork()
    if pid == 0:
        send(0)
        sys.exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    time.sleep(0.01)
if sys.argv[1] == "joined":
    for thread in threads:
        thread.join()
"""
FLOODED = """
from livesignals import capture
capture.configure([], [], 100)
send(*range(50_000))
"""

SAMPLED = """
import threading
from livesignals import capture
capture.configure([], [], None, {"*": 50})
threads = [threading.Thread(target=send, args=range(5_000)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def counted(path: Path) -> list[int]:
    """How many sends each process counted, the most first; figures and events agree."""
    by_process: Counter[int] = Counter()
    for event in stored(path):
        if event.counted is not UNSET:
            by_process[event.process.pid] += event.counted.sends
    return sorted(by_process.values(), reverse=True)


class TestCountsOfProcesses:
    def test_parent_and_children_each_count_their_own(self, path: Path) -> None:
        """Children begin at nothing, what the parent had counted by then is told once; no warning."""
        assert run(PATIENT + COUNTING + COUNTED_FORKS, path) == ""
        assert counted(path) == [130, 3, 2, 1]

    @pytest.mark.parametrize("ends", ["joined", "left to the interpreter"])
    def test_threads_that_count_while_the_process_forks_lose_nothing(self, path: Path, ends: str) -> None:
        """Ended before the process does, or with it."""
        run(COUNTING + COUNTED_THREADS, path, ends)
        assert counted(path) == [20_000, *[1] * 5]

    @pytest.mark.parametrize(
        ("program", "status"),
        [("send(*range(500))", 0), ("send(*range(500)); sys.exit(3)", 3), ("send(*range(500)); 1 / 0", 1)],
    )
    def test_a_process_that_ends_tells_what_it_counted(self, path: Path, program: str, status: int) -> None:
        """However it ends, without waiting for the second."""
        run(COUNTING + program, path, exits_with=status)
        assert counted(path) == [500]

    def test_a_flood_is_kept_in_part_and_counted_for_the_rest(self, path: Path) -> None:
        """Both together are all that was sent, and the figures of the journal say so."""
        run(FLOODED, path)
        kept = sum(event.counted is UNSET for event in stored(path))
        assert kept >= 100
        assert counted(path) == [50_000 - kept]

    def test_a_sampled_signal_is_kept_in_part_and_counted_for_the_rest(self, path: Path) -> None:
        """From four threads, to the end of the process: kept and counted are all that was sent."""
        run(SAMPLED, path)
        kept = sum(event.counted is UNSET for event in stored(path))
        assert 399 <= kept <= 401
        assert counted(path) == [20_000 - kept]
        assert {flag for event in stored(path) for flag in event.flags} == {"counted", "sampled"}


class TestTheEnd:
    @pytest.mark.parametrize(("program", "status"), ENDS.values(), ids=ENDS)
    def test_a_process_that_ends_writes_its_last_batch(self, path: Path, program: str, status: int) -> None:
        """However it ends, as long as Python is told."""
        run(program, path, exits_with=status)
        assert [event.kwargs["n"] for event in stored(path)] == list(range(500))

    def test_a_journal_that_cannot_be_used_does_not_keep_a_process_from_ending(self, tmp_path: Path) -> None:
        """It is tried for a moment; the process ends as it would have."""
        in_the_way = tmp_path / "a file"
        in_the_way.write_text("")
        stderr = run("send(*range(500)); sys.exit(3)", in_the_way / "journal.sqlite3", exits_with=3)
        assert "Traceback" not in stderr
        assert str(in_the_way) in stderr

    def test_close_writes_what_waits_and_may_be_called_again(self, flusher: Flusher, journal: WatchedJournal) -> None:
        """With a thread, and without one."""
        flusher.start()
        send(range(100))
        flusher.close()
        flusher.close()
        assert journal.numbers == list(range(100))
        journal.assert_settled()

    def test_what_is_dropped_last_is_told(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Though no event is left that a report could go with."""

        def fail(self: Describer, send: capture.Send) -> Event:
            raise ZeroDivisionError("a fault of ours")

        flusher.start()
        send(range(3))
        settle(flusher)
        monkeypatch.setattr(Describer, "record", fail)
        send(range(3, 7))
        flusher.close()
        assert journal.numbers == [0, 1, 2]
        journal.assert_settled({"cannot be described": 4})

    def test_a_send_after_the_end_is_written_by_who_sends_it(self, flusher: Flusher, journal: WatchedJournal) -> None:
        """By atexit functions that were registered before ours, by daemon threads: one that has returned is stored."""
        flusher.start()
        send(range(3))
        flusher.close()
        for n in range(3, 6):
            send(range(n, n + 1))
            assert journal.numbers == list(range(n + 1))
        threads = [threading.Thread(target=send, args=(range(t * 100, t * 100 + 50),)) for t in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(journal.numbers) == [*range(6), *(t * 100 + n for t in range(1, 5) for n in range(50))]
        journal.assert_settled()

    def test_sends_after_the_end_do_not_wait_for_a_journal_each(
        self, flusher: Flusher, journal: WatchedJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once it was tried for as long as an ending process waits, it is tried no more."""
        monkeypatch.setattr(module, "CLOSE_SECONDS", 0.05)
        journal.problem = JournalUnavailable("locked")
        flusher.start()
        send(range(1))
        flusher.close()
        while time.monotonic() < flusher._closes_by:
            send(range(1))
        tried = len(journal.reports)
        send(range(100))
        assert len(journal.reports) == tried


WRITING = """
send(*range(100))
assert get_flusher().flush(30)
foreign = [name for name in sys.modules if name.startswith(("livesignals.filters", "lark", "channels.", "daphne"))]
assert foreign == ["channels.apps"] or not foreign, foreign
"""


def test_who_only_writes_imports_nothing_of_the_filters_or_the_server(path: Path) -> None:
    """It would do so on a thread, while the project may be importing the same: two such imports can fail each other."""
    run(WRITING, path)
