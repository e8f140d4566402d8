"""Events as HTML: what a row and the pane say, and that nothing an event carries can act in the page."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from django.template import Context, Engine
from django.test import override_settings
from django.test.signals import template_rendered
from hypothesis import given
from hypothesis import strategies as st

from livesignals.catalogue.builtin import BUILTIN, FAMILIES
from livesignals.dashboard import rendering
from livesignals.dashboard.detail import TREE_LIMIT
from livesignals.dashboard.rows import BAR_STEPS, BRANCH_ROWS
from livesignals.dashboard.words import SUMMARY_LENGTH, duration, summary
from livesignals.events import Cause, Counted, Error, Event, Process, ReceiverCall, Transaction
from livesignals.filters import FIELDS

POST_SAVE = "django.db.models.signals.post_save"
MASKED = "••••••"
ORDER = {"model": "shop.Order", "pk": 7, "fields": {"status": "paid", "card_token": MASKED}}
FAILED = Error("django.db.utils.IntegrityError", "UNIQUE constraint failed")


def event(**changes: Any) -> Event:
    """An ordinary send, with *changes*."""
    values: dict[str, Any] = {
        "epoch": "k3f9",
        "id": 4711,
        "uid": "u1",
        "root": "u1",
        "ts": "2026-01-02T03:04:05.678901Z",
        "signal": POST_SAVE,
        "family": "model",
        "sender": "shop.Order",
        "duration_us": 812.4,
        "receivers": [ReceiverCall(name="shop.receivers.reserve_stock", duration_us=790.1)],
        "kwargs": {"instance": ORDER, "created": True},
        "cause": Cause(kind="request", name="POST /orders/", id="c1"),
        "process": Process(host="web-1", pid=123, seq=88),
    }
    return Event(**{**values, **changes})


class Document(HTMLParser):
    """HTML as a browser would read it: its elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        """Tags and names of attributes, without any value."""
        return [(tag, list(attributes)) for tag, attributes in self.elements]


def attributes(html: str, tag: str) -> dict[str, str | None]:
    """The attributes of the first *tag*."""
    return next(found for name, found in Document(html).elements if name == tag)


def classes(html: str) -> set[str]:
    """The classes of the first element."""
    return set((Document(html).elements[0][1]["class"] or "").split())


def test_a_row_carries_what_scripts_and_tests_find_it_by() -> None:
    """Its id, epoch, signal, sender and family are data attributes, its time is machine-readable."""
    row = rendering.row_html(event())
    found = attributes(row, "li")
    assert (found["data-id"], found["data-epoch"]) == ("4711", "k3f9")
    assert (found["data-signal"], found["data-sender"], found["data-f"]) == (POST_SAVE, "shop.Order", "model")
    assert attributes(row, "time")["datetime"] == "2026-01-02T03:04:05.678901Z"


def test_a_row_says_what_happened_in_one_line() -> None:
    """Time, family letter, signal, sender, what it carried, receivers, duration, cause and the way to it, process."""
    text = Document(rendering.row_html(event())).text
    assert text == "03:04:05.678Mpost_saveshop.Order 7 created10.8 msPOST /orders/↗123"


def test_a_custom_signal_shows_where_it_is_from() -> None:
    """The last part of its name stands first, so that a narrow column keeps what tells signals apart."""
    text = Document(rendering.row_html(event(signal="shop.signals.order_paid", family="custom"))).text
    assert "order_paid shop.signals" in text


