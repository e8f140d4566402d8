"""What a save changed, on real models: told without a query, and without a trace on the instances."""

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F
from django.test.utils import isolate_apps
from django.utils import timezone
from msgspec.structs import replace
from pytest_django import DjangoAssertNumQueries

from livesignals import capture
from livesignals.capture import changes
from livesignals.capture.describe import Describer
from livesignals.capture.differences import Before, differences
from livesignals.events import encode
from livesignals.snapshot.freeze import Partial
from livesignals.snapshot.masking import MASK, Masking
from livesignals.snapshot.types import shape_of
from project.shop.models import Order, Product, Tag
from tests.capture.conftest import Captured

pytestmark = pytest.mark.django_db

Told = dict[str, list[Any]] | None


def of_save(captured: Captured, model: str) -> list[tuple[str, Told]]:
    """Of each save of the model's instances the signal and what is told to have changed."""
    return [
        (event.signal.rpartition(".")[2], event.changes)
        for event in captured.events
        if event.sender == model and event.signal.endswith("_save")
    ]


@pytest.fixture
def order(captured: Captured) -> Order:
    """An order that was loaded; what came before is not among the sends."""
    customer = User.objects.create_user("mary")
    Order.objects.create(customer=customer, total=Decimal("12.50"))
    captured.sends.clear()
    return Order.objects.get()


