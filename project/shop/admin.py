"""The office's side of the shop."""

from django.contrib import admin

from project.shop.models import (
    Cart,
    CartLine,
    Invoice,
    Order,
    OrderLine,
    Product,
    Profile,
    RequestLog,
    Restock,
    Tag,
)


class CartLineInline(admin.TabularInline):  # type: ignore[type-arg]  # Django's class takes no arguments
    model = CartLine
    extra = 0


class OrderLineInline(admin.TabularInline):  # type: ignore[type-arg]  # as above
    model = OrderLine
    extra = 0


admin.site.register(Tag, list_display=["name", "product_count"])
admin.site.register(
    Product,
    list_display=["name", "price", "stock"],
    list_filter=["tags"],
    search_fields=["name"],
    filter_horizontal=["tags"],
    prepopulated_fields={"slug": ["name"]},
)
admin.site.register(Restock, list_display=["product", "quantity", "created_at"])
admin.site.register(Profile, list_display=["user", "logged_in_at", "logged_out_at", "failed_logins", "points"])
admin.site.register(Cart, list_display=["customer"], inlines=[CartLineInline])
admin.site.register(
    Order,
    list_display=["__str__", "customer", "status", "total", "created_at"],
    list_filter=["status"],
    inlines=[OrderLineInline],
)
admin.site.register(Invoice, list_display=["number", "order", "total", "created_at"])
admin.site.register(
    RequestLog,
    list_display=["created_at", "method", "path", "status", "duration_ms", "under_way", "error", "customer"],
    list_filter=["method", "status"],
)
