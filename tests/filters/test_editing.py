"""A filter's text grows by a click and by completion."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from livesignals.events import Event
from livesignals.filters import FIELDS, FilterError, complete, editing, narrow, parse, up_to
from livesignals.filters.fields import MAX_STEPS, payload_name
from livesignals.filters.payload import scalars
from tests.filters.building import agrees, event, events, filter_texts, kwargs, numbered, words


@pytest.mark.parametrize(
    ("text", "field", "value", "negate", "expected"),
    [
        ("", "sender", "shop.Order", False, "sender:shop.Order"),
        ("paid", "sender", "shop.Order", True, "paid -sender:shop.Order"),
        ("a OR b", "family", "model", False, "(a OR b) family:model"),
        ("a (b OR c)", "family", "model", False, "a (b OR c) family:model"),
        ("", "kwargs.note", 'say "hi" *', False, r'kwargs.note:"say \"hi\" *"'),
        ("", "kwargs.note", "", False, 'kwargs.note:""'),
        ("", "kwargs.created", True, False, "kwargs.created:true"),
        ("", "kwargs.update_fields", None, False, "kwargs.update_fields:null"),
        ("", "kwargs.total", 12.5, False, "kwargs.total:12.5"),
        ("a family:model", "family", "model", False, "a family:model"),
    ],
)
def test_a_click_on_a_value_adds_a_term(
    text: str, field: str, value: str | float | bool | None, negate: bool, expected: str
) -> None:
    """Quoted where it must be, in parentheses where OR would reach into it, and only once."""
    assert narrow(text, field, value, negate) == expected


@given(words, st.booleans())
def test_a_term_that_was_clicked_matches_what_was_clicked(value: str, negate: bool) -> None:
    """Whatever the value holds, it stands for itself."""
    clicked = event(kwargs={"note": value}, sender=f"shop.{value}")
    for field, whole in (("kwargs.note", value), ("sender", f"shop.{value}")):
        assert parse(narrow("", field, whole, negate)).matches(clicked) is not negate


def test_a_click_on_no_field_or_into_a_broken_filter_is_an_error() -> None:
    """Nothing is added to what cannot be understood."""
    with pytest.raises(FilterError):
        narrow("", "nothing", "x")
    with pytest.raises(FilterError):
        narrow("(a", "sender", "x")


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SEEN = {
    "signal": ["django.db.models.signals.post_save", "shop.signals.order_paid", "two words.post"],
    "kwargs.instance.status": ["paid"],
}


@pytest.mark.parametrize(
    ("text", "first", "start"),
    [
        ("", "signal:", 1),
        ("si", "signal:", 1),
        ("paid -(sen", "sender:", 8),
        ("kwargs.", "kwargs.instance.status:", 1),
        ("status", "kwargs.instance.status:", 1),
        ("signal:post", "django.db.models.signals.post_save", 8),
        ("signal:a,order", "shop.signals.order_paid", 10),
        ("signal!=words", '"two words.post"', 9),
        ('signal:"two w', '"two words.post"', 8),
        ("is:", "error", 4),
        ("family:model,a", "auth", 14),
        ("kwargs.instance.status:", "paid", 24),
    ],
)
def test_completion_offers_fields_and_then_values(text: str, first: str, start: int) -> None:
    """The best one first; what it gives takes the place of what was typed of it."""
    offered = complete(text, len(text) + 1, SEEN)
    assert (offered[0].insert, offered[0].start) == (first, start)
    assert text[: start - 1] + offered[0].insert


def test_completion_minds_only_what_is_before_the_caret() -> None:
    """A term in the middle can be completed."""
    assert complete("si paid", 3, {})[0].insert == "signal:"


@pytest.mark.parametrize("text", ['"in quo', "nothing:x", "signal:zzz", "zzz"])
def test_completion_offers_nothing_where_nothing_fits(text: str) -> None:
    """Inside quotes there are words, and an unknown field has no values."""
    assert complete(text, len(text) + 1, SEEN) == []


def test_fields_and_choices_come_with_help() -> None:
    """Each line of the list says what it is for."""
    assert all(offer.help for offer in complete("", 1, SEEN))
    assert all(offer.help for offer in complete("is:", 4, SEEN))


def test_a_value_of_a_send_that_was_seen_is_offered_as_a_whole_term() -> None:
    """Who knows the name of a model need not know its field; a single letter is in nearly every value."""
    seen = {"sender": ["shop.Order"], "receiver": ["shop.receivers.reserve_order"]}
    assert [offer.insert for offer in complete("-ord", 5, seen)] == [
        "sender:shop.Order",
        "receiver:shop.receivers.reserve_order",
    ]
    assert all(offer.start == 2 for offer in complete("-ord", 5, seen))
    assert "sender:shop.Order" not in [offer.insert for offer in complete("o", 2, seen)]


def test_a_click_compares_where_it_is_asked_to() -> None:
    """As long as this one, or longer; and leaving those out."""
    assert narrow("a", "dur", "812us", operator=">=") == "a dur>=812us"
    assert narrow("", "dur", "812us", negate=True, operator=">=") == "-dur>=812us"


def test_a_term_that_is_there_is_not_added_again_wherever_it_stands() -> None:
    """However it is written there."""
    assert narrow('sender:"shop.Order" paid', "sender", "shop.order") == 'sender:"shop.Order" paid'
    assert narrow("a OR n:1", "n", "1") == "(a OR n:1) n:1"


def test_a_filter_that_would_become_too_long_is_an_error() -> None:
    """Nobody is left with a filter that does not work."""
    with pytest.raises(FilterError, match="2048 characters"):
        narrow("a" * 2_000, "sender", "b" * 100)


@unhurried
@given(filter_texts, events)
def test_a_filter_up_to_an_id_is_the_filter_and_the_bound(text: str, one: Event) -> None:
    """In Python as in SQL."""
    try:
        chosen = parse(text)
    except FilterError:
        reject()
    first, second = numbered([one, one])
    matched = agrees(up_to(chosen, 1), first, second)
    assert matched == [bool(chosen.matches(first)), False]


@unhurried
@given(kwargs)
def test_each_value_that_was_carried_is_found_by_its_path(carrying: dict[str, Any]) -> None:
    """The path that is offered and clicked leads to the value, with or without the fields of an instance between."""
    one = event(kwargs=carrying)
    for steps, value in scalars(carrying, 50):
        if len(steps) <= MAX_STEPS and not any("\0" in step for step in steps):
            assert parse(narrow("", payload_name(steps), value)).matches(one)


@unhurried
@given(events)
def test_each_value_that_was_seen_is_found_by_its_field(one: Event) -> None:
    """What completion offers and facets count matches the event that it was seen in."""
    for field in FIELDS:
        for value in field.seen(one):
            assert parse(narrow("", field.name, value)).matches(one), field.name


@pytest.mark.parametrize("piece", ["a", "a.", "a-", "a,", "a:", '"a', "(-", '"\\"', 'x:"a",', "- ", 'kwargs."'])
def test_a_hostile_text_is_not_tried_from_each_of_its_characters(piece: str) -> None:
    """Ten times longer than any filter, 200 times over: would it be tried so, this would not end within the hour."""
    text = piece * (20_480 // len(piece))
    for _ in range(200):
        editing._AT_VALUE.search(text)
        editing._AT_TERM.search(text)
    assert complete(text, len(text) + 1, SEEN) == []


def test_a_click_with_no_operator_is_an_error() -> None:
    """What is between field and value is one of a few signs."""
    with pytest.raises(FilterError, match="operator"):
        narrow("", "sender", "x", operator=" OR is:error ")
