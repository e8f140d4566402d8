"""The figures of processes: keeping ``captured == stored + dropped + buffered`` true in a journal."""

from collections import Counter
from collections.abc import Iterable

from msgspec import UNSET
from msgspec.structs import replace

from livesignals.events import Record, decode_stored
from livesignals.journal.base import ProcessReport

#: Stored by the process in a journal that is not this one (replaced, set aside, or configured before), or lost by it.
OTHER_JOURNAL = "stored in another journal"
#: How many processes have a report of their own; those that were not heard of for longest are added up in one.
KEPT_PROCESSES = 200
#: Still in the buffer of a process that has not been heard of for long.
PROCESS_ENDED = "process ended"


def sends_counted(records: Iterable[Record]) -> int:
    """How many sends the counts among *records* stand for."""
    counts = (decode_stored("", 0, record.body).counted for record in records if " counted " in record.flags)
    return sum(count.sends for count in counts if count is not UNSET)


def stored(report: ProcessReport, before: ProcessReport | None, events: int, counted: int) -> ProcessReport:
    """The report to keep once *events* more were stored, with counts of *counted* sends among them; *before* is what
    this journal kept until now."""
    count = events
    if before is not None:
        count += before.stored
        counted += before.counted
    elsewhere = report.captured - sum(report.dropped.values()) - report.buffered - count
    dropped = {**report.dropped, OTHER_JOURNAL: elsewhere} if elsewhere > 0 else report.dropped
    return replace(report, stored=count, dropped=dropped, counted=counted)


def ended(report: ProcessReport) -> ProcessReport:
    """The report of a process that is taken to be gone, and its buffer with it."""
    if not report.buffered:
        return report
    dropped = Counter(report.dropped)
    dropped[PROCESS_ENDED] += report.buffered
    return replace(report, dropped=dict(dropped), buffered=0)


def total(added: Iterable[ProcessReport], subtracted: Iterable[ProcessReport] = ()) -> ProcessReport:
    """The sums of many reports, as the report of no process."""
    captured = stored = buffered = counted = 0
    dropped: Counter[str] = Counter()
    for sign, reports in ((1, added), (-1, subtracted)):
        for report in reports:
            captured += sign * report.captured
            stored += sign * report.stored
            buffered += sign * report.buffered
            counted += sign * report.counted
            for reason, count in report.dropped.items():
                dropped[reason] += sign * count
    return ProcessReport(
        process="",
        host="",
        pid=0,
        role="",
        started_ts=0,
        seen_ts=0,
        captured=captured,
        stored=stored,
        dropped={reason: count for reason, count in dropped.items() if count},
        buffered=buffered,
        counted=counted,
    )