class TestASave:
    def test_of_a_loaded_instance_tells_the_old_and_the_new_value(
        self, captured: Captured, order: Order, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """In both signals, and there is no query but the save's own."""
        order.status = "sent"
        with django_assert_num_queries(1):
            order.save()
        told = {"status": ["placed", "sent"]}
        assert of_save(captured, "shop.Order") == [("pre_save", told), ("post_save", told)]

    def test_a_second_save_is_compared_with_the_first(self, captured: Captured, order: Order) -> None:
        """What was saved is what is known then."""
        order.status = "sent"
        order.save()
        order.total = Decimal(20)
        order.save()
        assert of_save(captured, "shop.Order")[2:] == [
            ("pre_save", {"total": ["12.50", "20"]}),
            ("post_save", {"total": ["12.50", "20"]}),
        ]

    def test_without_a_change_says_so(self, captured: Captured, order: Order) -> None:
        """Nothing differs: that is known, too. An equal value of another form is no change."""
        order.total = Decimal("12.500")
        order.save()
        assert of_save(captured, "shop.Order") == [("pre_save", {}), ("post_save", {})]

    def test_of_a_new_instance_tells_what_saving_did(self, captured: Captured) -> None:
        """Before it nothing is known; after it the primary key is there. Then it is known as a whole."""
        tag = Tag(name="fruit")
        tag.save()
        tag.name = "fruits"
        tag.save()
        renamed = {"name": ["fruit", "fruits"]}
        assert of_save(captured, "shop.Tag") == [
            ("pre_save", None),
            ("post_save", {"id": [None, tag.pk]}),
            ("pre_save", renamed),
            ("post_save", renamed),
        ]

    def test_of_some_fields_tells_only_those(self, captured: Captured, order: Order) -> None:
        """What update_fields leaves out is told once it is saved. A foreign key goes by either name."""
        other = User.objects.create_user("john")
        old = order.customer_id
        order.status, order.total, order.customer = "sent", Decimal(1), other
        order.save(update_fields=["status"])
        order.save(update_fields=["customer"])
        order.save()
        assert [told for signal, told in of_save(captured, "shop.Order") if signal == "post_save"] == [
            {"status": ["placed", "sent"]},
            {"customer_id": [old, other.pk]},
            {"total": ["12.50", "1"]},
        ]

    def test_a_choice_is_the_text_that_it_stands_for(self, captured: Captured, order: Order) -> None:
        """Members of an enumeration are compared as what they are in the database."""
        order.status = Order.Status.PLACED
        order.save()
        order.status = Order.Status.PAID
        order.save()
        paid = {"status": ["placed", "paid"]}
        assert [told for _, told in of_save(captured, "shop.Order")] == [{}, {}, paid, paid]

    def test_what_a_receiver_of_pre_save_sets_is_told_by_post_save(self, captured: Captured, order: Order) -> None:
        """Between the two signals the values may change again."""

        def set_total(instance: Order, **named: Any) -> None:
            instance.total = Decimal(99)

        models.signals.pre_save.connect(set_total, sender=Order)
        try:
            order.save()
        finally:
            models.signals.pre_save.disconnect(set_total, sender=Order)
        assert of_save(captured, "shop.Order") == [("pre_save", {}), ("post_save", {"total": ["12.50", "99"]})]

    def test_an_expression_is_not_compared(self, captured: Captured, order: Order) -> None:
        """What it comes to is known to the database only; Django may fetch it with the save."""
        order.total = F("total") + 1
        order.save()
        before, after = (told for _, told in of_save(captured, "shop.Order"))
        assert before is None
        assert after in (None, {"total": ["12.50", "13.5"]}, {"total": ["12.50", "13.50"]})

    def test_another_type_is_not_compared(self, captured: Captured, order: Order) -> None:
        """Whether "12.50" is the number 12.50 is for the field to say; but nothing is claimed to be as it was."""
        order.total = "12.50"
        order.save()
        assert of_save(captured, "shop.Order") == [("pre_save", None), ("post_save", None)]

    def test_that_failed_leaves_nothing_known(self, captured: Captured) -> None:
        """Whatever of it was written: the next pre_save has nothing to compare with."""
        Tag.objects.create(name="taken")
        Tag.objects.create(name="free")
        captured.sends.clear()
        tag = Tag.objects.get(name="free")
        tag.name = "taken"
        with pytest.raises(IntegrityError), transaction.atomic():
            tag.save()
        tag.name = "other"
        tag.save()
        assert of_save(captured, "shop.Tag") == [
            ("pre_save", {"name": ["free", "taken"]}),
            ("pre_save", None),
            ("post_save", None),
        ]

    def test_that_was_rolled_back_is_what_the_instance_last_wrote(self, captured: Captured, order: Order) -> None:
        """Of the database's values nothing is claimed: the event tells what became of its transaction."""
        with transaction.atomic():
            order.status = "sent"
            order.save()
            transaction.set_rollback(True)
        order.save()
        assert [told for _, told in of_save(captured, "shop.Order")][-2:] == [{}, {}]
        first, _ = captured.of("post_save")
        assert first.transaction is not None
        assert first.transaction.state == "rolled_back"

    def test_inside_a_save_of_the_same_instance(self, captured: Captured, order: Order) -> None:
        """A receiver that saves again: each is compared with the one before."""

        def save_again(instance: Order, **named: Any) -> None:
            if instance.status == "paid":
                instance.status = "sent"
                instance.save()

        models.signals.post_save.connect(save_again, sender=Order)
        try:
            order.status = "paid"
            order.save()
        finally:
            models.signals.post_save.disconnect(save_again, sender=Order)
        paid, sent = {"status": ["placed", "paid"]}, {"status": ["paid", "sent"]}
        assert [told for _, told in of_save(captured, "shop.Order")] == [paid, paid, sent, sent]

    def test_of_a_fixture_is_not_remembered(self, captured: Captured, order: Order) -> None:
        """A raw save writes only a part of an instance with parents."""
        again: Any
        (again,) = serializers.deserialize("python", serializers.serialize("python", [order]))
        again.object.status = "sent"
        again.save()
        again.object.save()
        assert [told for signal, told in of_save(captured, "shop.Order") if signal == "pre_save"] == [None, None]

    def test_in_another_thread_is_compared_with_what_was_loaded_here(self, captured: Captured, order: Order) -> None:
        """What is known belongs to the instance."""
        order.status = "sent"
        thread = threading.Thread(
            target=lambda: models.signals.pre_save.send(Order, instance=order, raw=False, using="default")
        )
        thread.start()
        thread.join()
        assert of_save(captured, "shop.Order") == [("pre_save", {"status": ["placed", "sent"]})]


class TestLoading:
    def test_a_deferred_field_is_not_known(
        self, captured: Captured, order: Order, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """And it is not fetched. What was loaded is compared."""
        order = Order.objects.only("status").get()
        order.status, order.total = "sent", Decimal(1)
        with django_assert_num_queries(1):
            order.save(update_fields=["status", "total"])
        assert of_save(captured, "shop.Order")[0] == ("pre_save", {"status": ["placed", "sent"]})

    def test_a_deferred_field_is_known_once_it_is_fetched(self, captured: Captured, order: Order) -> None:
        """Fetching one leaves alone what is known of the others."""
        order = Order.objects.defer("total").get()
        order.status = "sent"
        assert order.total == Decimal("12.50")
        order.total = Decimal(1)
        order.save()
        told = {"status": ["placed", "sent"], "total": ["12.50", "1"]}
        assert of_save(captured, "shop.Order")[0] == ("pre_save", told)

    def test_refreshing_makes_the_databases_values_known(self, captured: Captured, order: Order) -> None:
        """All of them, or those that were asked for."""
        Order.objects.update(status="paid", total=3)
        order.refresh_from_db(fields=["status"])
        order.save(update_fields=["status"])
        order.refresh_from_db()
        order.status = "sent"
        order.save()
        assert [told for signal, told in of_save(captured, "shop.Order") if signal == "pre_save"] == [
            {},
            {"status": ["paid", "sent"]},
        ]

    def test_of_a_related_instance_in_the_same_query(self, captured: Captured, order: Order) -> None:
        """select_related loads instances, too."""
        customer = Order.objects.select_related("customer").get().customer
        customer.first_name = "Mary"
        customer.save()
        assert of_save(captured, "auth.User")[0] == ("pre_save", {"first_name": ["", "Mary"]})

    def test_of_a_raw_query(self, captured: Captured, order: Order) -> None:
        """Its columns may come in any order."""
        (order,) = Order.objects.raw("SELECT total, status, id FROM shop_order")
        order.status = "sent"
        order.save(update_fields=["status"])
        assert of_save(captured, "shop.Order")[0] == ("pre_save", {"status": ["placed", "sent"]})

    def test_through_a_proxy(self, captured: Captured, order: Order) -> None:
        """A proxy has the fields of its model."""
        with isolate_apps("project.shop"):

            class Archived(Order):
                class Meta:
                    proxy = True
                    app_label = "shop"

        proxy: Any = Archived._default_manager.get()
        proxy.status = "sent"
        proxy.save()
        assert of_save(captured, "shop.Archived")[0] == ("pre_save", {"status": ["placed", "sent"]})

    def test_more_rows_than_are_remembered_are_not_known(self, captured: Captured) -> None:
        """Memory is bounded. Once something is saved that is not known, the next rows are known again."""
        Tag.objects.bulk_create(Tag(name=f"tag {n}") for n in range(changes.MAX_INSTANCES + 1))
        changes.forget_all()
        tags = list(Tag.objects.order_by("pk"))
        last = tags[-1]
        last.name = "last"
        last.save()
        first = Tag.objects.order_by("pk")[0]
        first.name = "first"
        first.save()
        assert [told for signal, told in of_save(captured, "shop.Tag") if signal == "pre_save"] == [
            None,
            {"name": ["tag 0", "first"]},
        ]

    def test_a_long_text_is_known_by_its_beginning(self, captured: Captured) -> None:
        """None of the text is kept but its head; where only the rest may differ, nothing is claimed."""
        Product.objects.create(name="Pear", price=1, stock=100, description="a" * 5_000)
        captured.sends.clear()
        for description in ("a" * 4_999 + "b", "b" + "a" * 4_999, "short"):
            product = Product.objects.get()
            product.description = description
            product.save()
        same_head, other_head, other_length = [
            event.changes for event in captured.of("pre_save") if event.sender == "shop.Product"
        ]
        assert same_head is None
        assert other_head is not None
        assert other_length is not None
        assert [value[:2] + value[-2:] for value in other_head["description"]] == ["aaa…", "baa…"]
        assert other_length["description"] == ["b" + "a" * 199 + "…", "short"]


class TestTheInstance:
    def test_is_as_it_would_be_without_capture(self, captured: Captured, order: Order) -> None:
        """Nothing is written to it: its attributes, its pickle and its copies are the same."""
        order.save()
        watched = vars(order).keys(), vars(order._state).keys(), pickle.dumps(order)
        capture.detach()
        try:
            plain = Order.objects.get()
            plain.save()
            assert (vars(plain).keys(), vars(plain._state).keys(), pickle.dumps(plain)) == watched
        finally:
            capture.attach()

    def test_copies_are_not_taken_for_it(self, captured: Captured, order: Order) -> None:
        """A copy is another instance, of which nothing is known."""
        order.status = "sent"
        for other in (copy.copy(order), copy.deepcopy(order), pickle.loads(pickle.dumps(order))):
            other.save()
        assert {told for signal, told in of_save(captured, "shop.Order") if signal == "pre_save"} == {None}

    @pytest.mark.parametrize("saves", [0, 1])
    def test_dies_with_its_last_reference(self, captured: Captured, order: Order, saves: int) -> None:
        """Nothing waits for the garbage collector, and what was known goes with it."""
        gc.disable()
        try:
            alive = len(changes._alive)
            loaded = Order.objects.get()
            for _ in range(saves):
                loaded.save()
            gone = weakref.ref(loaded)
            assert len(changes._alive) == alive + 1
            del loaded
            assert gone() is None
            assert len(changes._alive) == alive
        finally:
            gc.enable()

    def test_is_neither_hashed_nor_compared(self, captured: Captured) -> None:
        """A model may have methods of its own for that, and they may fail."""
        with isolate_apps("project.shop"):

            class Touchy(models.Model):
                name = models.CharField(max_length=40)
                product_count = models.IntegerField(default=0)

                class Meta:
                    app_label = "shop"
                    db_table = "shop_tag"

                def __hash__(self) -> int:
                    raise RuntimeError

                def __eq__(self, other: object) -> bool:
                    raise RuntimeError

            Touchy._default_manager.create(name="a")
            touchy = Touchy._default_manager.get()
            touchy.name = "b"
            touchy.save()
            touchy.refresh_from_db()
        assert of_save(captured, "shop.Touchy")[-1] == ("post_save", {"name": ["a", "b"]})


class TestFields:
    """Models of every kind, each beside a table of its own."""

    @pytest.fixture(autouse=True)
    def _tables(self) -> Iterator[None]:
        with isolate_apps("project.shop"):
            yield

    def test_of_parents_are_told(self, captured: Captured) -> None:
        """Multi-table inheritance: one save, all fields."""

        class Label(models.Model):
            name = models.CharField(max_length=40)
            product_count = models.IntegerField(default=0)

            class Meta:
                app_label = "shop"
                db_table = "shop_tag"

        class Coloured(Label):
            colour = models.CharField(max_length=10)

            class Meta:
                app_label = "shop"

        create_table("shop_coloured", "label_ptr_id integer PRIMARY KEY, colour text")
        Coloured._default_manager.create(name="a", colour="red")
        captured.sends.clear()
        label = Coloured._default_manager.get()
        label.name, label.colour = "b", "blue"
        label.save()
        told = {"name": ["a", "b"], "colour": ["red", "blue"]}
        assert of_save(captured, "shop.Coloured") == [("pre_save", told), ("post_save", told)]

    def test_that_are_not_plain_are_not_known(self, captured: Captured) -> None:
        """Nothing that the project could change is kept, and none of its objects; of the others all is told."""

        class Price:
            pass

        class PriceField(models.IntegerField):  # type: ignore[type-arg]
            def from_db_value(self, value: Any, expression: Any, connection: Any) -> Price:
                return Price()

            def get_prep_value(self, value: Any) -> int:
                return 7

        class Offer(models.Model):
            name = models.CharField(max_length=40)
            details = models.JSONField()
            price = PriceField()

            class Meta:
                app_label = "shop"

        create_table("shop_offer", "id integer PRIMARY KEY, name text, details text, price integer")
        Offer._default_manager.create(name="a", details={"a": 1}, price=Price())
        captured.sends.clear()
        offer = Offer._default_manager.get()
        gone = weakref.ref(offer.price)
        offer.price = None
        assert gone() is None
        offer.details["a"] = 2
        offer.save()
        offer.name = "b"
        offer.save()
        offer.save(update_fields=["details"])
        named = {"name": ["a", "b"]}
        assert [told for _, told in of_save(captured, "shop.Offer")] == [None, None, named, named, None, None]

    def test_of_ones_own_classes_are_known_where_they_convert_nothing(self, captured: Captured) -> None:
        """A subclass of a field for forms or validation leaves the values as they are."""

        class NameField(models.CharField):  # type: ignore[type-arg]
            def formfield(self, **named: Any) -> Any:
                raise RuntimeError

        class Named(models.Model):
            name = NameField(max_length=40)
            product_count = models.IntegerField(default=0)

            class Meta:
                app_label = "shop"
                db_table = "shop_tag"

            @classmethod
            def from_db(cls, *args: Any, **named: Any) -> Any:
                """As Django's documentation has it."""
                instance = super().from_db(*args, **named)
                vars(instance)["_loaded_values"] = {}
                return instance

        Named._default_manager.create(name="a")
        captured.sends.clear()
        named = Named._default_manager.get()
        named.name = "b"
        named.save()
        assert of_save(captured, "shop.Named")[0] == ("pre_save", {"name": ["a", "b"]})

    def test_that_a_model_gets_later_are_told_from_then_on(self, captured: Captured) -> None:
        """Apps add fields to others' models while they get ready; what was loaded before is not taken for another."""

        class Named(models.Model):
            product_count = models.IntegerField(default=0)

            class Meta:
                app_label = "shop"
                db_table = "shop_tag"

        Tag.objects.create(name="a")
        captured.sends.clear()
        before = Named._default_manager.get()
        name = models.CharField(max_length=40, default="")
        name.creation_counter = Named._meta.pk.creation_counter
        name.contribute_to_class(Named, "name")
        after = Named._default_manager.get()
        before.save()
        after.product_count = 5
        after.save()
        told = [told for signal, told in of_save(captured, "shop.Named") if signal == "pre_save"]
        assert told == [None, {"product_count": [0, 5]}]

    @pytest.mark.parametrize("nan", [float("nan"), Decimal("NaN"), Decimal("sNaN")])
    def test_that_are_no_number_do_not_differ_from_themselves(self, nan: Any) -> None:
        """Not even a signalling NaN, which cannot be compared, raises."""
        before = Before(("total",), (nan,), True, frozenset(["total"]))
        now = Partial(shape_of(Order), {"total": copy.copy(nan)}, 0)
        assert differences(before, now) == {}
        assert differences(before, replace(now, fields={"total": type(nan)(1)})) is not None


class TestSecrets:
    def test_that_were_only_in_the_old_value_are_nowhere(self, captured: Captured) -> None:
        """Old values are masked as new ones are: by name, by what they look like, by model."""
        user = User.objects.create_user("mary", password="canary-4711")
        user.first_name = "Bearer canary47114711"
        user.save()
        old = user.password
        Session.objects.create(session_key="canary0815", session_data="canary", expire_date=timezone.now())
        captured.sends.clear()
        user = User.objects.get()
        user.password, user.first_name = "new", "Mary"
        user.save()
        session = Session.objects.get()
        session.session_data = "other"
        session.save()
        user_event, session_event = captured.of("post_save")
        assert user_event.changes == {"password": [MASK, MASK], "first_name": [MASK, "Mary"]}
        assert session_event.changes == {"session_data": [MASK, MASK]}
        for event in captured.events:
            assert b"canary" not in encode(event)
            assert old.encode() not in encode(event)
            if event.changes:
                assert "masked" in event.flags

    def test_are_masked_by_the_projects_function(self, captured: Captured, order: Order) -> None:
        """It is given old values as it is given new ones; with names only, neither is shown."""
        order.status = "sent"
        order.save()
        captured.describer = Describer(
            Masking(function=lambda name, value: value.upper() if name == "status" else None), names_only=False
        )
        assert captured.of("post_save")[0].changes == {"status": ["PLACED", "SENT"]}
        captured.describer = Describer(Masking(), names_only=True)
        assert captured.of("post_save")[0].changes == {"status": ["str", "str"]}


class TestWhatIsSwitchedOff:
    @pytest.fixture(autouse=True)
    def _all_on(self) -> Iterator[None]:
        was_attached = capture.is_attached()
        yield
        capture.detach()
        capture.configure([])
        if was_attached:
            capture.attach()

    def recapture(self, *patterns: str) -> None:
        """Attach again with other signals switched on."""
        capture.detach()
        capture.configure(list(patterns))
        capture.attach()

    def test_both_signals_off_leave_loading_alone(self, captured: Captured, order: Order) -> None:
        """Nothing is remembered, nothing woven."""
        woven = Order.from_db.__func__.__code__  # type: ignore[attr-defined]
        self.recapture("-*_save")
        order = Order.objects.get()
        assert weakref.getweakrefcount(order) == 0
        assert Order.from_db.__func__.__code__ is not woven  # type: ignore[attr-defined]

    def test_without_post_save_only_what_was_loaded_is_compared(self, captured: Captured, order: Order) -> None:
        """What a save has written is not seen: nothing is claimed of the next one."""
        self.recapture("pre_save")
        order = Order.objects.get()
        for status in ("paid", "sent"):
            order.status = status
            order.save()
        assert [told for _, told in of_save(captured, "shop.Order")] == [{"status": ["placed", "paid"]}, None]

    def test_without_pre_save_all_is_told_by_post_save(self, captured: Captured, order: Order) -> None:
        """Each is compared with the one before."""
        self.recapture("post_save")
        order = Order.objects.get()
        for status in ("paid", "sent"):
            order.status = status
            order.save()
        assert [told for _, told in of_save(captured, "shop.Order")] == [
            {"status": ["placed", "paid"]},
            {"status": ["paid", "sent"]},
        ]


def create_table(name: str, columns: str) -> None:
    """In the test's transaction, where Django's own schema editor does not work on SQLite."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} ({columns})")
