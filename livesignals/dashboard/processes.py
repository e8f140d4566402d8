"""The panel "Processes": who records, what became of what each captured, and when it was heard of last.

On a worker thread.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from livesignals.dashboard.markup import render
from livesignals.dashboard.rows import DROPPED
from livesignals.dashboard.sources import LIVE
from livesignals.dashboard.words import number
from livesignals.exceptions import JournalError
from livesignals.journal import Counts, ProcessReport
from livesignals.journal.accounts import OTHER_JOURNAL
from livesignals.journal.liveness import HEARTBEAT_SECONDS, find_gone, silence

#: At most so many processes that are gone are listed, those that were heard of last.
GONE_ROWS = 20


def listing(request: HttpRequest) -> HttpResponse:
    """The panel's content."""
    try:
        journal = LIVE.get_journal()
        return HttpResponse(processes_html(journal.processes(), journal.counts()))
    except JournalError as error:
        values = {"problem": f"{error} {error.hint}"}
        return HttpResponse(render("livesignals/processes.html", values), status=503)


def processes_html(reports: list[ProcessReport], counts: Counts) -> str:
    """*reports* with the latest first, and the figures of all processes there ever were."""
    gone = {report.process for report in find_gone(reports)}
    alive = [report for report in reports if report.process not in gone]
    ended = [report for report in reports if report.process in gone]
    return render(
        "livesignals/processes.html",
        {
            "all": _figures(counts.captured, counts.stored, counts.dropped, counts.buffered, counts.counted),
            "processes": [*(_row(each) for each in alive), *(_row(each, gone=True) for each in ended[:GONE_ROWS])],
            "left_out": len(ended[GONE_ROWS:]),
        },
    )


def _row(report: ProcessReport, *, gone: bool = False) -> dict[str, Any]:
    seconds = silence(report)
    return {
        "role": report.role or gettext("a program"),
        "host": report.host,
        "pid": report.pid,
        "gone": gone,
        "late": not gone and seconds > 2 * HEARTBEAT_SECONDS,
        "seen": _ago(seconds),
        **_figures(report.captured, report.stored, report.dropped, report.buffered, report.counted),
    }


def _figures(captured: int, stored: int, dropped: dict[str, int], buffered: int, counted: int) -> dict[str, Any]:
    reasons = [
        {"words": f"{number(count)} {DROPPED.get(reason, reason)}", "is_loss": reason != OTHER_JOURNAL}
        for reason, count in dropped.items()
        if count
    ]
    return {
        "captured": number(captured),
        "stored": number(stored),
        "dropped": number(sum(dropped.values())),
        "buffered": number(buffered),
        "counted": number(counted) if counted else "",
        "reasons": reasons,
        "is_losing": any(reason["is_loss"] for reason in reasons),
    }


def _ago(seconds: float) -> str:
    if seconds < 60:
        return gettext("%(n)d s ago") % {"n": seconds}
    if seconds < 3_600:
        return gettext("%(n)d min ago") % {"n": seconds / 60}
    if seconds < 86_400:
        return gettext("%(n)d h ago") % {"n": seconds / 3_600}
    return gettext("%(n)d d ago") % {"n": seconds / 86_400}
