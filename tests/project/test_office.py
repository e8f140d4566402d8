"""What the office does in the admin, and what a migration sets up."""

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.management import call_command
from django.test import Client

from project.shop.models import Product, Tag
from tests.project.conftest import Sent, an_order

FORM = {"name": "Rhubarb", "price": "2.00", "stock": "9", "reorder_level": "2", "description": ""}


def test_the_admin_opens_every_model(office: Client, customer: User) -> None:
    """List, form for a new one, and form of one that exists."""
    an_order(customer)
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "shop":
            base = f"/admin/shop/{model._meta.model_name}/"
            assert office.get(base).status_code == 200
            assert office.get(f"{base}add/").status_code == 200
            for one in model_admin.model._default_manager.all()[:1]:
                assert office.get(f"{base}{one.pk}/change/").status_code == 200


def test_a_new_product_gets_its_slug_and_counts_for_its_tags(office: Client, sent: Sent) -> None:
    """pre_save fills in what was left empty; m2m_changed keeps the counts, both ways."""
    fruit = Tag.objects.get(name="fruit")
    office.post("/admin/shop/product/add/", {**FORM, "tags": [fruit.pk]})
    rhubarb = Product.objects.get(name="Rhubarb")
    assert rhubarb.slug == "rhubarb"
    fruit.refresh_from_db()
    assert fruit.product_count == 5

    office.post(f"/admin/shop/product/{rhubarb.pk}/change/", {**FORM, "slug": "rhubarb", "tags": []})
    fruit.refresh_from_db()
    assert fruit.product_count == 4
    assert ("django.db.models.signals.m2m_changed", Product.tags.through) in sent


def test_the_office_is_told_what_was_deleted(office: Client, customer: User, sent: Sent) -> None:
    """Products and orders."""
    order, honey = an_order(customer, product="lemons"), Product.objects.get(slug="honey")
    office.post(f"/admin/shop/product/{honey.pk}/delete/", {"post": "yes"})
    office.post(f"/admin/shop/order/{order.pk}/delete/", {"post": "yes"})
    assert [letter.subject for letter in mail.outbox] == ["Product deleted", "Order deleted"]
    assert mail.outbox[0].to == ["office@shop.example"]
    assert {"pre_delete", "post_delete"} <= sent.names


def test_a_migration_sets_up_the_clerks(shop: None, sent: Sent) -> None:
    """The group and its rights over the shop, and nothing else, are there again after the next migrate."""
    Group.objects.all().delete()
    call_command("migrate", verbosity=0, interactive=False)
    rights = Group.objects.get(name="clerks").permissions
    assert set(rights.values_list("content_type__app_label", flat=True)) == {"shop"}
    assert rights.filter(codename="change_product").exists()
    assert {"pre_migrate", "post_migrate"} <= sent.names