def test_rows_come_in_the_order_they_are_given() -> None:
    """Newest first, as the list shows them."""
    rows = Document(rendering.rows_html([event(id=3), event(id=2), event(id=1)]))
    assert [found["data-id"] for tag, found in rows.elements if tag == "li"] == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("changes", "name", "tag"),
    [
        ({"status": "raised", "error": FAILED}, "err", "IntegrityError"),
        (
            {"receivers": [ReceiverCall(name="r", duration_us=1, status="raised", error=FAILED)] * 2},
            "err",
            "IntegrityError × 2",
        ),
        ({"transaction": Transaction(db="default", state="rolled_back", id="t")}, "rb", "rolled back"),
        ({"status": "skipped", "duration_us": None, "receivers": []}, "skip", "skipped: no receiver"),
        ({"duration_us": 10_000.0}, "slow", "slow"),
        ({"parent": "u0"}, "nested", ""),
    ],
)
def test_what_is_out_of_the_ordinary_shows(changes: dict[str, Any], name: str, tag: str) -> None:
    """By a class for the eye, and in words."""
    row = rendering.row_html(event(**changes))
    assert name in classes(row)
    assert tag in Document(row).text
    assert name not in classes(rendering.row_html(event()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flags": ["truncated"]}, "truncated"),
        ({"flags": ["deeper"]}, "deeper"),
        ({"flags": ["after_response"]}, "after response"),
        ({"flags": ["sampled"]}, "sampled"),
        ({"transaction": Transaction(db="default", state="pending", id="t")}, "○"),
        ({"transaction": Transaction(db="default", state="committed", id="t")}, "✓"),
        ({"transaction": Transaction(db="default", state="unknown", id="t")}, "?"),
    ],
)
def test_what_a_reader_must_know_is_a_word_or_a_mark(changes: dict[str, Any], words: str) -> None:
    """Never a colour alone, and a mark says in its title what it means."""
    row = Document(rendering.row_html(event(**changes)))
    assert words in row.text
    assert words not in Document(rendering.row_html(event())).text
    marks = [found for tag, found in row.elements if tag == "i" and found.get("class") == "tx"]
    assert all(found["title"] for found in marks)
    assert len(marks) == ("transaction" in changes)


def test_a_row_of_a_tree_stands_as_deep_as_it_is() -> None:
    """Below the send that made it; what is too much for a list is counted."""
    assert "branch b2" in rendering.branch_html([(2, event())])
    html = rendering.branch_html([(1, event(id=n)) for n in range(BRANCH_ROWS + 7)])
    assert html.count('class="row') == BRANCH_ROWS
    assert "and 7 more sends" in html


NOT_OF_A_COUNT: dict[str, Any] = {"duration_us": None, "receivers": [], "kwargs": {}, "method": "", "thread": ""}


@pytest.mark.parametrize(
    ("flags", "words", "sentence"),
    [
        (["counted"], "counted", "as COUNT says"),
        (["counted", "sampled"], "counted, sampled", "SAMPLE keeps one of so many"),
        (["counted", "flooded"], "counted, over the ceiling", "as many as FLOOD keeps in a second"),
        (["counted", "deep"], "counted, too deep", "nested deeper than is kept"),
    ],
)
def test_a_count_says_why_its_sends_were_not_kept(flags: list[str], words: str, sentence: str) -> None:
    """In two words in the row, in a sentence in the pane and in the row's title."""
    counted = Counted(sends=9, duration_us=1.0, seconds=1.0)
    count = event(counted=counted, flags=flags, **NOT_OF_A_COUNT)
    row = Document(rendering.row_html(count))
    assert f"× 9 {words}" in re.sub(r"\s+", " ", row.text)
    assert any(sentence in (attributes.get("title") or "") for _, attributes in row.elements)
    assert sentence in Document(rendering.detail_html(count)).text


@pytest.mark.parametrize(
    ("status", "tag", "words"),
    [
        ("returned", "× 5,000", "× 5,000 within 1.0 s. They took 1.2 ms together, 0.2 µs each on average."),
        ("raised", "× 5,000 raised", "× 5,000 within 1.0 s that raised. They took 1.2 ms together"),
        ("skipped", "× 5,000 skipped: no receiver", "× 5,000 within 1.0 s that Django did not send"),
    ],
)
def test_a_count_says_how_many_sends_it_stands_for(status: str, tag: str, words: str) -> None:
    """In the row with their total time, in the pane in a sentence; nothing is said of what is not known."""
    count = event(
        status=status,
        counted=Counted(sends=5_000, duration_us=1_234.5, seconds=1.0),
        flags=["counted"],
        **NOT_OF_A_COUNT,
    )
    row = rendering.row_html(count)
    assert tag in Document(row).text
    assert "Σ 1.2 ms" in Document(row).text
    assert "—" in Document(row).text
    assert ("err" in classes(row)) == (status == "raised")
    pane = re.sub(r"\s+", " ", Document(rendering.detail_html(count)).text)
    assert words in pane
    assert '"sends": 5000' in pane
    for unknown in ("Carried", "Receivers", "No receiver ran", "sent with", "Nobody was connected"):
        assert unknown not in pane


