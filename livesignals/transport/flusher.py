"""From the project's threads to the journal: a bounded buffer and one thread a process that empties it.

On the project's thread: :meth:`Flusher.put`, which never blocks, raises or does I/O. Everything else is on the
flusher's thread, except what says otherwise. ``captured = stored + dropped + buffered`` holds in every report.

The thread is stopped before a fork and begins anew with the next send, in parent and child, so that a fork meets no
lock of ours held and no second thread. It is idle when nothing is sent.
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

from livesignals.capture import Describer, Send, muted
from livesignals.capture.sends import restart_numbers
from livesignals.capture.transactions import Outcome
from livesignals.events import Event
from livesignals.exceptions import JournalError

if TYPE_CHECKING:
    # At run time imported by the thread: a project's start-up must not wait for SQLite.
    from livesignals.journal import Journal, ProcessReport

logger = logging.getLogger("livesignals")

#: Sends that wait for the journal at most; about 1 KB each.
BUFFER_SENDS = 20_000
#: Sends in one batch at most.
BATCH_SENDS = 500
#: After the first send, how long the thread waits for company.
LINGER_SECONDS = 0.005
#: A send made by a receiver waits so long for the send above it to end, so that a tree is stored from its root down.
HOLD_SECONDS = 0.25
#: How often a process says that it is alive while nothing is sent.
HEARTBEAT_SECONDS = 10.0
#: How long a process that ends waits for its last batch.
CLOSE_SECONDS = 5.0
#: How long a fork waits for the batch that is being written.
FORK_SECONDS = 0.5
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

    def __init__(self, open_journal: Callable[[], "Journal"], make_describer: Callable[[], Describer]) -> None:
        self._open_journal = open_journal
        self._make_describer = make_describer
        self._is_started = False
        self._is_ahead_of_journal = False
        self._reset()
        self._register_at_fork()
        atexit.register(self.close)

    def _reset(self) -> None:
        self._buffer: deque[Send] = deque()
        self._captured = Tally()
        self._overflowed = Tally()
        self._too_deep = Tally()
        self._dropped: Counter[str] = Counter()
        self._overflow_reason = "buffer full"
        self._overflow_counted = 0
        self._stored = 0
        self._held: list[Send] = []
        self._outcomes: deque[Outcome] = deque(maxlen=BUFFER_SENDS)
        self._retry: list[Event] = []
        self._failures = 0
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_idle = True
        self._is_forking = False
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.Lock()
        self._journal: Journal | None = None
        self._describer: Describer | None = None
        self._started_us = time.time_ns() // 1_000

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

    def leave_out(self) -> None:
        """Count a send that capture does not record, because it is nested too deep."""
        self._too_deep.add()

    def put_outcome(self, outcome: Outcome) -> None:
        """Take how a transaction ended that an event called pending."""
        self._outcomes.append(outcome)
        if self._is_idle and self._is_started:
            self._ring()

    def start(self) -> None:
        """Begin to write what was put. Before, sends only wait: Django is still loading."""
        self._is_started = True
        if self._buffer:
            self._ring()

    def flush(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Wait until everything put so far is in the journal or dropped; False after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        self.start()
        while self._has_work() or not self._is_idle:
            if time.monotonic() > deadline:
                return False
            self._ring()
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Write what waits and end the thread. At the end of the process."""
        if self._is_closed:
            return
        self._is_closed = True
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._ring()
            thread.join(CLOSE_SECONDS)
        elif self._has_work() and self._is_started:
            # Too late to start a thread (Python 3.12 and later refuse).
            with muted():
                self._write_all(time.monotonic() + CLOSE_SECONDS)

    def _ring(self) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._start_thread()
        with suppress(RuntimeError):  # it is ringing already
            self._bell.release()

    def _start_thread(self) -> None:
        if self._is_closed or self._is_forking or not self._thread_lock.acquire(blocking=False):
            return
        try:
            if self._thread is None or not self._thread.is_alive():
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
            deadline = time.monotonic() + FORK_SECONDS
            thread.join(FORK_SECONDS)
            # Before Python 3.13, join returns a moment before the system's thread is gone, and a fork would warn of it.
            while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < deadline:
                time.sleep(0.0005)

    def _after_fork_in_parent(self) -> None:
        self._is_forking = False
        if self._has_work() and self._is_started:
            self._ring()

    def _after_fork_in_child(self) -> None:
        self._reset()
        restart_numbers()

    # On the flusher's thread

    def _run(self) -> None:
        with muted():
            while not self._is_closed and not self._is_forking:
                if not self._has_work():
                    self._is_idle = True
                    # Between the look and the flag a send may have come that did not ring.
                    if not self._buffer and not self._bell.acquire(timeout=HEARTBEAT_SECONDS):
                        self._write([])
                    continue
                self._is_idle = False
                time.sleep(LINGER_SECONDS)
                self._write_batch()
            # Before a fork too: a thread that went on right after it would be taken for one that was there.
            self._write_all(time.monotonic() + (CLOSE_SECONDS if self._is_closed else FORK_SECONDS))
            self._is_idle = True

    def _write_all(self, deadline: float) -> None:
        while self._has_work() and time.monotonic() < deadline:
            if not self._write_batch():
                break

    def _has_work(self) -> bool:
        return bool(self._buffer or self._held or self._retry or self._outcomes)

    def _write_batch(self) -> bool:
        # Outcomes first taken, then written last: what they are about has been put before.
        outcomes = list(self._outcomes)
        if not self._retry:
            self._retry = self._described(self._taken())
        if self._retry and not self._write(self._retry):
            return False
        # While more sends wait than fit into a batch, what the outcomes are about may be among them.
        return not outcomes or bool(self._buffer) or self._resolve(outcomes)

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

    def _described(self, sends: list[Send]) -> list[Event]:
        describer = self._get_describer()
        describer.set_clock()
        events = []
        for send in sends:
            try:
                events.append(describer.event(send))
            except Exception:
                self._dropped["cannot be described"] += 1
                logger.exception("livesignals could not describe a send of %s", send.signal.name)
        return events

    def _write(self, events: list[Event]) -> bool:
        """Append to the journal. False, and the events are kept, when it cannot be used now."""
        try:
            self._get_journal().append(events, self._report(len(events)))
        except JournalError as error:
            self._wait_for_journal(error)
            return False
        except Exception:
            logger.exception("livesignals: the journal failed in a way it should not")
            self._dropped["journal failed"] += len(events)
            self._retry = []
            return False
        self._stored += len(events)
        self._retry = []
        if self._failures:
            self._failures = 0
            self._overflow_reason = "buffer full"
            logger.warning("livesignals: the journal can be used again")
        return True

    def _wait_for_journal(self, error: JournalError) -> None:
        if not self._failures:
            logger.warning("livesignals: %s %s", error, error.hint)
            self._overflow_reason = "journal unavailable"
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and not self._is_closed and not self._is_forking:
            time.sleep(0.02)

    def _report(self, writing: int) -> "ProcessReport":
        from livesignals.journal import ProcessReport

        overflowed = self._overflowed.read()
        if overflowed > self._overflow_counted:
            self._dropped[self._overflow_reason] += overflowed - self._overflow_counted
            self._overflow_counted = overflowed
        describer = self._get_describer()
        dropped = dict(self._dropped)
        captured = self._captured.read()
        if too_deep := self._too_deep.read():
            dropped["nested too deep"] = too_deep
            captured += too_deep
        return ProcessReport(
            process=describer.token,
            host=describer.host,
            pid=os.getpid(),
            role=_role(),
            started_ts=self._started_us,
            seen_ts=time.time_ns() // 1_000,
            captured=captured,
            stored=0,
            dropped=dropped,
            buffered=captured - self._stored - writing - sum(dropped.values()),
        )

    def _get_journal(self) -> "Journal":
        if self._journal is None:
            if not self._is_ahead_of_journal:
                # What is registered last is called first before a fork: there the thread must be through with the
                # journal before the journal closes. Called twice, our part does nothing the second time.
                import_module("livesignals.journal")
                self._is_ahead_of_journal = True
                self._register_at_fork()
            self._journal = self._open_journal()
        return self._journal

    def _get_describer(self) -> Describer:
        if self._describer is None:
            self._describer = self._make_describer()
        return self._describer


def _role() -> str:
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    return f"{program} {sys.argv[1]}" if program.startswith(("manage", "django-admin")) and sys.argv[1:] else program
