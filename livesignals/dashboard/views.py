"""What the dashboard answers over HTTP. On a worker thread; whoever gets here may look."""

from collections.abc import Iterator
from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext
from django.views.static import serve

import livesignals
from livesignals.dashboard import rendering, sources
from livesignals.dashboard.sources import source_of
from livesignals.dashboard.trees import Around, around, below, nested
from livesignals.events import Event
from livesignals.exceptions import FilterError, JournalError
from livesignals.filters import FIELDS, Filter, parse
from livesignals.journal import Journal

#: At most so many rows are opened from one row that stands for many.
RANGE_ROWS = 500
#: At most so many sends of a cause are read for its page; the first ones.
CAUSE_EVENTS = 5_000

_PACKAGE = Path(livesignals.__file__).resolve().parent
#: In a wheel the assets are inside the package, in a checkout beside it.
STATIC_ROOT = next(
    (folder for folder in (_PACKAGE / "static", _PACKAGE.parent / "static") if (folder / "livesignals").is_dir()),
    _PACKAGE / "static",
)


def index(request: HttpRequest) -> HttpResponse:
    """The page."""
    if name := request.GET.get("recording"):
        return _to_recording(request, name)
    base = request.path
    html = rendering.index_html(
        base=base,
        assets=f"{base}static/livesignals/",
        socket_url=f"{base}socket/",
        fields=FIELDS,
        recording=source_of(request).recording(),
        live_url=sources.page_of(request, ""),
    )
    return HttpResponse(html)


def _to_recording(request: HttpRequest, name: str) -> HttpResponse:
    """``?recording=NAME`` is another address of a recording's page."""
    sources.resolve(f"{sources.RECORDINGS}{name}/")
    query = request.GET.copy()
    del query["recording"]
    return HttpResponseRedirect(f"{sources.page_of(request, name)}{'?' if query else ''}{query.urlencode()}")


def event(request: HttpRequest, epoch: str, event_id: int) -> HttpResponse:
    """The detail pane of one event."""
    try:
        journal = source_of(request).get_journal()
        bounds = journal.bounds()
        found = journal.get(event_id) if bounds.epoch == epoch and event_id <= bounds.last else None
        if found is None:
            text = gettext("This event is not retained any more: newer ones have taken its place.")
            return _notice(text, status=404)
        tree = nested(journal.tree(found.root))
        rest = around(found, journal.cause(found.cause.id)) if found.cause else Around()
        return HttpResponse(rendering.detail_html(found, tree, rest))
    except JournalError as error:
        return _notice(f"{error} {error.hint}", status=503)


def branch(request: HttpRequest, epoch: str, event_id: int) -> HttpResponse:
    """The rows of the sends that one send made, in the order in which they began, nothing when it made none."""
    try:
        journal = source_of(request).get_journal()
        found = journal.get(event_id) if journal.bounds().epoch == epoch else None
        if found is None:
            return _notice(gettext("This event is not retained any more: newer ones have taken its place."), status=404)
        made = below(found, journal.tree(found.root))
    except JournalError as error:
        return _notice(f"{error} {error.hint}", status=503)
    return HttpResponse(rendering.branch_html(made))


def cause(request: HttpRequest, epoch: str, cause_id: str) -> HttpResponse:
    """The page of one request, command or task: all its sends on one axis."""
    base = request.path.removesuffix(f"causes/{epoch}/{cause_id}/")
    try:
        journal = source_of(request).get_journal()
        events = journal.cause(cause_id, CAUSE_EVENTS + 1) if journal.bounds().epoch == epoch else []
    except JournalError as error:
        return HttpResponse(rendering.cause_html([], base=base, problem=f"{error} {error.hint}"), status=503)
    is_cut = len(events) > CAUSE_EVENTS
    html = rendering.cause_html(events[:CAUSE_EVENTS], base=base, is_cut=is_cut)
    return HttpResponse(html, status=200 if events else 404)


def events_between(request: HttpRequest) -> HttpResponse:
    """The rows of a range of ids that match the filter, newest first."""
    try:
        first, last = int(request.GET["first"]), int(request.GET["last"])
        chosen = parse(request.GET.get("filter", ""))
    except (KeyError, ValueError):
        return _notice(gettext("first and last must be ids of events."), status=400)
    except FilterError as error:
        return _notice(str(error), status=400)
    try:
        journal = source_of(request).get_journal()
        bounds = journal.bounds()
        if request.GET.get("epoch", bounds.epoch) != bounds.epoch or last < bounds.first:
            return _notice(gettext("These events are not retained any more."), status=404)
        found = journal.search(chosen, before=last + 1, limit=RANGE_ROWS)
        events = [event for event in found.events if event.id >= first]
        rows = rendering.rows_html(events)
        if len(events) == RANGE_ROWS:
            left = sum(1 for _ in _matching(journal, chosen, first, events[-1].id - 1))
            rows += rendering.coalesced_html(first, events[-1].id - 1, left) if left else ""
    except JournalError as error:
        return _notice(f"{error} {error.hint}", status=503)
    return HttpResponse(rows)


def static(request: HttpRequest, path: str) -> HttpResponseBase:
    """The dashboard's own assets: nothing has to be set up for them."""
    if not path.startswith("livesignals/"):
        raise Http404
    try:
        response = serve(request, path, document_root=str(STATIC_ROOT))
    except OSError:  # a name that no file can have
        raise Http404 from None
    if not isinstance(response, FileResponse) or response.file_to_stream is None:
        return response  # not modified
    # Read here, on a worker thread, and closed here: the response's own close() would send request_finished.
    with response.file_to_stream as file:
        content = file.read()
    return HttpResponse(content, headers=dict(response.items()))


def _matching(journal: Journal, chosen: Filter, first: int, last: int) -> Iterator[Event]:
    """The matching events of a range, oldest first."""
    after = first - 1
    while True:
        found = journal.search_forward(chosen, after=after, limit=RANGE_ROWS)
        for event in found.events:
            if event.id > last:
                return
            yield event
        if found.exhausted:
            return
        after = found.scanned_to


def _notice(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(format_html('<p class="notice" role="alert">{}</p>', text), status=status)
