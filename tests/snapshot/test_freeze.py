"""What is kept of the arguments of a send, and in what form it is told."""

import datetime
import decimal
import gc
import sys
import uuid
import weakref
import zoneinfo
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.db import models
from django.db.models.fields.files import FieldFile
from django.test.utils import isolate_apps
from django.utils.safestring import mark_safe
from msgspec import Struct
from msgspec.structs import astuple

from livesignals.snapshot import freeze
from livesignals.snapshot.freeze import MAX_ARGUMENTS, MAX_ITEMS, freeze_value
from livesignals.snapshot.masking import Masking
from livesignals.snapshot.render import render
from livesignals.snapshot.types import shape_of
from tests.snapshot.conftest import Show

UTC_MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


def flags(**named: Any) -> set[str]:
    """What is said of the whole."""
    return render(freeze(named), Masking(), names_only=False)[1]


class TestValues:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, None),
            (True, True),
            (2**63 - 1, 2**63 - 1),
            (2**63, "9223372036854775808"),
            (2**300, {"type": "int of 301 bits"}),
            (1.5, 1.5),
            (float("nan"), "nan"),
            (float("-inf"), "-inf"),
            ("text \ud800 \0", "text ? \0"),
            (mark_safe("<b>"), "<b>"),
            (b"bytes", "bytes"),
            (b"\xff", "ff"),
            (decimal.Decimal("12.50"), "12.50"),
            (decimal.Decimal("9" * 5_000), {"type": "decimal.Decimal"}),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (UTC_MOMENT, "2026-01-02T03:04:05.000006Z"),
            (UTC_MOMENT.astimezone(zoneinfo.ZoneInfo("Europe/Oslo")), "2026-01-02T04:04:05.000006+01:00"),
            (UTC_MOMENT.date(), "2026-01-02"),
            (datetime.timedelta(days=1, seconds=1), "1 day, 0:00:01"),
            ([1, (2, {3})], [1, [2, [3]]]),
            ({"a": {1: None, None: b"x"}}, {"a": {"1": None, "None": "x"}}),
            (User, {"class": "auth.User"}),
            (dict, {"class": "dict"}),
            (ValueError("said"), {"type": "ValueError"}),
            (User.objects.all(), {"type": "django.db.models.query.QuerySet"}),
            (print, {"type": "builtin_function_or_method"}),
        ],
    )
    def test_plain_data_is_shown_as_it_is_and_the_rest_by_its_class(self, value: Any, shown: Any, show: Show) -> None:
        """As JSON that SQLite and browsers hold exactly."""
        assert show(value=value) == {"value": shown}

    def test_a_member_of_text_choices_is_the_text_that_it_stands_for(self) -> None:
        """In an argument and in a field; frozen it is a plain text, and its class is not kept."""

        class Title(models.TextChoices):
            DOCTOR = "dr", "Doctor"

        shape_of(User).plans = ()  # there is room for a new one, whatever other tests have frozen
        user = User(pk=7, username="mary", first_name=Title.DOCTOR)
        frozen = freeze({"instance": user, "title": Title.DOCTOR})
        kept = frozen["instance"].values[frozen["instance"].shape.attnames.index("first_name")]
        assert (kept, type(kept)) == ("dr", str)
        assert render(frozen, Masking(), names_only=False)[0]["instance"]["fields"]["first_name"] == "dr"
        assert (frozen["title"], type(frozen["title"])) == ("dr", str)
        reference = weakref.ref(Title)
        del Title, user
        gc.collect()
        assert reference() is None

    def test_a_time_zone_of_the_projects_own_is_not_asked(self, show: Show) -> None:
        """It would be the project's code; the local time is told."""

        zone: Any = type("Zone", (datetime.tzinfo,), {})
        shown = show(at=UTC_MOMENT.replace(tzinfo=zone()))["at"]
        assert shown == {"type": "datetime.datetime", "local": "2026-01-02T03:04:05.000006"}

    def test_of_some_things_a_harmless_attribute_is_told(self, show: Show) -> None:
        """Of an uploaded file its name."""
        file = FieldFile(Group(), models.FileField(name="upload"), "invoices/7.pdf")
        assert show(file=file)["file"]["name"] == "invoices/7.pdf"
        assert show(file=ContentFile(b"never read")) == {"file": {"type": "django.core.files.base.ContentFile"}}