def test_a_count_of_one_send_says_so() -> None:
    """No mean, and no "they"."""
    counted = Counted(sends=1, duration_us=1_234.5, seconds=1.0)
    pane = Document(rendering.detail_html(event(counted=counted, flags=["counted"], **NOT_OF_A_COUNT))).text
    assert "× 1 within 1.0 s. It took 1.2 ms." in re.sub(r"\s+", " ", pane)


def test_a_skipped_send_has_no_count_of_receivers() -> None:
    """Nobody was asked: that is not the same as none."""
    assert "—" in Document(rendering.row_html(event(status="skipped", duration_us=None, receivers=[]))).text


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (None, ""),
        (0.04, "0.0 µs"),
        (4.2, "4.2 µs"),
        (42.4, "42 µs"),
        (99.5, "0.1 ms"),
        (1_400, "1.4 ms"),
        (48_200, "48 ms"),
        (2_340_000, "2.3 s"),
    ],
)
def test_durations_are_short_and_have_a_unit(microseconds: float | None, words: str) -> None:
    """Two or three digits are what a glance takes in."""
    assert duration(microseconds) == words


def test_bars_grow_with_the_logarithm_of_the_duration() -> None:
    """Each decade from 10 µs to 1 s adds alike; what is outside stays inside the bar."""
    widths = []
    for microseconds in (0.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e9):
        found = re.search(r'class="w(\d+)"', rendering.row_html(event(duration_us=microseconds)))
        assert found is not None
        widths.append(int(found[1]))
    assert widths[0] == widths[1] == 1
    assert widths[-1] == widths[-2] == BAR_STEPS
    assert all(b - a in (3, 4) for a, b in pairwise(widths[1:-1]))


MODEL, AUTH, CORE = "django.db.models.signals", "django.contrib.auth.signals", "django.core.signals"
ADA = {"model": "auth.User", "pk": 3, "fields": {"username": "ada"}}
CART = {"type": "django.template.base.Template", "name": "shop/cart.html"}
APP = {"type": "project.shop.apps.ShopConfig", "label": "shop"}
SQLITE = {"type": "django.db.backends.sqlite3.base.DatabaseWrapper"}
CONNECTED = "django.db.backends.signals.connection_created"


@pytest.mark.parametrize(
    ("signal", "kwargs", "words"),
    [
        (POST_SAVE, {"instance": ORDER, "created": True, "update_fields": None}, "7 created"),
        (POST_SAVE, {"instance": ORDER, "created": False, "update_fields": ["status"]}, "7 updated · status"),
        (f"{MODEL}.pre_save", {"instance": {**ORDER, "pk": None}}, ""),
        (f"{MODEL}.post_delete", {"instance": ORDER}, "7"),
        (f"{MODEL}.m2m_changed", {"instance": ORDER, "action": "post_add", "pk_set": [1, 2]}, "post_add · 2"),
        (f"{MODEL}.pre_migrate", {"app_config": APP, "using": "default"}, "shop · default"),
        (f"{AUTH}.user_logged_in", {"user": ADA}, "ada"),
        (f"{AUTH}.user_logged_out", {"user": None}, ""),
        (f"{AUTH}.user_login_failed", {"credentials": {"username": "ada", "otp": MASKED}}, "username, otp"),
        (f"{CORE}.setting_changed", {"setting": "DEBUG", "value": True, "enter": True}, "DEBUG overridden"),
        (f"{CORE}.setting_changed", {"setting": "DEBUG", "value": None, "enter": False}, "DEBUG restored"),
        (f"{CORE}.request_finished", {}, ""),
        (
            "django.tasks.signals.task_finished",
            {"task_result": {"id": "t1", "status": "FAILED"}},
            "FAILED · t1",
        ),
        ("django.tasks.signals.task_finished", {"task_result": {"type": "django.tasks.base.TaskResult"}}, ""),
        ("django.test.signals.template_rendered", {"template": CART}, "shop/cart.html"),
        (CONNECTED, {"connection": {**SQLITE, "alias": "default", "vendor": "sqlite"}}, "default · sqlite"),
        (CONNECTED, {"connection": SQLITE}, "sqlite3"),
        ("shop.signals.order_paid", {"order": ORDER, "lines": [1, 2]}, "order shop.Order 7 · lines 2 items"),
    ],
)
def test_a_summary_says_what_was_carried(signal: str, kwargs: dict[str, Any], words: str) -> None:
    """In a few words, which are those that people look for."""
    assert summary(event(signal=signal, kwargs=kwargs)) == words


