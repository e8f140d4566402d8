"""Which of the processes that reported are gone without a word, and how late the others are.

On its own host a process is asked for by its pid; of another host, or container, nothing is known but when it was heard
of last.
"""

import os
import socket
import time
from collections.abc import Sequence

from livesignals.journal.base import Journal, ProcessReport

#: How often a process says that it is alive while nothing is sent. The flusher keeps to it.
HEARTBEAT_SECONDS = 10.0
#: A process on another host that was not heard of for so long is taken for gone.
SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
#: The system's clock for the start of a process and ours for its first report differ by less, where only they tell.
SLACK_SECONDS = 2.0

_HOST = socket.gethostname()


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


#: Of this process. A container may have its host's name, but not its pids.
PID_NAMESPACE = _pid_namespace()


def notice_gone(journal: Journal) -> int:
    """Have the journal put right what processes left that are gone. Says how many these were. Raises JournalError.

    Any process may do so, at any time: of two that do the second changes nothing.
    """
    gone = [report for report in find_gone(journal.processes()) if not report.is_gone]
    return journal.take_for_gone(gone) if gone else 0


def find_gone(reports: Sequence[ProcessReport], now: float | None = None) -> list[ProcessReport]:
    """Those of *reports* whose process is gone; *now* is in seconds since 1970."""
    now = time.time() if now is None else now
    latest: dict[tuple[str, int, int], int] = {}
    for report in reports:
        key = report.host, report.pid_namespace, report.pid
        latest[key] = max(latest.get(key, 0), report.started_ts)
    return [
        report
        for report in reports
        # Of two with one pid the later has taken the other's place, by exec as well.
        if report.is_gone
        or report.started_ts < latest[report.host, report.pid_namespace, report.pid]
        or not _is_there(report, now)
    ]


def silence(report: ProcessReport, now: float | None = None) -> float:
    """For how many seconds a process was not heard of; never less than none, whatever its clock says."""
    return max(0.0, (time.time() if now is None else now) - report.seen_ts / 1e6)


def lag(reports: Sequence[ProcessReport], now: float | None = None) -> float:
    """How many seconds old the oldest send may be that one of *reports*' processes has not brought into the journal.

    Who has nothing waiting is late when its next sign of life is.
    """
    late = (silence(each, now) - (0 if each.buffered else HEARTBEAT_SECONDS) for each in reports)
    return max([0.0, *late])


def _is_there(report: ProcessReport, now: float) -> bool:
    is_here = report.host == _HOST and report.pid_namespace == PID_NAMESPACE
    there = _is_running(report) if is_here else None
    return silence(report, now) <= SILENT_SECONDS if there is None else there


def _is_running(report: ProcessReport) -> bool | None:
    """Whether the process runs on this host; None when that cannot be told."""
    if os.name != "posix":
        return None  # Windows' os.kill would end it
    try:
        state, ticks = _stat(report.pid)
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return False
        return _has_pid(report.pid)
    if state in (b"Z", b"X"):
        return False
    if report.pid_ticks:
        return ticks == report.pid_ticks
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    return started <= report.started_ts / 1e6 + SLACK_SECONDS


def pid_ticks() -> int:
    """Clock ticks from the system's boot to the start of this process, which no change of a clock concerns; 0 where
    the system does not tell."""
    try:
        return _stat(os.getpid())[1]
    except OSError:
        return 0


def _stat(pid: int) -> tuple[bytes, int]:
    """The state of a process, and the ticks of its start. Raises OSError."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        state, *fields = file.read().rpartition(b")")[2].split()
    return state, int(fields[18])


def _has_pid(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
