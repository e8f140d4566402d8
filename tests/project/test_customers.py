"""What a customer can do, and what it sets off."""

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from project.shop.models import Invoice, Order, Product, RequestLog, Restock
from tests.project.conftest import Sent, an_order


def stock_of(slug: str) -> int:
    return Product.objects.get(slug=slug).stock


def test_products_are_found_by_page_tag_and_word(shop: None, client: Client) -> None:
    """The front page shows some of everything; a tag or a word narrows it down."""
    assert len(client.get("/").context["page"]) == 12
    assert {p.name for p in client.get("/?tag=fruit").context["page"]} == {
        "Apple juice",
        "Apricot jam",
        "Lemons",
        "Pears",
    }
    assert [p.name for p in client.get("/?q=honey").context["page"]] == ["Honey"]
    assert client.get("/?page=nonsense&q=%00&tag=unheard-of").status_code == 200


def test_who_is_not_logged_in_is_asked_to(shop: None, client: Client) -> None:
    """Carts and orders belong to somebody."""
    for path in ("/cart/", "/orders/"):
        assert client.get(path).headers["Location"] == f"/login/?next={path}"


def test_login_and_logout_times_are_recorded(customer: User, client: Client, sent: Sent) -> None:
    """A failed login is counted; a good one starts the count again; both ends of a visit are noted."""
    client.post("/login/", {"username": "customer1", "password": "wrong"})
    customer.profile.refresh_from_db()
    assert (customer.profile.failed_logins, customer.profile.logged_in_at) == (1, None)

    client.post("/login/", {"username": "customer1", "password": "demo"})
    customer.profile.refresh_from_db()
    assert customer.profile.failed_logins == 0
    assert customer.profile.logged_in_at is not None

    client.post("/logout/")
    customer.profile.refresh_from_db()
    assert customer.profile.logged_out_at is not None
    assert {"user_login_failed", "user_logged_in", "user_logged_out"} <= sent.names


def test_ordering_empties_the_cart_and_takes_from_the_shelf(browser: Client, customer: User) -> None:
    """What is put into the cart twice is one line; the stock follows from the order's lines being saved."""
    browser.post("/cart/add/honey/", {"quantity": 2})
    browser.post("/cart/add/honey/", {"quantity": 1})
    assert "£19.20" in browser.get("/cart/").content.decode()

    placed = browser.post("/cart/checkout/")
    order = Order.objects.get()
    assert placed.headers["Location"] == f"/orders/{order.pk}/"
    assert str(order.total) == "19.20"
    assert stock_of("honey") == 24 - 3
    assert not customer.cart.lines.exists()


def test_paying_writes_the_invoice_gives_points_and_mails_a_receipt(
    browser: Client, customer: User, sent: Sent
) -> None:
    """All by receivers of order_paid, sync and async; the last tells the warehouse."""
    an_order(customer, pk=101, quantity=3)
    browser.post("/orders/101/pay/")
    customer.profile.refresh_from_db()
    assert Order.objects.get(pk=101).status == Order.Status.SENT
    assert Invoice.objects.get(order_id=101).number == "INV-000101"
    assert customer.profile.points == 19
    assert [letter.subject for letter in mail.outbox] == ["Receipt for order 101"]
    assert "INV-000101" in browser.get("/orders/101/").content.decode()
    assert "Order 101" in browser.get("/orders/").content.decode()
    assert ("project.shop.signals.order_paid", Order) in sent


def test_little_stock_makes_further_sends_until_the_shelf_is_full_again(browser: Client, sent: Sent) -> None:
    """Selling saves the product, which sends stock_low; its async receiver orders goods: saved again."""
    browser.post("/cart/add/espresso-machine/", {"quantity": 2})
    browser.post("/cart/checkout/")
    assert Restock.objects.get().quantity == 30
    assert stock_of("espresso-machine") == 6 - 2 + 30
    assert [sender for name, sender in sent if name.endswith(".stock_low")] == [Product]


def test_the_shop_keeps_working_when_the_warehouse_does_not(browser: Client, customer: User) -> None:
    """Every fifth order's receiver raises: the payment stands, and the receivers after it ran."""
    an_order(customer, pk=105)
    assert browser.post("/orders/105/pay/").status_code == 302
    order = Order.objects.get(pk=105)
    assert order.status == Order.Status.PAID
    assert order.invoice.number == "INV-000105"
    assert len(mail.outbox) == 1


def test_nothing_is_paid_twice(browser: Client, customer: User) -> None:
    """A second click on "Pay" is told so and pays nothing."""
    an_order(customer, pk=101)
    browser.post("/orders/101/pay/")
    again = browser.post("/orders/101/pay/", follow=True)
    assert "Order 101 is sent." in again.content.decode()
    assert Invoice.objects.count() == 1