KEYS = ["model", "pk", "fields", "type", "name", "class"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    "instance",
    "created",
    "update_fields",
    "pk_set",
    "user",
    "credentials",
    "template",
    "connection",
    "setting",
]


@given(
    signal=st.sampled_from([*BUILTIN, "shop.signals.order_paid"]),
    kwargs=st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=4),
)
def test_whatever_is_carried_can_be_shown(signal: str, kwargs: dict[str, Any]) -> None:
    """An imported event need not be shaped as ours are: it still has a row of bounded length and a pane."""
    sent = event(signal=signal, kwargs=kwargs)
    assert len(summary(sent)) <= SUMMARY_LENGTH
    assert rendering.row_html(sent).count("<li") == 1
    assert rendering.detail_html(sent).count("<article") == 1


MARKUP = st.text(st.sampled_from("<>&\"'=/ ahx-:onsrcipt`{}%"), min_size=1, max_size=40)


def hostile(text: str) -> Event:
    """An event with *text* wherever an event holds text."""
    error = Error(text, text)
    order = {"model": text, "pk": text, "fields": {text: [text, {"type": text, text: text}]}}
    return event(
        epoch=text,
        signal=text,
        sender=text,
        family=text,
        method=text,
        status="raised",
        error=error,
        receivers=[ReceiverCall(name=text, duration_us=1.0, status="raised", error=error, place=text)],
        kwargs={text: text, "instance": order},
        changes={text: [text, [text]]},
        cause=Cause(kind=text, name=text, id=text),
        where=text,
        transaction=Transaction(db=text, state="committed", id=text),
        process=Process(host=text, pid=1, seq=1),
        thread=text,
        flags=[text],
    )


@given(MARKUP)
def test_nothing_in_an_event_becomes_markup(text: str) -> None:
    """Rows and pane keep their elements and attributes whatever the texts are, which are told as they are."""

    def pane(sent: Event) -> str:
        return rendering.detail_html(sent, [(0, sent), (1, sent)])

    for render in (rendering.row_html, pane):
        assert Document(render(hostile(text))).shape == Document(render(hostile("x"))).shape
    row = Document(rendering.row_html(hostile(text)))
    assert row.elements[0][1]["data-sender"] == text
    assert text in row.text
    assert Document(rendering.notice_html(text, text)).text == text


def test_a_row_for_many_names_its_range() -> None:
    """What was left out is counted, and can be opened by its ids."""
    row = rendering.coalesced_html(100, 4231, 4132)
    found = attributes(row, "li")
    assert (found["data-first"], found["data-last"], found["data-count"]) == ("100", "4231", "4132")
    assert Document(row).text == "+4,132 more"


@pytest.mark.parametrize("kind", ["epoch", "journal"])
def test_a_notice_has_words_of_its_own(kind: str) -> None:
    """Nobody needs to find words for what may happen to a journal; others than these are used when given."""
    assert len(Document(rendering.notice_html(kind)).text) > 20
    assert Document(rendering.notice_html(kind, "as given")).text == "as given"