class TestInstances:
    def test_an_instance_is_told_by_its_fields(self, show: Show) -> None:
        """Those that it has in memory."""
        assert show(instance=Group(pk=7, name="staff"))["instance"] == {
            "model": "auth.Group",
            "pk": 7,
            "fields": {"id": 7, "name": "staff"},
        }

    def test_deferred_fields_are_left_out(self, show: Show) -> None:
        """To read them would be a query."""
        deferred = Group.from_db("default", ["id"], [7])
        assert show(instance=deferred)["instance"] == {"model": "auth.Group", "pk": 7, "fields": {"id": 7}}

    def test_a_half_built_instance_is_told_as_far_as_it_is(self, show: Show) -> None:
        """As pre_init and a failing __init__ show it."""
        assert show(instance=Group.__new__(Group))["instance"] == {"model": "auth.Group", "pk": None, "fields": {}}

    def test_classes_that_go_are_let_go(self) -> None:
        """Such as the historical models that a migration makes by the hundred."""

        def use_a_model() -> "weakref.ref[type]":
            with isolate_apps("tests"):

                class Historical(models.Model):
                    class Meta:
                        app_label = "tests"

                    def __str__(self) -> str:
                        return ""

                freeze({"instance": Historical(), "model": Historical, "raw": [Historical(), object()]})
                assert shape_of(Historical).label == "tests.Historical"
                return weakref.ref(Historical)

        historical = use_a_model()
        gc.collect()
        assert historical() is None


class TestBounds:
    def test_what_is_left_out_is_told(self, show: Show) -> None:
        """In its place, and by the flag of the event."""
        assert show(items=list(range(40)))["items"] == [*range(MAX_ITEMS), "… 8 more"]
        assert show(data=dict.fromkeys(map(str, range(40))))["data"]["…"] == "8 more"
        assert show(text="word " * 1_000)["text"].endswith("word …")
        assert show(deep=[[[[[1]]]]]) == {"deep": [[[[{"type": "list"}]]]]}
        for much in ([*range(40)], dict.fromkeys(map(str, range(40))), "word " * 1_000, [[[[[1]]]]], b"\xff" * 65):
            assert flags(value=much) == {"truncated"}

    def test_of_many_arguments_the_first_are_shown(self, show: Show) -> None:
        """And how many more there were."""
        shown = show(**{f"argument{number}": number for number in range(100)})
        assert len(shown) == MAX_ARGUMENTS + 1
        assert shown["argument31"] == 31
        assert shown["…"] == {"type": "68 more"}

    def test_no_send_holds_much(self) -> None:
        """However much it carries, in whatever form."""
        text = "\N{PILE OF POO}" * 1_000
        users = [User(pk=number, username=text[:150], email=text[:254]) for number in range(40)]
        carried: list[dict[str, Any]] = [
            {f"argument{number}": text for number in range(16)},
            {f"{number}" * 60: text[:64] for number in range(16)},
            {"users": users},
            {f"user{number}": users[number] for number in range(16)},
            {"users": [users, users]},
            {"data": {text + str(number): text for number in range(40)}},
            {"numbers": [[[[2**255] * 32] * 32] * 32] * 32},
            {"objects": [[object() for _ in range(32)] for _ in range(32)]},
            {"names": [User] * 32, "flags": [[None] * 32] * 32},
        ]
        for named in carried:
            frozen = freeze(named)
            assert _held(frozen) <= 32 * 1_024
            rendered, _ = render(frozen, Masking(), names_only=False)
            assert len(msgspec.json.encode(rendered)) <= 64 * 1_024
        assert _held(freeze_value([text] * 32)) <= 4 * 1_024

    def test_arguments_are_left_as_they_are(self) -> None:
        """Also those that are cut."""
        data = {"items": list(range(100)), "text": "x" * 5_000}
        named = {"data": data, "flag": True}
        freeze(named)
        assert named == {"data": {"items": list(range(100)), "text": "x" * 5_000}, "flag": True}
        assert named["data"] is data


def _held(frozen: Any) -> int:
    if isinstance(frozen, dict):
        return sys.getsizeof(frozen) + sum(map(_held, frozen)) + sum(map(_held, frozen.values()))
    if isinstance(frozen, tuple):
        return sys.getsizeof(frozen) + sum(map(_held, frozen))
    if isinstance(frozen, Struct):
        return sys.getsizeof(frozen) + sum(map(_held, astuple(frozen)))
    return 0 if type(frozen).__name__ == "Shape" else sys.getsizeof(frozen)
