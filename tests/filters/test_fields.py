"""Each field means what its help says, live and in the journal alike."""

from typing import Any

import pytest

from livesignals.events import Cause, Error, ReceiverCall, Transaction
from livesignals.filters import FIELDS, parse
from tests.filters.building import agrees, event

ORDER = {
    "model": "shop.Order",
    "pk": 7,
    "fields": {"status": "paid", "total": "12.50", "meta": {"Gift wrap": True}},
}
RAISED = ReceiverCall(
    name="shop.receivers.mail",
    duration_us=1.0,
    status="raised",
    error=Error("smtplib.SMTPException", "no route"),
)
ASYNC = ReceiverCall(name="shop.receivers.push", duration_us=1.0, is_async=True)


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        # names: whole, or their ending after a dot
        ("signal:post_save", {}, True),
        ("signal:POST_SAVE", {}, True),
        ("signal:signals.post_save", {}, True),
        ("signal:save", {}, False),
        ("signal:*_save", {}, True),
        ("signal:post_*", {"signal": "shop.post_office.sent"}, False),
        ("signal:pre_save,post_save", {}, True),
        ("signal!=post_save", {}, False),
        ("sender:Order", {}, True),
        ("sender:shop.*", {}, True),
        ('sender:"shop.*"', {}, False),
        ("sender:Straße", {"sender": "shop.STRASSE"}, True),
        ("receiver:reserve_stock", {}, True),
        ("-receiver:*cache*", {}, True),
        ("receiver:*", {"receivers": []}, False),
        ("app:shop", {}, True),
        ("app:shop", {"sender": "shopping.Order"}, False),
        ("model:order", {}, True),
        ("model:order", {"family": "custom"}, False),
        # choices
        ("family:model", {}, True),
        ("family:auth", {}, False),
        ("family:Authent", {"family": "auth"}, True),
        ("family:m", {"family": "management"}, True),
        ("method:*robust", {"method": "asend_robust"}, True),
        # numbers
        ("dur>0.8", {}, True),
        ("dur>0.8ms dur<1ms", {}, True),
        ("dur:800us..1s", {}, True),
        ("dur>=1m", {"duration_us": 60e6}, True),
        ("dur>0", {"duration_us": None}, False),
        ("-dur>0", {"duration_us": None}, True),
        ("n:1", {}, True),
        ("n>1", {}, False),
        ("pid:123", {}, True),
        ("id:4000..5000", {}, True),
        ("id>4711", {}, False),
        # errors and flags
        ("exc:SMTPException", {"receivers": [RAISED]}, True),
        ("exc:ValueError", {"status": "raised", "error": Error("ValueError", "no")}, True),
        ("exc:*", {}, False),
        ("is:error", {"receivers": [RAISED]}, True),
        ("is:error", {"status": "raised"}, True),
        ("is:error", {"kwargs": {"status": "raised"}}, False),
        ("is:slow", {"duration_us": 10_000.0}, True),
        ("is:slow", {"duration_us": 9_999.9}, False),
        ("is:nested", {"parent": "u0"}, True),
        ("is:async", {"receivers": [ASYNC]}, True),
        ("is:async", {"method": "asend_robust"}, True),
        ("is:async", {}, False),
        ("is:robust", {"method": "send_robust"}, True),
        ("is:skipped", {"status": "skipped"}, True),
        ("is:committed", {}, True),
        ("is:rolledback", {"transaction": Transaction(db="default", state="rolled_back")}, True),
        ("is:committed", {"transaction": None}, False),
        ("is:masked", {"flags": ["truncated", "masked"]}, True),
        ("is:truncated", {"flags": ["masked"]}, False),
        ("is:noreceiver", {"receivers": []}, True),
        ("is:noreceiver", {"receivers": [], "flags": ["counted"]}, False),
        ("is:counted", {"flags": ["counted"]}, True),
        ("is:sampled", {"flags": ["counted", "sampled"]}, True),
        ("is:sampled", {"flags": ["counted"]}, False),
        ("is:flooded", {"flags": ["counted", "flooded"]}, True),
        ("is:flooded", {"kwargs": {"flags": " flooded "}}, False),
        ("is:counted", {"kwargs": {"flags": " counted "}}, False),
        ("is:masked,slow", {"duration_us": 1e6}, True),
        # cause
        ("cause:request", {}, True),
        ("cause:task", {"cause": Cause(kind="request", name="GET /tasks/", id="c")}, False),
        ("cause:/ORDERS/", {}, True),
        ('cause:"request POST"', {}, True),
        ("cause:*/orders/", {}, True),
        ("cause:*", {"cause": None}, False),
        ("path:/orders/", {}, True),
        ("path:/ord*", {}, True),
        ("path:*", {"cause": Cause(kind="command", name="manage.py a b", id="c")}, False),
        ("command:migrate", {"cause": Cause(kind="command", name="manage.py migrate", id="c")}, True),
        ("command:*", {}, False),
        ("user:*", {}, False),
        # where it ran
        ("host:WEB-1 thread:mainthread db:default", {}, True),
        ("db:*", {"transaction": None}, False),
        ("uid:u1 root:u* -parent:*", {}, True),
        ("uid:U1", {}, False),
        # time, in UTC; the beginning of a time is all of it
        ("ts:2026", {}, True),
        ("ts:2026-01-02", {}, True),
        ("ts:2026-01-02T03:04", {}, True),
        ("ts:2026-01-03", {}, False),
        ("ts:2026-01-01..2026-01-02", {}, True),
        ("ts>2026-01-02T03:04", {}, True),
        ("ts<=2026-01-02", {}, True),
        ("ts<2026-01-02", {}, False),
        ("ts:2026-01-02T05:04+02:00", {}, True),
        ("ts:2024-02", {"ts": "2024-02-29T23:59:59.999999Z"}, True),
        # what it carried
        ("kwargs.created:true", {}, True),
        ("kwargs.instance.status:PAID", {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.instance.fields.status:paid", {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.instance.model:shop.order", {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.form.status:paid", {"kwargs": {"form": {"fields": {"status": "paid"}}}}, False),
        ('kwargs.instance.meta."Gift wrap":true', {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.instance.total:12.5", {"kwargs": {"instance": ORDER}}, True),
        ('kwargs.instance.total:"12.5"', {"kwargs": {"instance": ORDER}}, False),
        ("kwargs.instance.total>9", {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.instance.status>9", {"kwargs": {"instance": ORDER}}, False),
        ("kwargs.instance.total:10..20", {"kwargs": {"instance": ORDER}}, True),
        ("kwargs.pk_set:3", {"kwargs": {"pk_set": [2, 3]}}, True),
        ("kwargs.pk_set:*", {"kwargs": {"pk_set": []}}, True),
        ("kwargs.update_fields:*", {"kwargs": {"update_fields": None}}, False),
        ("kwargs.update_fields:null", {"kwargs": {"update_fields": None}}, True),
        ("kwargs.version:1..2", {"kwargs": {"version": 1.5}}, True),
        ("kwargs.big:10000000000000000000000000", {"kwargs": {"big": 10**25}}, True),
        ('kwargs.note:""', {"kwargs": {"note": ""}}, True),
        ("changed:STATUS", {"changes": {"status": ["placed", "paid"]}}, True),
        ("changed:stat*,total", {"changes": {"status": ["placed", "paid"]}}, True),
        ("changed:total", {"changes": {"status": ["placed", "paid"]}}, False),
        ("changed:*", {"changes": {}}, False),
        ("changed:*", {"changes": None}, False),
        ("placed", {"changes": {"status": ["placed", "paid"]}}, True),
        ("pk:7", {}, True),
        ("pk>6 pk<8", {}, True),
        # bare words
        ("reserve_stock", {}, True),
        ("RESERVE", {}, True),
        ('"status=paid"', {}, True),
        ("nowhere", {}, False),
        ('"shop.order model"', {}, False),
    ],
)
def test_a_field_matches_what_its_help_says(text: str, changes: dict[str, Any], expected: bool) -> None:
    """Every kind of term, on an event that it is for or on one that it is just not for."""
    assert agrees(parse(text), event(**changes)) == [expected]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_the_example_of_every_field_is_a_filter(field: Any) -> None:
    """What the help shows can be typed, runs in the journal and reads as a sentence."""
    chosen = parse(field.example)
    agrees(chosen, event(), event(id=4712, cause=None, transaction=None, parent="u1", kwargs={}))
    assert chosen.english()
    assert field.help


def test_what_is_missing_matches_the_opposite() -> None:
    """NOT lets through what has no value at all, as the journal's NULL must too."""
    bare = event(cause=None, transaction=None, duration_us=None, kwargs={}, receivers=[], parent=None)
    for term in ("db:default", "dur>1", "parent:u1", "path:/", "kwargs.a.b:1", "pk:7", "exc:E", "user:me"):
        assert agrees(parse(f"-{term}"), bare) == [True]
        assert agrees(parse(f"NOT (NOT {term})"), bare) == [False]


def test_an_event_without_a_user_matches_no_user() -> None:
    """Whatever is asked of the user."""
    assert agrees(parse("user:alice OR user:*"), event()) == [False]
