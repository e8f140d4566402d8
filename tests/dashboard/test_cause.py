"""The page of one cause: what it says of its sends, and that nothing in them can act."""

import re
from typing import Any

from hypothesis import given, settings

from livesignals.dashboard import cause as cause_page
from livesignals.dashboard.rendering import cause_html
from livesignals.events import Cause, Event
from tests.dashboard.test_rendering import MARKUP, Document, hostile
from tests.insights.building import causes, send


def words(html: str) -> str:
    return re.sub(r"\s+", " ", Document(html).text)


def table(html: str, name: str) -> list[list[str]]:
    """The cells of a table's body."""
    body = html.partition(f'<table id="{name}">')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [row for row in body.split("</tr>") if row.strip()]
    return [[Document(cell).text for cell in re.split(r"</t[hd]>", row)[:-1]] for row in rows]


def lines(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """For each line of the axis its link, and the bar of its send."""
    elements = Document(html).elements
    links = [found["href"] or "" for tag, found in elements if tag == "a" and "#" in (found.get("href") or "")]
    bars = [found for tag, found in elements if tag == "rect" and found.get("class") == "send"]
    return list(zip(links, bars, strict=True))


CHILD = {"parent": "a", "root": "a"}
EVENTS = [
    send("a", 0, 1_000, id=1, epoch="e", signal="shop.order_paid", receivers=[("shop.pay", 0, 600)]),
    send("b", 100, 400, id=2, epoch="e", **CHILD, signal="shop.stored", receivers=[("shop.index", 0, 400)]),
    send("c", 3_000, 1_000, id=3, epoch="e", cause=Cause(kind="request", name="POST /orders/", id="c1", status=302)),
]


def test_sends_stand_on_one_axis_of_time_nested() -> None:
    """Begin and length are percentages from the first begin to the last end; each line leads to its send."""
    html = cause_html(EVENTS[::-1], base="/ls/")
    assert [(link, bar["x"], bar["width"]) for link, bar in lines(html)] == [
        ("/ls/#e/1", "0.000", "25.000"),
        ("/ls/#e/2", "2.500", "10.000"),
        ("/ls/#e/3", "75.000", "25.000"),
    ]
    depths = [found["class"] for tag, found in Document(html).elements if tag == "li"]
    assert depths == ["d0", "d1", "d0"]
    said = words(html)
    for expected in ("request POST /orders/", "302", "4.0 ms from the first", "3 sends", "0 failed"):
        assert expected in said
    assert "1 send " in words(cause_html(EVENTS[:1], base="/ls/"))


def test_the_tables_tell_total_and_own_time() -> None:
    """By receiver, and by signal."""
    html = cause_html(EVENTS, base="/ls/")
    assert table(html, "receivers") == [
        ["shop.index", "1", "0.4 ms", "0.4 ms", "", "–"],
        ["shop.pay", "1", "0.6 ms", "0.2 ms", "", "–"],
    ]
    assert [row[:4] for row in table(html, "signals")] == [
        ["s", "1", "1.0 ms", "1.0 ms"],
        ["shop.order_paid", "1", "1.0 ms", "0.6 ms"],
        ["shop.stored", "1", "0.4 ms", "0.4 ms"],
    ]


def test_what_is_left_out_is_said() -> None:
    """Of sends that were not read, and of those that are in the figures but not drawn."""
    many = [send(f"u{number}", number, 1) for number in range(cause_page.DRAWN + 234)]
    html = cause_html(many, base="/ls/", is_cut=True)
    assert len(lines(html)) == cause_page.DRAWN
    assert "234 more sends are in the figures, but not drawn" in words(html)
    assert "only the first 1,234 were read" in words(html)
    assert "1 more send is in the figures" in words(cause_html(many[: cause_page.DRAWN + 1], base="/ls/"))
    assert table(html, "signals")[0][1] == "1,234"
    assert 'role="note"' not in cause_html(EVENTS, base="/ls/")


def test_a_cause_that_is_gone_says_so() -> None:
    """And a journal that cannot be read says why."""
    assert "No longer retained" in words(cause_html([], base="/ls/"))
    assert "It is away. Wait." in words(cause_html([], base="/ls/", problem="It is away. Wait."))


@settings(deadline=None)
@given(causes())
def test_bars_stay_on_the_axis(events: list[Event]) -> None:
    """Whatever there was, from 0 to 100 percent, receivers too."""
    for tag, found in Document(cause_html(events, base="/ls/")).elements:
        if tag == "rect" and "x" in found:
            x, width = float(found["x"] or ""), float(found["width"] or "")
            assert x >= 0
            assert width > 0
            assert x + width <= 100.01


@settings(deadline=None)
@given(MARKUP)
def test_nothing_in_an_event_becomes_markup(text: str) -> None:
    """The page keeps its elements and attributes whatever the texts are."""

    def shape(said: str) -> Any:
        return Document(cause_html([hostile(said)], base="/ls/")).shape

    assert shape(text) == shape("x")


def test_nothing_needs_more_than_the_strict_policy_allows() -> None:
    """No inline style, no inline script, no handler in an attribute."""
    for tag, found in Document(cause_html(EVENTS, base="/ls/")).elements:
        assert tag != "style"
        assert "style" not in found
        assert not [name for name in found if name.startswith(("on", "hx-"))]
        assert tag != "script" or found.get("src")
