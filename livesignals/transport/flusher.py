"""From the project's threads to the journal: a bounded buffer and one thread a process that empties it.

On the project's thread: :meth:`Flusher.put`, and what the ledger takes of sends that are counted instead of kept; both
never block, raise or do I/O. Everything else is on the flusher's thread, except what says otherwise.
``captured = stored + dropped + buffered`` holds in every report.

The thread is stopped before a fork and begins anew with the next send, in parent and child, so that a fork meets no
lock of ours held and no second thread. It is idle when nothing is sent. It ends with the process; what is sent after
that, by ``atexit`` functions that were registered before ours or by daemon threads, is written by who sends it.
"""

import atexit
import itertools
import logging
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from livesignals.capture import Send, muted
from livesignals.capture.counting import Count, Ledger
from livesignals.capture.sends import begin_anew, next_number
from livesignals.capture.transactions import Outcome
from livesignals.events import Record
from livesignals.exceptions import JournalBusy, JournalError
from livesignals.logs import journal_trouble
from livesignals.transport.endings import at_end_of_child

if TYPE_CHECKING:
    # At run time imported by the thread: a project's start-up must not wait for SQLite.
    from livesignals.capture.describe import Describer
    from livesignals.journal import Journal, ProcessReport

logger = logging.getLogger("livesignals")

#: Sends that wait for the journal at most; about 1 KB each.
BUFFER_SENDS = 20_000
#: Sends in one batch at most.
BATCH_SENDS = 1_000
#: After the first send, how long the thread waits for company.
LINGER_SECONDS = 0.02
#: Before the journal is opened, how long the thread waits for a send that is made after Django has loaded.
START_SECONDS = 0.5
#: A send made by a receiver waits so long for the send above it to end, so that a tree is stored from its root down.
HOLD_SECONDS = 0.25
#: For how long sends are counted before it is told how many they were.
COUNT_SECONDS = 1.0
#: How often a process says that it is alive while nothing is sent, as `livesignals.journal.liveness` expects it, and
#: looks whether others still are.
HEARTBEAT_SECONDS = 10.0
#: How long a process that ends waits for its last batch.
CLOSE_SECONDS = 5.0
#: How long a fork waits for the batch that is being written.
FORK_SECONDS = 0.5
#: How much longer for what is imported for the first one: of a module that is half there the child keeps the half.
IMPORT_SECONDS = 5.0
#: Why what was not written until then is dropped, and what does not fit into the buffer.
NOT_IN_TIME = "not written in time at exit"
UNAVAILABLE = "journal unavailable"
RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0)


