"""``manage.py demo_data``: something to sell and someone to buy it."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand
from django.db import transaction

from project.shop.models import Product, Tag

CUSTOMERS = 10
PASSWORD = "demo"  # published on the login page

#: Name, pounds, stock, tags.
PRODUCTS: list[tuple[str, str, int, str]] = [
    ("Apple juice", "2.40", 40, "drinks fruit"),
    ("Apricot jam", "3.20", 24, "breakfast fruit"),
    ("Baking tray", "11.50", 12, "kitchen"),
    ("Basil", "1.90", 18, "fresh garden"),
    ("Bread knife", "18.00", 9, "kitchen"),
    ("Cast iron pan", "46.00", 8, "kitchen"),
    ("Cherry tomatoes", "2.20", 36, "fresh"),
    ("Coffee beans", "9.80", 30, "drinks breakfast"),
    ("Coffee grinder", "89.00", 7, "kitchen drinks"),
    ("Enamel mug", "8.50", 28, "kitchen drinks"),
    ("Espresso machine", "349.00", 6, "kitchen drinks"),
    ("Flower bulbs", "5.60", 26, "garden"),
    ("Garden gloves", "7.20", 20, "garden"),
    ("Ginger beer", "1.60", 48, "drinks"),
    ("Hazelnuts", "4.30", 22, "breakfast"),
    ("Honey", "6.40", 24, "breakfast"),
    ("Lemons", "1.20", 50, "fresh fruit"),
    ("Mixing bowl", "14.00", 11, "kitchen"),
    ("Oat flakes", "2.10", 32, "breakfast"),
    ("Olive oil", "12.90", 25, "kitchen"),
    ("Pears", "1.80", 44, "fresh fruit"),
    ("Plant pot", "9.00", 19, "garden"),
    ("Pruning shears", "27.50", 8, "garden"),
    ("Rye bread", "3.60", 16, "fresh breakfast"),
    ("Spring water", "0.90", 60, "drinks"),
    ("Stock pot", "58.00", 7, "kitchen"),
    ("Teapot", "32.00", 9, "kitchen drinks"),
    ("Tomato seeds", "2.80", 30, "garden"),
    ("Watering can", "21.00", 10, "garden"),
    ("Wheelbarrow", "119.00", 6, "garden"),
]


class Command(BaseCommand):
    help = "Fills the shop with products and customers: adds what is missing, changes nothing that is there."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        added = self._add_products() + self._add_people()
        if added and options["verbosity"]:
            self.stdout.write(f"Added {added} products and people; every customer's password is {PASSWORD!r}.")

    def _add_products(self) -> int:
        added = 0
        for name, price, stock, tags in PRODUCTS:
            product, is_new = Product.objects.get_or_create(
                name=name,
                defaults={
                    "price": Decimal(price),
                    "stock": stock,
                    "description": f"{name}, as good as it gets.",
                },
            )
            if is_new:
                product.tags.set([Tag.objects.get_or_create(name=tag)[0] for tag in tags.split()])
                added += 1
        return added

    def _add_people(self) -> int:
        """Customers; and staff with published passwords, which nobody may want outside of DEBUG."""
        added = 0
        for number in range(1, CUSTOMERS + 1):
            added += self._add_user(f"customer{number}", PASSWORD)
        if settings.DEBUG:
            added += self._add_user("admin", "admin", is_staff=True, is_superuser=True)
            added += self._add_user("clerk", PASSWORD, is_staff=True)
            Group.objects.get(name="clerks").user_set.add(User.objects.get(username="clerk"))
        return added

    def _add_user(self, username: str, password: str, **rights: bool) -> int:
        if User.objects.filter(username=username).exists():
            return 0
        User.objects.create_user(username, f"{username}@shop.example", password, **rights)
        return 1
