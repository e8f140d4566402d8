"""What a bare word is looked for in."""

from livesignals.events import Error, ReceiverCall
from livesignals.filters import event_text
from livesignals.filters.text import TEXT_LIMIT
from tests.filters.building import event


def test_the_text_of_an_event_says_what_its_row_and_values_say() -> None:
    """One line a field, without case."""
    call = ReceiverCall(name="shop.R", duration_us=1.0, error=Error("ValueError", "Nope"))
    text = event_text(event(receivers=[call], error=Error("shop.Refused", "No\nStock"), kwargs={"A": [1, {"b": None}]}))
    assert text.split("\n") == [
        "django.db.models.signals.post_save",
        "shop.order",
        "model",
        "send",
        "request post /orders/",
        "shop/views.py:41 place_order",
        "shop.refused no stock",
        "shop.r",
        "valueerror nope",
        "a",
        "1",
        "",
        "b=null",
    ]


def test_the_text_of_an_event_is_bounded() -> None:
    """However much a send carried, and also where folding makes text longer."""
    assert len(event_text(event(kwargs={str(n): "ß" * 100 for n in range(1_000)}))) == TEXT_LIMIT


def test_deep_values_do_not_recurse() -> None:
    """An imported event may hold lists as deep as JSON goes."""
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert event_text(event(kwargs={"deep": deep})).startswith("django")
