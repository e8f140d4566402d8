"""The menu "Take away": downloads of what the filter holds, and the recordings there are. On a worker thread."""

import logging
import time
from collections.abc import Generator
from threading import BoundedSemaphore

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from livesignals.dashboard import rendering
from livesignals.dashboard.sources import page_of, source_of
from livesignals.dashboard.streaming import StreamedResponse, in_pieces
from livesignals.exceptions import FilterError, JournalError
from livesignals.exchange import recordings
from livesignals.exchange.formats import FORMATS, Format
from livesignals.exchange.reading import retained, within
from livesignals.filters import Filter, parse
from livesignals.journal import Journal

logger = logging.getLogger("livesignals")

#: Downloads under way in this process. More have to wait: each keeps a worker thread busy.
MAX_DOWNLOADS = 4

_places = BoundedSemaphore(MAX_DOWNLOADS)


def download(request: HttpRequest) -> HttpResponseBase:
    """What is retained and matches ``filter``, from ``from`` to ``to`` (ids or times), in ``format``."""
    form = FORMATS.get(request.GET.get("format", "jsonl"))
    if form is None:
        return _plain(f"format must be one of {', '.join(FORMATS)}.", status=400)
    try:
        chosen = within(parse(request.GET.get("filter", "")), request.GET.get("from", ""), request.GET.get("to", ""))
    except FilterError as error:
        return _plain(f"{error}; expected {error.expected}" if error.expected else str(error), status=400)
    source = source_of(request)
    try:
        journal = source.get_journal()
        journal.bounds()  # what is wrong with the journal should be said, not downloaded
    except JournalError as error:
        return _plain(f"{error} {error.hint}", status=503)
    if not _places.acquire(blocking=False):
        return _plain(f"{MAX_DOWNLOADS} downloads are under way. Try again when one is done.", status=503)
    name = source.name or time.strftime("livesignals-%Y%m%dT%H%M%SZ", time.gmtime())
    return StreamedResponse(
        _pieces(journal, chosen, form),
        over=_places.release,
        content_type=form.content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}{form.suffix}"'},
    )


def listing(request: HttpRequest) -> HttpResponse:
    """The recordings, for the menu."""
    known = [(page_of(request, each.name), each) for each in map(recordings.describe, recordings.names())]
    return HttpResponse(rendering.recordings_html(known, current=source_of(request).name, live=page_of(request, "")))


def _pieces(journal: Journal, chosen: Filter, form: Format) -> Generator[bytes]:
    """The download. Once it has begun, an error can only be said in it: no reader takes that line for an event."""
    try:
        yield from in_pieces(form.write(retained(journal, chosen, tell=logger.warning)))
    except JournalError as error:
        yield f"\nlivesignals: cut short: {error}\n".encode()
    except Exception:
        logger.exception("livesignals: a download failed")
        yield b"\nlivesignals: cut short: the server's log says why\n"


def _plain(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
