"""How many signals, or receivers of signals, the recorder of this process has kept so far."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livesignals.journal import Counts

SUBJECT = os.environ["BENCH_SUBJECT"]


def recorded() -> int:
    """Records of sends; with sentry-sdk, of receiver calls in transactions that are over."""
    match SUBJECT:
        case "livesignals" | "switched off":
            counts = journal_counts()
            assert counts.captured == counts.stored + sum(counts.dropped.values()), counts
            return counts.stored
        case "sentry-sdk":
            from tests.benchmarks.inside.spans import CountingTransport

            return CountingTransport.spans
        case "django-orbit":
            from orbit.models import OrbitEntry

            return int(OrbitEntry.objects.filter(type=OrbitEntry.TYPE_SIGNAL).count())
        case "django-scope":
            from telescope.entry_type import EntryType
            from telescope.models import TelescopeEntry

            return int(TelescopeEntry.objects.filter(type__in=[EntryType.EVENT, EntryType.MODEL]).count())
    return 0


def flush() -> None:
    """Wait until livesignals has stored what was sent; the others work on the thread that sends."""
    if SUBJECT in ("livesignals", "switched off"):
        from livesignals.transport.process import get_flusher

        assert get_flusher().flush(60)


def journal_counts() -> "Counts":
    """What livesignals' journal says of itself, once everything is in it."""
    from livesignals.transport.process import get_journal

    flush()
    return get_journal().counts()


def transaction() -> AbstractContextManager[Any]:
    """Where a span is kept: without a transaction sentry-sdk records nothing. For the others, nothing."""
    if SUBJECT == "sentry-sdk":
        import sentry_sdk

        started: AbstractContextManager[Any] = sentry_sdk.start_transaction(op="task", name="sends")
        return started
    return nullcontext()