def test_a_gap_says_how_many_are_missing_and_why() -> None:
    """An absence is visible, with its count."""
    assert Document(rendering.gap_html(11, 1214, "evicted")).text == "1,204 sends are missing here: no longer retained"
    assert Document(rendering.gap_html(11, 11, "unreadable")).text == "1 send is missing here: unreadable"


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (rendering.gap_html(11, 12, "evicted"), "evicted"),
        (rendering.coalesced_html(1, 40, 40), "slow reader"),
        (
            rendering.row_html(
                event(counted=Counted(sends=7, duration_us=1.0, seconds=1.0), flags=["counted", "sampled"])
            ),
            "sampled",
        ),
        (rendering.dropped_html(7, "buffer full"), "dropped at capture"),
        (rendering.dropped_html(7, "stored in another journal"), "epoch reset"),
        (rendering.notice_html("epoch"), "epoch reset"),
    ],
)
def test_each_row_for_what_is_not_there_names_its_reason(html: str, reason: str) -> None:
    """For programs that read the page."""
    assert attributes(html, "li")["data-reason"] == reason


def test_what_was_dropped_says_how_many_and_why() -> None:
    """One or many, in words."""
    many, one = rendering.dropped_html(1312, "buffer full"), rendering.dropped_html(1, "process ended")
    assert Document(many).text == "1,312 sends were dropped before they were stored: buffer full"
    assert Document(one).text == "1 send was dropped before it was stored: process ended"
    assert attributes(many, "li")["data-notice"] == "gap"
    other = rendering.dropped_html(3, "stored in another journal")
    assert attributes(other, "li")["data-notice"] == "elsewhere"  # no loss
    assert Document(other).text == "3 sends are not here: stored in another journal"


def test_the_pane_shows_all_that_is_known_of_a_send() -> None:
    """What it carried, nested; who received it and how that ended; transaction, place, process, JSON."""
    sent = event(
        where="shop/views.py:41 place_order",
        transaction=Transaction(db="replica", state="rolled_back", id="t"),
        receivers=[
            ReceiverCall(name="shop.receivers.index", duration_us=5.0, place="shop/receivers.py:77", is_async=True),
            ReceiverCall(name="shop.receivers.pay", duration_us=9.0, status="raised", error=FAILED),
        ],
    )
    text = re.sub(r"\s+", " ", Document(rendering.detail_html(sent)).text)
    for words in (
        "save() has written the row", "shop.Order 7", "status", "paid", MASKED, "createdTrue",
        "shop.receivers.index async shop/receivers.py:77", "shop.receivers.pay raised",
        "django.db.utils.IntegrityError UNIQUE constraint failed", "replica", "rolled back",
        "shop/views.py:41 place_order", "web-1 · 123 · MainThread", '"uid": "u1"',
    ):  # fmt: skip
        assert words in text, words


def test_the_pane_marks_what_a_save_changed() -> None:
    """The old value beside the new one, inert; or that nothing differs, where that is known."""

    def pane(changes: dict[str, list[Any]] | None) -> Document:
        return Document(rendering.detail_html(event(changes=changes)))

    changed = pane({"status": ["<b>new</b>", "paid"], "card_token": [MASKED, MASKED]})
    assert f"status<b>new</b> → paidcard_token{MASKED} → {MASKED}" in changed.text
    assert [tag for tag, _ in changed.elements if tag in ("del", "ins")] == ["del", "ins"] * 2
    unchanged = "No field differs from what was loaded or last saved."
    assert [unchanged in pane(changes).text for changes in ({}, None, {"status": ["new", "paid"]})] == [
        True, False, False,
    ]  # fmt: skip
    assert "→" not in pane({}).text + pane(None).text


def test_an_error_is_told_once() -> None:
    """What a receiver raised stands with the receiver; with the send only what no receiver accounts for."""
    receiver = ReceiverCall(name="r", duration_us=1.0, status="raised", error=FAILED)
    of_receiver = rendering.detail_html(event(status="raised", error=FAILED, receivers=[receiver]))
    of_send = rendering.detail_html(event(status="raised", error=FAILED))
    assert of_receiver.count('class="error"') == of_send.count('class="error"') == 1


