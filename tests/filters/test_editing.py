"""A filter's text grows by a click and by completion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesignals.filters import FilterError, complete, narrow, parse
from tests.filters.building import event, words


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
