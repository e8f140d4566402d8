"""Capture on real models and a real database."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from livesignals import capture
from livesignals.capture.sends import record
from project.shop.models import Product, RequestLog, Tag
from tests.capture.conftest import Captured

pytestmark = pytest.mark.django_db


@pytest.fixture
def _connected() -> Iterator[None]:
    capture.connect()
    yield
    for signal in (pre_save, post_save, pre_delete, post_delete, m2m_changed):
        signal.disconnect(record, dispatch_uid="livesignals")


def test_a_save_carries_the_models_fields_without_a_query(
    captured: Captured, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The instance is told by label, key and fields; looking at it makes no query."""
    with django_assert_num_queries(1):
        tag = Tag.objects.create(name="fresh")
    (event,) = captured.of("post_save")
    assert event.sender == "shop.Tag"
    assert event.kwargs["instance"]["model"] == "shop.Tag"
    assert event.kwargs["instance"]["pk"] == tag.pk
    assert event.kwargs["instance"]["fields"]["name"] == "fresh"
    assert event.kwargs["created"] is True


def test_a_deferred_field_is_left_out_and_not_fetched(
    captured: Captured, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """What is not loaded stays not loaded."""
    Tag.objects.create(name="fresh")
    tag = Tag.objects.defer("name").get()
    with django_assert_num_queries(1):
        tag.save(update_fields=["product_count"])
    event = captured.of("post_save")[-1]
    assert "name" not in event.kwargs["instance"]["fields"]
    assert "name" in tag.get_deferred_fields()


def test_fast_deletes_stay_fast(captured: Captured) -> None:
    """Capture does not make Django think that someone listens: as many queries as without, and no sends."""

    def queries_of_a_delete() -> int:
        RequestLog.objects.bulk_create(
            RequestLog(method="GET", path="/", status=200, duration_ms=1, under_way=1) for _ in range(200)
        )
        with CaptureQueriesContext(connection) as queries:
            RequestLog.objects.all().delete()
        return len(queries)

    with_capture = queries_of_a_delete()
    capture.detach()
    try:
        assert with_capture == queries_of_a_delete() == 1
    finally:
        capture.attach()
    (skipped,) = captured.of("post_delete")  # told, though Django sent nothing
    assert (skipped.status, skipped.kwargs["rows"]) == ("skipped", 200)


@pytest.mark.usefixtures("_connected")
def test_connect_makes_django_send_what_it_would_leave_out(captured: Captured) -> None:
    """With CAPTURE = "connect" each deleted row is seen, and our own receiver is not among the receivers."""
    Tag.objects.bulk_create(Tag(name=f"tag {n}") for n in range(3))
    Tag.objects.filter(name__startswith="tag").delete()
    events = captured.of("post_delete")
    assert len(events) == 3
    assert [event.receivers for event in events] == [[], [], []]


def test_secrets_of_an_instance_are_masked(captured: Captured) -> None:
    """A password hash is a field like any other, and nobody sees it."""
    from django.contrib.auth.models import User

    User.objects.create_user("mary", password="canary-4711")
    (event,) = captured.of("post_save")[:1]
    assert event.kwargs["instance"]["fields"]["password"] == "••••••"
    assert "masked" in event.flags


def test_a_change_of_tags_names_what_was_added(captured: Captured) -> None:
    """m2m_changed carries the action and the keys."""
    product, tag = Product.objects.create(name="Pear", price=1, stock=5), Tag.objects.create(name="fruit")
    product.tags.add(tag)
    events = [event for event in captured.of("m2m_changed") if event.kwargs["action"] == "post_add"]
    assert [event.kwargs["pk_set"] for event in events] == [[tag.pk]]
