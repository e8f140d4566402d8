from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ShopConfig(AppConfig):
    name = "project.shop"
    label = "shop"

    def ready(self) -> None:
        from project.shop import receivers

        post_migrate.connect(receivers.set_up_clerks, sender=self, dispatch_uid="shop.set_up_clerks")
