"""A send knows its transaction, and learns how it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from django.db import connection, transaction
from django.db.models.signals import m2m_changed
from django.dispatch import Signal

from livesignals import capture
from livesignals.capture.transactions import Outcome
from project.shop.models import Product, RequestLog, Tag
from tests.capture.conftest import Captured

pytestmark = pytest.mark.django_db(transaction=True)
noted = Signal()


@pytest.fixture
def outcomes(captured: Captured) -> Iterator[list[Outcome]]:
    """What is told after events have said "pending"."""
    told: list[Outcome] = []
    capture.set_outcome_sink(told.append)
    yield told
    capture.set_outcome_sink(lambda outcome: None)


def states(captured: Captured) -> dict[str, str | None]:
    """State by sender, of the signal that the tests send."""
    return {
        event.sender: None if event.transaction is None else event.transaction.state for event in captured.of("noted")
    }


@contextmanager
def undone() -> Iterator[None]:
    """A transaction or savepoint that an error rolls back."""
    with suppress(ValueError), transaction.atomic():
        yield
        raise ValueError("no")


def note(name: str) -> None:
    noted.send(sender=name, using="default")


def test_outside_of_a_transaction_it_is_autocommit(captured: Captured) -> None:
    """A save of its own is committed by the database at once."""
    Tag.objects.create(name="fresh")
    note("outside")
    assert states(captured) == {"outside": "autocommit"}
    (saved,) = captured.of("post_save")
    assert saved.transaction is not None
    assert saved.transaction.state == "autocommit"


def test_a_send_without_a_database_has_no_transaction_outside_of_one(captured: Captured) -> None:
    """Nothing is made up for a signal that has nothing to do with a database."""
    noted.send(sender="plain")
    assert states(captured) == {"plain": None}


def test_commit_and_rollback_are_told(captured: Captured) -> None:
    """What was committed, and what was not."""
    with transaction.atomic():
        note("kept")
    with undone():
        note("lost")
    assert states(captured) == {"kept": "committed", "lost": "rolled_back"}


def test_a_savepoint_meets_its_own_fate_or_that_of_what_is_around_it(captured: Captured) -> None:
    """Rolled back: at once. Released: as the outermost transaction ends."""
    with transaction.atomic():
        note("outer")
        with transaction.atomic():
            note("released")
        with undone():
            note("undone")
            with transaction.atomic():
                note("undone too")
        assert states(captured) == {
            "outer": "pending",
            "released": "pending",
            "undone": "rolled_back",
            "undone too": "rolled_back",
        }
        note("after")
    assert states(captured) == {
        "outer": "committed",
        "released": "committed",
        "undone": "rolled_back",
        "undone too": "rolled_back",
        "after": "committed",
    }


def test_set_rollback_and_manual_savepoints(captured: Captured) -> None:
    """The lower-level ways of rolling back are seen too."""
    with transaction.atomic():
        savepoint = connection.savepoint()
        assert savepoint is not None
        note("to the savepoint")
        connection.savepoint_rollback(savepoint)
        note("after it")
        connection.savepoint_commit(savepoint)
    with transaction.atomic():
        note("flagged")
        transaction.set_rollback(True)
    assert states(captured) == {"to the savepoint": "rolled_back", "after it": "committed", "flagged": "rolled_back"}


def test_on_commit_callbacks_run_outside_and_none_is_ours(
    captured: Captured, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    """A project's tests count on_commit callbacks: there are only their own."""
    with transaction.atomic():
        transaction.on_commit(lambda: note("in the callback"))
        note("inside")
        assert len(connection.run_on_commit) == 1
    assert states(captured) == {"inside": "committed", "in the callback": "autocommit"}


def test_the_outcome_follows_an_event_that_said_pending(captured: Captured, outcomes: list[Outcome]) -> None:
    """An event that was described before the end is told of the end, once; others say it themselves."""
    with transaction.atomic():
        note("early")
        (early,) = captured.of("noted")
        assert early.transaction is not None
        assert early.transaction.state == "pending"
    assert [captured.describer.transaction_id(o.number) for o in outcomes] == [early.transaction.id]
    assert [o.state for o in outcomes] == ["committed"]


def test_a_deleted_object_without_receivers_is_a_skipped_send(captured: Captured) -> None:
    """A single object, many at once, and none: only rows that were really deleted count."""
    values = {"method": "GET", "path": "/", "status": 200, "duration_ms": 1, "under_way": 1}
    one = RequestLog.objects.create(**values)
    RequestLog.objects.bulk_create(RequestLog(**values | {"path": "/many/"}) for _ in range(5))
    one.delete()
    RequestLog.objects.filter(path="/many/").delete()
    RequestLog.objects.filter(path="/none/").delete()
    told = [(event.status, event.kwargs["rows"]) for event in captured.of("post_delete")]
    assert told == [("skipped", 1), ("skipped", 5)]
    assert captured.of("post_delete")[0].kwargs["instance"]["fields"]["path"] == "/"


def test_an_added_tag_without_receivers_is_a_skipped_send(captured: Captured) -> None:
    """m2m.add without a receiver sends nothing; adding what is there already adds nothing."""
    kept, m2m_changed.receivers = m2m_changed.receivers, []
    m2m_changed.sender_receivers_cache.clear()
    try:
        product, tag = Product.objects.create(name="Pear", price=1, stock=5), Tag.objects.create(name="fruit")
        product.tags.add(tag)
        product.tags.add(tag)
        Product.tags.through.objects.create(product=Product.objects.create(name="Fig", price=1, stock=5), tag=tag)
    finally:
        m2m_changed.receivers = kept
        m2m_changed.sender_receivers_cache.clear()
    (event,) = captured.of("m2m_changed")
    assert (event.status, event.kwargs) == ("skipped", {"action": "post_add", "rows": 1, "using": "default"})
