"""Events as HTML: what the consumer and the views ask for, and the page around it.

Runs on any thread and on the event loop: no I/O after a template's first use.
"""

from collections.abc import Iterable

from django.utils.translation import get_language, get_language_bidi

from livesignals.catalogue.builtin import FAMILIES
from livesignals.dashboard.cause import cause_html
from livesignals.dashboard.detail import detail_html
from livesignals.dashboard.markup import render
from livesignals.dashboard.rows import (
    branch_html,
    coalesced_html,
    gap_html,
    notice_html,
    row_html,
    rows_html,
)
from livesignals.filters.fields import Field

__all__ = [
    "branch_html",
    "cause_html",
    "coalesced_html",
    "detail_html",
    "gap_html",
    "index_html",
    "notice_html",
    "row_html",
    "rows_html",
]


def index_html(*, base: str, assets: str, socket_url: str, fields: Iterable[Field]) -> str:
    """The whole page.

    *base* is the page's own path and *assets* that of ``static/livesignals/``, both with a slash at the end;
    *fields* are what a filter can ask about, for the help.
    """
    return render(
        "livesignals/index.html",
        {
            "base": base,
            "assets": assets,
            "socket_url": socket_url,
            "fields": fields,
            "families": FAMILIES.values(),
            "language": get_language() or "en",
            "direction": "rtl" if get_language_bidi() else "ltr",
        },
    )
