"""``health``, for probes: whether what is sent reaches the journal, in counts. On the event loop.

A probe has no session, so nothing here is anybody's secret: no names, no messages, no hosts. However often it is asked,
the journal is looked at once a second, by one thread.
"""

import asyncio
import logging
import time
from typing import Literal

import msgspec
from django.http import HttpResponse
from msgspec import Struct

from livesignals.exceptions import JournalError
from livesignals.journal import Journal
from livesignals.journal.liveness import SILENT_SECONDS, find_gone, lag
from livesignals.transport.feed import Feed

logger = logging.getLogger("livesignals")

#: An answer is given again for so long.
KEEP_SECONDS = 1.0
#: A journal that does not answer for so long is not available.
PATIENCE_SECONDS = 5.0
#: Sends that were dropped are told for so long.
DROPPED_SECONDS = 60.0


class Health(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a probe is told; without figures when the journal cannot be used."""

    status: Literal["ok", "degraded", "unavailable"]
    captured: int | None = None  # == stored + dropped + buffered
    stored: int | None = None
    dropped: int | None = None
    buffered: int | None = None
    counted: int | None = None  # sends that were counted instead of kept
    retained: int | None = None
    processes: int | None = None  # that record, and are alive
    lag_seconds: float | None = None  # how old a send may be that is not in the journal yet


class Probe:
    """The answers of one dashboard."""

    def __init__(self) -> None:
        self._health = Health(status="unavailable")
        self._looked_at = -KEEP_SECONDS
        self._looking: asyncio.Task[Health] | None = None
        self._dropped: int | None = None
        self._dropped_at = -DROPPED_SECONDS

    async def answer(self, feed: Feed) -> HttpResponse:
        """200, or 503 when the journal cannot be used."""
        if time.monotonic() - self._looked_at >= KEEP_SECONDS:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._ask(feed))
            try:
                self._health = await asyncio.wait_for(asyncio.shield(self._looking), PATIENCE_SECONDS)
            except TimeoutError:
                self._health = Health(status="unavailable")
            self._looked_at = time.monotonic()
        return HttpResponse(
            msgspec.json.encode(self._health) + b"\n",
            status=503 if self._health.status == "unavailable" else 200,
            content_type="application/json",
        )

    async def _ask(self, feed: Feed) -> Health:
        try:
            return await feed.run(self._look)
        except JournalError:
            pass  # the page and doctor say why
        except Exception:
            logger.exception("livesignals could not tell its health")
        return Health(status="unavailable")

    def _look(self, journal: Journal) -> Health:
        """On a worker thread, one at a time."""
        reports, counts = journal.processes(), journal.counts()
        gone = {report.process for report in find_gone(reports)}
        alive = [report for report in reports if report.process not in gone]
        dropped = sum(counts.dropped.values())
        if self._dropped is not None and dropped > self._dropped:
            self._dropped_at = time.monotonic()
        self._dropped = dropped
        seconds = lag(alive)
        is_losing = time.monotonic() - self._dropped_at < DROPPED_SECONDS
        return Health(
            status="degraded" if is_losing or seconds > SILENT_SECONDS else "ok",
            captured=counts.captured,
            stored=counts.stored,
            dropped=dropped,
            buffered=counts.buffered,
            counted=counts.counted,
            retained=counts.retained,
            processes=len(alive),
            lag_seconds=round(seconds, 1),
        )
