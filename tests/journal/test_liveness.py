"""Which processes are gone: found by their pid on this host, by their silence on others."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from livesignals.filters import parse
from livesignals.journal import ProcessReport, liveness, open_journal
from livesignals.journal.liveness import find_gone, lag, notice_gone
from livesignals.journal.memory import MemoryJournal
from livesignals.transport import flusher

NOW = 1_800_000_000.0


def make_report(process: str = "p", *, seen: float = NOW, **changes: Any) -> ProcessReport:
    """Of this process, as it were, at a time in seconds."""
    fields: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "pid_namespace": liveness.PID_NAMESPACE,
        "role": "test",
        "started_ts": time.time_ns() // 1_000,
        "captured": 0,
    }
    return ProcessReport(process=process, seen_ts=int(seen * 1e6), **{**fields, **changes})


def gone(*reports: ProcessReport) -> list[str]:
    return [report.process for report in find_gone(reports, NOW)]


def test_who_writes_and_who_reads_mean_the_same_heartbeat() -> None:
    """The one says that it is alive as often as the other expects it."""
    assert flusher.HEARTBEAT_SECONDS == liveness.HEARTBEAT_SECONDS


class TestOnThisHost:
    def test_a_process_that_runs_is_there_however_silent(self) -> None:
        """It has nothing to say, or its journal cannot be used."""
        assert gone(make_report(seen=NOW - 3_600)) == []

    def test_a_process_that_ended_is_gone_at_once(self) -> None:
        """Whether its parent took notice of its end or not."""
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            report = make_report(pid=process.pid)
            assert gone(report) == []
            os.kill(process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table of processes
            assert gone(report) == ["p"]
        finally:
            process.communicate()
        assert gone(report) == ["p"]

    def test_another_process_with_its_pid_is_not_it(self) -> None:
        """That one began after it had reported."""
        assert gone(make_report(started_ts=int((time.time() - 3_600) * 1e6))) == ["p"]

    def test_no_change_of_a_clock_makes_a_process_another(self) -> None:
        """Nor one that had the pid before this one: the system counts from its boot when a process began."""
        an_hour_ago = int((time.time() - 3_600) * 1e6)
        assert gone(make_report(started_ts=an_hour_ago, pid_ticks=liveness.pid_ticks())) == []
        assert gone(make_report(pid_ticks=liveness.pid_ticks() - 1)) == ["p"]

    def test_of_two_with_one_pid_the_later_is_there(self) -> None:
        """A process that became another program by exec."""
        now_us = time.time_ns() // 1_000
        assert gone(make_report("before", started_ts=now_us), make_report("after", started_ts=now_us + 1)) == ["before"]


class TestOnAnotherHost:
    @pytest.mark.parametrize(("silent", "expected"), [(0, []), (29, []), (31, ["p"]), (100_000, ["p"]), (-100_000, [])])
    @pytest.mark.parametrize("where", [{"host": "elsewhere"}, {"pid_namespace": 1}])
    def test_silence_tells(self, silent: float, expected: list[str], where: dict[str, Any]) -> None:
        """For three heartbeats. A clock that is ahead is no reason. A container may have the name of its host."""
        assert gone(make_report(seen=NOW - silent, **where)) == expected


def test_what_is_noticed_is_accounted_for() -> None:
    """By whoever looks first; the second finds nothing to do."""
    journal = MemoryJournal(project="", retain_events=10, retain_bytes=10**6)
    for process, host, buffered in (("here", socket.gethostname(), 3), ("there", "elsewhere", 4)):
        silent = make_report(process, host=host, seen=time.time() - 60, captured=buffered, buffered=buffered)
        journal.append([], silent)
    assert [notice_gone(journal), notice_gone(journal)] == [1, 0]
    assert journal.counts().dropped == {"process ended": 4}
    assert journal.counts().buffered == 3


def test_lag_is_the_age_of_what_may_be_waiting() -> None:
    """Since the last report of who has something buffered; else since the one that should have come."""
    assert lag([], NOW) == 0
    assert lag([make_report(seen=NOW - 8)], NOW) == 0
    assert lag([make_report(seen=NOW - 8, captured=1, buffered=1)], NOW) == 8
    assert lag([make_report(seen=NOW - 25), make_report(seen=NOW - 8)], NOW) == 15
    assert lag([make_report(seen=NOW + 60, captured=1, buffered=1)], NOW) == 0


KILLED = """
import os, signal, sys
import django
django.setup()
from django.db import connection, transaction
from django.dispatch import Signal
from livesignals.capture import transactions
from livesignals.transport.process import get_flusher
made = Signal()
with transaction.atomic():
    connection.cursor()
    for n in range(5):
        made.send(sender="killed", using="default", n=n)
    assert get_flusher().flush()
    get_flusher()._write([])
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_no_send_pending(tmp_path: Path) -> None:
    """The next process of the project that writes accounts for it, without a dashboard."""
    path = tmp_path / "journal.sqlite3"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LIVESIGNALS_JOURNAL": f"sqlite:///{path}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c"]
    killed = subprocess.run(
        [*command, KILLED], check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    journal = open_journal(f"sqlite:///{path}", project="", retain_events=1_000, retain_bytes=10**7)

    def ends() -> list[str]:
        found = journal.search_forward(parse("sender:killed"), 0, 10).events
        return [event.transaction.state for event in found if event.transaction]

    try:
        assert ends() == ["pending"] * 5
        after = KILLED[: KILLED.index("with transaction")] + 'made.send(sender="next")'
        subprocess.run([*command, after], env=environment, check=True, timeout=60)
        assert ends() == ["unknown"] * 5
        assert [report.is_gone for report in journal.processes()] == [False, True]
    finally:
        journal.close()
