"""Events as HTML: what the consumer and the views ask for, and the page around it.

Runs on any thread and on the event loop: no I/O after a template's first use.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.utils.translation import get_language, get_language_bidi, ngettext
from msgspec import json

from livesignals.catalogue.builtin import FAMILIES
from livesignals.dashboard.cause import cause_html
from livesignals.dashboard.detail import detail_html
from livesignals.dashboard.examples import EXAMPLES
from livesignals.dashboard.markup import render
from livesignals.dashboard.rows import (
    DROPPED,
    branch_html,
    coalesced_html,
    dropped_html,
    gap_html,
    notice_html,
    row_html,
    rows_html,
)
from livesignals.dashboard.words import number
from livesignals.exchange.recordings import Recording
from livesignals.filters.fields import Field
from livesignals.journal.accounts import OTHER_JOURNAL
from livesignals.transport.faceting import FACETS

__all__ = [
    "branch_html",
    "cause_html",
    "coalesced_html",
    "detail_html",
    "dropped_html",
    "gap_html",
    "index_html",
    "notice_html",
    "recordings_html",
    "row_html",
    "rows_html",
]


def index_html(
    *,
    base: str,
    assets: str,
    socket_url: str,
    fields: Iterable[Field],
    recording: Recording | None = None,
    live_url: str = "",
) -> str:
    """The whole page.

    *base* is the page's own path and *assets* that of ``static/livesignals/``, both with a slash at the end;
    *fields* are what a filter can ask about, for the help. *recording* is what the page shows instead of what
    happens now, and *live_url* the path of the page that shows that.
    """
    return render(
        "livesignals/index.html",
        {
            "base": base,
            "assets": assets,
            "socket_url": socket_url,
            "fields": fields,
            "facets": FACETS,
            "examples": EXAMPLES,
            "recording": recording and _recording(recording),
            "live_url": live_url,
            "families": FAMILIES.values(),
            "dropped_reasons": json.encode({reason: str(words) for reason, words in DROPPED.items()}).decode(),
            "no_loss": OTHER_JOURNAL,
            "language": get_language() or "en",
            "direction": "rtl" if get_language_bidi() else "ltr",
        },
    )


def recordings_html(recordings: Iterable[tuple[str, Recording]], *, current: str, live: str) -> str:
    """The recordings as (path of its page, recording) in a list of links; *current* is the name of the one that is
    open, "" when it is the live journal, whose path is *live*."""
    known = [{"url": url, **_recording(each)} for url, each in recordings]
    return render("livesignals/recordings.html", {"recordings": known, "current": current, "live": live})


def _recording(recording: Recording) -> dict[str, str]:
    """A recording in words."""
    count = ngettext("%(n)s send", "%(n)s sends", recording.events) % {"n": number(recording.events)}
    imported = datetime.fromtimestamp(recording.imported_us / 1e6, UTC)
    return {
        "name": recording.name,
        "count": count,
        "source": recording.source,
        "problem": recording.problem,
        "imported": f"{imported:%Y-%m-%d %H:%M} UTC",
        "imported_iso": f"{imported:%Y-%m-%dT%H:%M:%SZ}",
    }
