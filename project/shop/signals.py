"""The shop's own signals."""

from django.dispatch import Signal

#: An order was paid, and the payment is committed. Sent with ``sender=Order, order=Order``.
order_paid = Signal()

#: Little is left of a product. Sent with ``sender=Product, product=Product``, where its stock was saved.
stock_low = Signal()

#: A page of the shop or the admin was made.
#: Sent with ``sender=None, request=HttpRequest, status=int, duration_ms=float``.
page_served = Signal()
