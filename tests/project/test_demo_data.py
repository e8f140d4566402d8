"""The shop's first goods and customers."""

from decimal import Decimal

from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import Settings

from project.shop.models import Product, Tag


def contents() -> tuple[list[object], ...]:
    return (
        list(Product.objects.order_by("pk").values_list()),
        list(Tag.objects.order_by("pk").values_list()),
        list(User.objects.order_by("pk").values_list("username", "password", "is_staff", "is_superuser")),
    )


def test_the_first_start_fills_the_shop_and_later_ones_change_nothing(shop: None) -> None:
    """What was changed since stays as it is; what is missing comes back."""
    assert (Product.objects.count(), Tag.objects.count(), User.objects.count()) == (30, 6, 10)
    assert Tag.objects.get(name="garden").product_count == 8
    Product.objects.filter(slug="honey").update(price=Decimal("1.23"))
    before = contents()
    call_command("demo_data", verbosity=0)
    assert contents() == before

    Product.objects.get(slug="lemons").delete()
    call_command("demo_data", verbosity=0)
    assert Product.objects.filter(slug="lemons").exists()


def test_customers_can_log_in(shop: None) -> None:
    """All ten, with the password that the login page tells."""
    for number in range(1, 11):
        assert User.objects.get(username=f"customer{number}").check_password("demo")


def test_staff_with_published_passwords_exists_only_with_debug(shop: None, settings: Settings) -> None:
    """Without DEBUG nobody is staff; with it there are a superuser and a clerk who runs the shop."""
    assert not User.objects.filter(is_staff=True).exists()
    settings.DEBUG = True
    call_command("demo_data", verbosity=0)
    admin, clerk = User.objects.filter(is_staff=True).order_by("username")
    assert (admin.username, admin.is_superuser, admin.check_password("admin")) == ("admin", True, True)
    assert (clerk.username, clerk.is_superuser) == ("clerk", False)
    assert clerk.has_perm("shop.change_product")
    assert not clerk.has_perm("auth.change_user")