class Tally:
    """A counter that any thread may add to without a lock; only one thread may read it."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._reads = 0
        self.add = self._count.__next__  # atomic in CPython

    def read(self) -> int:
        """How often :attr:`add` was called."""
        self._reads += 1
        return next(self._count) - (self._reads - 1)


class Flusher:
    """The way of one process's sends into a journal."""

    def __init__(self, open_journal: Callable[[], "Journal"], make_describer: Callable[[], "Describer"]) -> None:
        self._open_journal = open_journal
        self._make_describer = make_describer
        self.ledger = Ledger(self._wake)
        self._is_started = False
        self._is_ahead_of_journal = False
        self._reset()
        self._register_at_fork()
        atexit.register(self.close)

    def _reset(self) -> None:
        self._buffer: deque[Send] = deque()
        self._captured = Tally()
        self._overflowed = Tally()
        self._dropped: Counter[str] = Counter()
        self._overflow_reason = "buffer full"
        self._overflow_counted = 0
        self._stored = 0
        self._told = 0, 0  # captured and dropped, in the last report
        self._accounted = 0  # dropped, in the last report that was stored
        self._looks_at = 0.0  # of time.monotonic, whether other processes are still there
        self._held: list[Send] = []
        self._outcomes: deque[Outcome] = deque(maxlen=BUFFER_SENDS)
        self.ledger.reset()
        self._is_hurried = False
        self._retry: list[Record] = []
        self._failures = 0
        self._problem = ""
        self._is_busy = False
        self._bell = _held_lock()
        self._is_idle = True
        self._is_forking = False
        self._is_importing = False
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.Lock()
        self._closes_by = 0.0  # of time.monotonic
        self._journal: Journal | None = None
        self._describer: Describer | None = None
        self._started_us = time.time_ns() // 1_000
        self._pid_ticks: int | None = None

    # On the project's threads

    def put(self, send: Send) -> None:
        """Take a send that has ended. The sink of capture."""
        self._captured.add()  # first: no report may count as stored what it does not count as captured
        if len(self._buffer) >= BUFFER_SENDS:
            self._overflowed.add()
        else:
            self._buffer.append(send)
        if self._is_idle and self._is_started:
            self._ring()

    def put_outcome(self, outcome: Outcome) -> None:
        """Take how a transaction ended that an event called pending."""
        self._outcomes.append(outcome)
        if self._is_idle and self._is_started:
            self._ring()

    def start(self) -> None:
        """Begin to write what was put. Before, sends only wait: Django is still loading."""
        self._is_started = True
        if self._buffer or self.ledger.since is not None:
            self._start_thread()

    def flush(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Wait until everything put so far is in the journal or dropped; False after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        self._is_hurried = self.ledger.since is not None
        self.start()
        while self._has_work() or not self._is_idle:
            if time.monotonic() > deadline:
                return False
            self._ring()
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Write what waits and end the thread. At the end of the process."""
        if not self._is_closed:
            self._closes_by = time.monotonic() + CLOSE_SECONDS
            self._is_closed = True
            if self._is_started:
                self._write_here()

    def _wake(self) -> None:
        if self._is_idle and self._is_started:
            self._ring()

    def _ring(self) -> None:
        if self._is_closed:
            self._write_here()
            return
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start_thread()
        with suppress(RuntimeError):  # it is ringing already
            self._bell.release()

    def _write_here(self) -> None:
        """Write what waits, since there will be no thread any more (Python 3.12 and later refuse to start one)."""
        if sys.is_finalizing() or not self._thread_lock.acquire(timeout=CLOSE_SECONDS):
            return
        try:
            thread = self._thread
            if thread is not None and thread.is_alive():
                with suppress(RuntimeError):
                    self._bell.release()
                thread.join(1.5 * CLOSE_SECONDS)  # it stops in time, and then says what it did not write
                if thread.is_alive():
                    return
            is_in_vain = self._failures and time.monotonic() > self._closes_by
            if self._has_work() and not is_in_vain:
                with muted():
                    self._write_all(time.monotonic() + CLOSE_SECONDS)
        finally:
            self._thread_lock.release()

    def _start_thread(self) -> None:
        if self._is_closed or self._is_forking or not self._thread_lock.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
                if self._thread is None:
                    at_end_of_child(self.close)
                self._bell = _held_lock()  # gevent may have been here since: of the same kind as the thread
                thread = threading.Thread(target=self._run, name="livesignals", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            pass  # no thread to be had now; close() will write
        finally:
            self._thread_lock.release()

    # Around a fork

    def _register_at_fork(self) -> None:
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork_in_parent,
            after_in_child=self._after_fork_in_child,
        )

    def _before_fork(self) -> None:
        self._is_forking = True
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._ring()
            thread.join(FORK_SECONDS)
            if self._is_importing:
                thread.join(IMPORT_SECONDS)
            if thread.is_alive() or thread.native_id == threading.get_native_id():
                return  # it is still writing, or is a greenlet
            deadline = time.monotonic() + FORK_SECONDS
            # Before Python 3.13, join returns a moment before the system's thread is gone, and a fork would warn of it.
            while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < deadline:
                time.sleep(0.0005)

    def _after_fork_in_parent(self) -> None:
        self._is_forking = False
        if (self._has_work() or self.ledger.since is not None) and self._is_started:
            self._ring()

    def _after_fork_in_child(self) -> None:
        self._reset()
        begin_anew()

    # On the flusher's thread

    def _run(self) -> None:
        with muted():
            if self._journal is None:
                # What was sent while Django loaded can wait: a process that has just begun has better to do.
                self._bell.acquire(timeout=START_SECONDS)
            while not self._is_closed and not self._is_forking:
                if not self._has_work():
                    self._is_idle = True
                    # Between the look and the flag a send may have come that did not ring.
                    if not self._buffer and not self._bell.acquire(timeout=self._patience()) and not self._has_work():
                        self._write([])
                    continue
                self._is_idle = False
                if len(self._buffer) < BATCH_SENDS:
                    self._bell.acquire(timeout=LINGER_SECONDS)  # rung when it is urgent
                self._write_batch()
            # Before a fork too: a thread that went on right after it would be taken for one that was there.
            self._write_all(time.monotonic() + (CLOSE_SECONDS if self._is_closed else FORK_SECONDS))
            self._is_idle = True

    def _write_all(self, deadline: float) -> None:
        while self._has_work() and time.monotonic() < deadline:
            if not self._write_batch() and not self._is_busy:
                break
        if self._is_closed:
            self._give_up()
        if self._is_closed and self._told != (self._captured.read(), self._dropped.total()):
            self._write([])  # what was dropped last

    def _give_up(self) -> None:
        """What is not written when the process has to end is dropped. The log says so: a report may not be able to."""
        left = len(self._held) + len(self._retry)
        self._held, self._retry = [], []
        with suppress(IndexError):
            while True:
                self._buffer.popleft()
                left += 1
        is_away = self._failures > 0 and not self._is_busy
        if left:
            self._dropped[UNAVAILABLE if is_away else NOT_IN_TIME] += left
        self._count_overflow()
        if is_away and (lost := self._dropped.total() - self._accounted):
            self._accounted = self._dropped.total()  # what is sent later is lost on top of it
            why = f"the journal could not be used when the process ended: {self._problem}"
            logger.warning("livesignals: sends that were lost: %d; %s", lost, why)
        elif left:
            why = "they could not be written in the time that a process has to end"
            logger.warning("livesignals: sends that were lost: %d; %s", left, why)

    def _has_work(self) -> bool:
        return bool(self._buffer or self._held or self._retry or self._outcomes) or self._has_counts()

    def _has_counts(self) -> bool:
        """Whether it is time to tell what was counted."""
        if self.ledger.since is None:
            return False
        if self._is_hurried or self._is_closed or self._is_forking:
            return True
        return self._seconds_counted() >= COUNT_SECONDS

    def _seconds_counted(self) -> float:
        since = self.ledger.since
        return 0.0 if since is None else (time.perf_counter_ns() - since) / 1e9

    def _patience(self) -> float:
        """Seconds to wait for the bell."""
        if self.ledger.since is None:
            return HEARTBEAT_SECONDS
        return max(0.0, COUNT_SECONDS - self._seconds_counted())

    def _write_batch(self) -> bool:
        # Outcomes first taken, then written last: what they are about has been put before.
        outcomes = list(self._outcomes)
        if not self._retry:
            self._retry = self._described([*self._taken(), *self._counts()])
        if self._retry and not self._write(self._retry):
            return False
        # A send that is still waiting reads by itself how its transaction ended.
        return not outcomes or self._resolve(outcomes)

    def _resolve(self, outcomes: list[Outcome]) -> bool:
        from livesignals.journal import Outcome as Stored

        describer = self._get_describer()
        try:
            self._get_journal().resolve([Stored(describer.transaction_id(o.number), o.state) for o in outcomes])  # type: ignore[arg-type]
        except JournalError as error:
            self._wait_for_journal(error)
            return False
        except Exception:
            logger.exception("livesignals: the journal failed in a way it should not; some events stay pending")
        for _ in outcomes:
            self._outcomes.popleft()
        return True

    def _taken(self) -> list[Send]:
        buffer, sends = self._buffer, self._held
        for _ in range(min(len(buffer), BATCH_SENDS)):
            sends.append(buffer.popleft())
        # A send is put when it ends. Those that a receiver made end before the one they belong to: they wait for it.
        ended_roots = {send.root for send in sends if send.number == send.root}
        latest = time.perf_counter_ns() - int(HOLD_SECONDS * 1e9)
        if self._is_closed or self._is_forking:
            latest = time.perf_counter_ns()
        self._held = [send for send in sends if send.root not in ended_roots and send.ended > latest]
        if self._held:
            held = set(map(id, self._held))
            sends = [send for send in sends if id(send) not in held]
        sends.sort(key=lambda send: send.number)
        return sends

    def _counts(self) -> list[Count]:
        if not self._has_counts():
            return []
        self._is_hurried = False
        counts = self.ledger.taken()
        for count in counts:
            self._captured.add()
            count.number = next_number()
        return counts

    def _described(self, sends: list[Send | Count]) -> list[Record]:
        describer = self._get_describer()
        describer.set_clock()
        records = []
        for send in sends:
            try:
                records.append(describer.record(send))
            except Exception:
                self._dropped["cannot be described"] += 1
                logger.exception("livesignals could not describe a send of %s", send.signal.name)
        return records

    def _write(self, records: list[Record]) -> bool:
        """Append to the journal. False, and the events are kept, when it cannot be used now."""
        try:
            self._get_journal().append(records, self._report(len(records)))
        except JournalError as error:
            self._wait_for_journal(error)
            return False
        except Exception:
            logger.exception("livesignals: the journal failed in a way it should not")
            self._dropped["journal failed"] += len(records)
            self._retry = []
            return False
        self._stored += len(records)
        self._accounted = self._told[1]
        self._retry = []
        if self._failures:
            self._failures = 0
            self._overflow_reason = "buffer full"
            journal_trouble.over()
        self._look_for_gone()
        return True

    def _look_for_gone(self) -> None:
        """Account for processes that ended without a word: they cannot do so."""
        if time.monotonic() < self._looks_at or self._is_forking:
            return
        from livesignals.journal.liveness import notice_gone

        self._looks_at = time.monotonic() + HEARTBEAT_SECONDS
        try:
            notice_gone(self._get_journal())
        except JournalError:
            pass  # the next batch meets it too
        except Exception:
            logger.exception("livesignals could not look for processes that are gone")

    def _wait_for_journal(self, error: JournalError) -> None:
        journal_trouble.met(f"livesignals: {error} {error.hint}")
        if not self._failures:
            self._overflow_reason = UNAVAILABLE
        self._problem = str(error)
        self._is_busy = isinstance(error, JournalBusy)  # the process that ends tries as long as it may
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and not self._is_closed and not self._is_forking:
            time.sleep(0.02)

    def _report(self, writing: int) -> "ProcessReport":
        from livesignals.journal import ProcessReport
        from livesignals.journal.liveness import PID_NAMESPACE, pid_ticks

        if self._pid_ticks is None:
            self._pid_ticks = pid_ticks()
        self._count_overflow()
        describer = self._get_describer()
        dropped = dict(self._dropped)
        captured = self._captured.read()
        self._told = captured, sum(dropped.values())
        return ProcessReport(
            process=describer.token,
            host=describer.host,
            pid=os.getpid(),
            pid_ticks=self._pid_ticks,
            pid_namespace=PID_NAMESPACE,
            role=_role(),
            started_ts=self._started_us,
            seen_ts=time.time_ns() // 1_000,
            captured=captured,
            stored=0,
            dropped=dropped,
            buffered=captured - self._stored - writing - sum(dropped.values()),
        )

    def _count_overflow(self) -> None:
        overflowed = self._overflowed.read()
        if overflowed > self._overflow_counted:
            self._dropped[self._overflow_reason] += overflowed - self._overflow_counted
            self._overflow_counted = overflowed

    def _get_journal(self) -> "Journal":
        if self._journal is None:
            self._is_importing = True
            try:
                if not self._is_ahead_of_journal:
                    # What is registered last is called first before a fork: there the thread must be through with the
                    # journal before the journal closes. Called twice, our part does nothing the second time.
                    import_module("livesignals.journal.liveness")
                    self._is_ahead_of_journal = True
                    self._register_at_fork()
                self._journal = self._open_journal()
            finally:
                self._is_importing = False
        return self._journal

    def _get_describer(self) -> "Describer":
        if self._describer is None:
            self._is_importing = True
            try:
                self._describer = self._make_describer()
            finally:
                self._is_importing = False
        return self._describer


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _role() -> str:
    path = sys.argv[0] if sys.argv else ""
    program = os.path.basename(path.removesuffix(f"{os.sep}__main__.py"))  # python -m daphne
    return f"{program} {sys.argv[1]}" if program.startswith(("manage", "django-admin")) and sys.argv[1:] else program
