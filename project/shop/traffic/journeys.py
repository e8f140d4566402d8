"""What visitors come for. Each journey begins with someone unknown and knows the shop only by its pages."""

import re
from html import unescape
from random import Random

from project.shop.management.commands.demo_data import CUSTOMERS, PASSWORD
from project.shop.traffic.visitor import Visitor

PRODUCT_LINK = re.compile(r'href="(/products/[\w-]+/)"')
TAG_LINK = re.compile(r'href="(\?tag=[^"]+)"')
ORDER_PATH = re.compile(r"/orders/\d+/$")
CHANGE_LINK = re.compile(r'href="(/admin/shop/product/\d+/change/[^"]*)"')
INPUT = re.compile(r'<input[^>]*\bname="(name|slug|price|stock|reorder_level)"[^>]*>')
VALUE = re.compile(r'\bvalue="([^"]*)"')
DESCRIPTION = re.compile(r'<textarea name="description"[^>]*>(.*?)</textarea>', re.DOTALL)
TAG = re.compile(r'<option value="(\d+)"( selected)?>')


async def look_around(visitor: Visitor, chance: Random) -> None:
    """Browse without buying, and now and then get lost."""
    front = await visitor.get("/")
    for link in _some(TAG_LINK.findall(front.text), chance):
        await visitor.get("/" + link)
    for link in _some(PRODUCT_LINK.findall(front.text), chance):
        await visitor.get(link)
    if chance.random() < 0.1:
        await visitor.get("/products/unicorn/")
    if chance.random() < 0.1:
        await visitor.get("/broken/")


async def buy(visitor: Visitor, chance: Random) -> None:
    """Log in, at times after a typing error, fill the cart, order, then pay or cancel or both, log out."""
    await _log_in(visitor, f"customer{chance.randint(1, CUSTOMERS)}", PASSWORD, chance)
    front = await visitor.get(f"/?page={chance.randint(1, 3)}")
    for link in _some(PRODUCT_LINK.findall(front.text), chance):
        await visitor.get(link)
        # Nobody needs 500: such an order fails half-way and is rolled back.
        quantity = 500 if chance.random() < 0.03 else chance.randint(1, 4)
        await visitor.post("/cart/add" + link.removeprefix("/products"), quantity=quantity)
    placed = await visitor.post("/cart/checkout/")
    if ORDER_PATH.search(placed.url.path):
        await _pay_or_cancel(visitor, placed.url.path, chance)
    else:
        await _empty_cart(visitor, placed.text)
    await visitor.get("/orders/")
    await visitor.post("/logout/")


async def mind_the_shop(visitor: Visitor, chance: Random) -> None:
    """A clerk changes a product's stock and tags in the admin, or adds one and thinks better of it."""
    await _log_in(visitor, "clerk", PASSWORD, chance)
    listed = await visitor.get("/admin/shop/product/")
    links = CHANGE_LINK.findall(listed.text)
    if chance.random() < 0.3:
        await _add_and_delete(visitor, chance)
    elif links:
        path = chance.choice(links)
        form = (await visitor.get(path)).text
        fields = _filled_in(form)
        fields["stock"] = str(chance.randint(6, 40))
        tags = [(number, bool(selected)) for number, selected in TAG.findall(form)]
        turned = chance.choice(tags)[0] if tags else ""
        chosen = [number for number, selected in tags if selected != (number == turned)]
        await visitor.post(path, **fields, tags=chosen)
    await visitor.get("/admin/shop/order/")
    await visitor.post("/logout/")


async def _log_in(visitor: Visitor, username: str, password: str, chance: Random) -> None:
    visitor.forget()
    await visitor.get("/login/")
    if chance.random() < 0.15:
        await visitor.post("/login/", username=username, password=password[:-1])
    await visitor.post("/login/", username=username, password=password)


async def _pay_or_cancel(visitor: Visitor, order: str, chance: Random) -> None:
    """Whoever cancels after paying mostly comes too late: that is rolled back."""
    wish = chance.random()
    if wish < 0.85:
        await visitor.post(f"{order}pay/")
    if wish > 0.75:
        await visitor.post(f"{order}cancel/")


async def _empty_cart(visitor: Visitor, cart: str) -> None:
    for path in re.findall(r'action="(/cart/remove/\d+/)"', cart):
        await visitor.post(path)


async def _add_and_delete(visitor: Visitor, chance: Random) -> None:
    name = f"Surprise {chance.randint(1000, 9999)}"
    form = (await visitor.get("/admin/shop/product/add/")).text
    tags = [number for number, _ in TAG.findall(form)[:2]]
    await visitor.post(
        "/admin/shop/product/add/", name=name, slug="", price="5.00", stock=3, reorder_level=1, tags=tags
    )
    found = await visitor.get(f"/admin/shop/product/?q={name.replace(' ', '+')}")
    for link in CHANGE_LINK.findall(found.text)[:1]:
        await visitor.post(link.partition("change/")[0] + "delete/", post="yes")


def _filled_in(form: str) -> dict[str, str]:
    """The product's own fields as the admin shows them."""
    found: dict[str, str] = {}
    for field in INPUT.finditer(form):
        value = VALUE.search(field.group())
        found[field.group(1)] = unescape(value.group(1)) if value else ""
    if description := DESCRIPTION.search(form):
        found["description"] = unescape(description.group(1)).strip()
    return found


def _some(links: list[str], chance: Random) -> list[str]:
    """One to three of them."""
    distinct = sorted(set(links))
    return chance.sample(distinct, min(len(distinct), chance.randint(1, 3)))