def test_an_order_for_too_much_is_rolled_back_whole(browser: Client, sent: Sent) -> None:
    """The lines before the impossible one were saved, receivers and all, and are gone again."""
    browser.post("/cart/add/honey/", {"quantity": 1})
    browser.post("/cart/add/wheelbarrow/", {"quantity": 500})
    answer = browser.post("/cart/checkout/", follow=True)
    assert "Only 6 × Wheelbarrow left." in answer.content.decode()
    assert ("django.db.models.signals.post_save", Order) in sent
    assert not Order.objects.exists()
    assert stock_of("honey") == 24


def test_an_empty_cart_orders_nothing(browser: Client) -> None:
    """There is no order without a line."""
    assert "Your cart is empty." in browser.post("/cart/checkout/", follow=True).content.decode()
    assert not Order.objects.exists()


def test_a_line_can_be_taken_out_of_the_cart(browser: Client, customer: User) -> None:
    """And only out of one's own."""
    browser.post("/cart/add/honey/", {"quantity": 1})
    line = customer.cart.lines.get()
    stranger = Client()
    stranger.force_login(User.objects.get(username="customer2"))
    assert stranger.post(f"/cart/remove/{line.pk}/").status_code == 404
    browser.post(f"/cart/remove/{line.pk}/")
    assert not customer.cart.lines.exists()


def test_cancelling_puts_the_goods_back(browser: Client, customer: User) -> None:
    """As long as the order is in the house. Cancelling twice is cancelling once."""
    order = an_order(customer, quantity=4)
    assert stock_of("honey") == 20
    for _ in range(2):
        browser.post(f"/orders/{order.pk}/cancel/")
        order.refresh_from_db()
        assert order.status == Order.Status.CANCELLED
        assert stock_of("honey") == 24


def test_cancelling_too_late_is_rolled_back(browser: Client, customer: User, sent: Sent) -> None:
    """The goods were on the shelf again, as a signal said, before the parcel could not be called back."""
    an_order(customer, pk=101, quantity=4)
    browser.post("/orders/101/pay/")
    sent.clear()
    answer = browser.post("/orders/101/cancel/", follow=True)
    assert "on its way already. Nothing was changed." in answer.content.decode()
    assert ("django.db.models.signals.post_save", Product) in sent
    assert Order.objects.get(pk=101).status == Order.Status.SENT
    assert stock_of("honey") == 20


@pytest.mark.parametrize("quantity", ["0", "-1", "1000", "many", ""])
def test_an_impossible_quantity_is_refused_with_words(browser: Client, quantity: str) -> None:
    """The product's page comes back and says what would be right."""
    answer = browser.post("/cart/add/honey/", {"quantity": quantity}, follow=True)
    assert answer.redirect_chain == [("/products/honey/", 302)]
    assert "A whole number from 1 to 999." in answer.content.decode()


def test_orders_of_others_do_not_exist(browser: Client) -> None:
    """Neither to be seen nor to be paid nor to be cancelled."""
    order = an_order(User.objects.get(username="customer2"))
    assert browser.get(f"/orders/{order.pk}/").status_code == 404
    for wish in ("pay", "cancel"):
        assert browser.post(f"/orders/{order.pk}/{wish}/").status_code == 404


def test_the_broken_page_fails_and_the_request_log_says_why(browser: Client, sent: Sent) -> None:
    """A failing view sends got_request_exception; its receiver notes the exception's name."""
    assert browser.get("/broken/").status_code == 500
    entry = RequestLog.objects.get(path="/broken/")
    assert (entry.status, entry.error) == (500, "BrokenPage")
    assert "got_request_exception" in sent.names


def test_every_request_is_logged_with_its_time_and_its_customer(browser: Client, customer: User) -> None:
    """One row a request; the dashboard's own are left out."""
    RequestLog.objects.all().delete()
    browser.get("/orders/")
    browser.get("/livesignals/")
    entry = RequestLog.objects.get()
    assert (entry.method, entry.path, entry.status, entry.customer) == ("GET", "/orders/", 200, customer)
    assert (entry.duration_ms > 0, entry.under_way, entry.error) == (True, 1, "")


def test_the_request_log_keeps_the_newest_thousand(shop: None, client: Client) -> None:
    """It is cut at every hundredth request."""
    RequestLog.objects.bulk_create(
        RequestLog(pk=pk, method="GET", path="/", status=200, duration_ms=1, under_way=1) for pk in range(1, 1300)
    )
    client.get("/")
    assert RequestLog.objects.count() == 1000
    assert RequestLog.objects.latest("pk").pk == 1300