def test_receivers_stand_where_they_ran_in_the_send() -> None:
    """Begin and length are percentages of the send, as SVG attributes."""
    calls = [
        ReceiverCall(name="first", duration_us=25.0, start_us=0.0),
        ReceiverCall(name="second", duration_us=50.0, start_us=50.0),
    ]
    document = Document(rendering.detail_html(event(duration_us=100.0, receivers=calls)))
    bars = [(found["x"], found["width"]) for tag, found in document.elements if tag == "rect"]
    assert bars == [("0.00", "25.00"), ("50.00", "50.00")]


def openers(document: Document) -> list[str | None]:
    """The ids that the pane's buttons lead to."""
    return [found["data-id"] for tag, found in document.elements if tag == "button" and "data-id" in found]


def test_the_tree_leads_to_its_other_sends() -> None:
    """Each node opens its send; the one shown is marked; what is left out of a huge tree is counted."""
    root, child = (
        event(),
        event(id=4712, uid="u2", parent="u1", signal="shop.signals.order_paid", family="custom"),
    )
    document = Document(rendering.detail_html(child, [(0, root), (1, child)]))
    assert openers(document) == ["4711", "4712"]
    nodes = [found for tag, found in document.elements if tag == "li" and "data-f" in found]
    assert [(node["class"], node.get("aria-current")) for node in nodes] == [("d0", None), ("d1", "true")]

    huge = [(0, root), *[(1, event(id=n, uid=str(n))) for n in range(300)]]
    html = rendering.detail_html(root, huge)
    assert len(openers(Document(html))) == TREE_LIMIT
    assert "and 101 more" in html


@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_ids_stay_ids_in_a_project_that_groups_digits() -> None:
    """4711 is a place in the journal and in an address, not an amount."""
    html = rendering.detail_html(event(), [(0, event()), (1, event(id=4712, uid="u2"))])
    assert 'data-event="4711"' in html
    assert 'data-id="4712"' in html


def page() -> str:
    """The whole page."""
    return rendering.index_html(base="/ls/", assets="/ls/static/livesignals/", socket_url="/ls/socket/", fields=FIELDS)


def test_the_page_names_every_family_and_every_field() -> None:
    """A chip for each family; the help lists all that a filter can ask for."""
    html = page()
    chips = [found["data-family-chip"] for _, found in Document(html).elements if "data-family-chip" in found]
    assert chips == list(FAMILIES)
    for field in FIELDS:
        assert f"<code>{field.name}</code>" in html


def test_the_page_finds_its_parts_below_any_prefix() -> None:
    """Scripts and styles come from *assets*, the socket is where it was said to be."""
    document = Document(page())
    linked = [found.get("src") or found.get("href") for tag, found in document.elements if tag in ("script", "link")]
    assert linked
    assert all(address is not None and address.startswith("/ls/static/livesignals/") for address in linked)
    assert [found["hx-ws:connect"] for _, found in document.elements if "hx-ws:connect" in found] == ["/ls/socket/"]


def test_nothing_needs_more_than_the_strict_policy_allows() -> None:
    """No inline style, no inline script, no handler in an attribute."""
    html = page() + rendering.detail_html(event()) + rendering.row_html(event())
    for tag, found in Document(html).elements:
        assert tag != "style"
        assert "style" not in found
        assert not [name for name in found if name.startswith(("on", "hx-on"))]
        assert tag != "script" or found.get("src")


def test_what_signals_bring_is_kept_from_htmx() -> None:
    """Rows, facets, values and pane are hx-ignore: an attribute that came through all else would still do nothing."""
    ignored = [found.get("id") for _, found in Document(page()).elements if "hx-ignore" in found]
    assert {"rows", "detail", "facets", "values"} <= set(ignored)


def test_showing_sends_makes_none() -> None:
    """Under Django's template instrumentation, which is on in tests, ours are not announced as others are."""
    seen: list[str] = []

    def note(template: Any, **named: Any) -> None:
        seen.append(template.name)

    template_rendered.connect(note)
    try:
        Engine().from_string("x").render(Context())
        assert seen == [None]
        page()
        rendering.detail_html(event())
        assert seen == [None]
    finally:
        template_rendered.disconnect(note)
