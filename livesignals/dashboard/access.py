"""Who may look. One rule for HTTP and WebSocket; whoever may not gets a 404.

Two ways in: the one-time link that a server on this machine prints, and being a superuser of the project (or whatever
``LIVESIGNALS["ACCESS"]`` names). DEBUG opens nothing.
"""

import hmac
import secrets
import socket
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from ipaddress import IPv4Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core import signing
from django.core.exceptions import DisallowedHost, ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.module_loading import import_string

from livesignals import conf
from livesignals.exceptions import ConfigurationError

COOKIE_SALT = "livesignals.access"
COOKIE_SECONDS = 7 * 24 * 3600
TOKEN_PARAMETER = "token"

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class OneTimeLinks:
    """Links that open the dashboard once, for whoever can read the server's terminal.

    Opening one gives a signed cookie, which outlives a restart of the server, and makes the next link.
    """

    def __init__(self, base_url: str, cookie: str, announce: Callable[[str], None]) -> None:
        self.base_url = base_url
        self.cookie = cookie
        self.announce = announce
        self.hosts = {split_domain_port(urlsplit(base_url).netloc)[0], *LOOPBACK, *_own_names()}
        self._token = secrets.token_urlsafe(24)

    @property
    def link(self) -> str:
        """The link that works now."""
        return f"{self.base_url}?{TOKEN_PARAMETER}={self._token}"

    def redeem(self, token: str) -> str | None:
        """The cookie's value for the right token, which is then used up; None for a wrong one."""
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode()):
            return None
        self._token = secrets.token_urlsafe(24)
        self.announce(self.link)
        return _signer().sign("granted")

    def admits(self, request: HttpRequest) -> bool:
        """Whether the request carries a cookie that a link gave."""
        try:
            return bool(_signer().unsign(request.COOKIES.get(self.cookie, ""), max_age=COOKIE_SECONDS))
        except signing.BadSignature:
            return False


_process_key = secrets.token_urlsafe(32)


def _signer() -> signing.TimestampSigner:
    try:
        key = django_settings.SECRET_KEY or _process_key
    except ImproperlyConfigured:
        key = _process_key
    return signing.TimestampSigner(key=key, fallback_keys=[], salt=COOKIE_SALT)


def page_request(scope: dict[str, Any]) -> HttpRequest:
    """The request behind an ASGI scope, of a WebSocket too: what an access rule is asked about."""
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
    return ASGIRequest({**scope, "scheme": scheme, "method": scope.get("method", "GET")}, BytesIO())


def is_served(request: HttpRequest, links: OneTimeLinks | None) -> bool:
    """Whether there is a dashboard for anybody at the host that this request names."""
    try:
        return conf.is_enabled(conf.read()) and is_known_host(request, links)
    except ConfigurationError:
        return False  # the system check says what is wrong


def may_look(request: HttpRequest, links: OneTimeLinks | None) -> bool:
    """Whether who sent this request may see the dashboard.

    Reads the session, so not on an event loop. Raises what the project's session, user and ACCESS callable raise.
    """
    if not is_served(request, links):
        return False
    if links is not None and links.admits(request):
        return True
    rule = conf.read().access
    if rule == "token":
        return False
    _add_user(request)
    return _is_superuser(request) if rule in (None, "superuser") else bool(import_string(rule)(request))


def is_same_origin(request: HttpRequest, origin: str) -> bool:
    """Whether a socket's Origin has the scheme, host and port of the page that the host serves."""
    return origin.lower() == f"{request.scheme}://{request.headers.get('Host', '')}".lower()


def is_known_host(request: HttpRequest, links: OneTimeLinks | None) -> bool:
    """Whether the Host is one that the dashboard answers at.

    Mounted that is the project's ALLOWED_HOSTS. A server that prints links goes by its own names and addresses too, and
    not by "*": a name that somebody else's DNS points here would let the pages of that name read all there is.
    """
    if links is None:
        try:
            request.get_host()
        except DisallowedHost:
            return False
        return True
    domain, _ = split_domain_port(request.headers.get("Host", ""))
    if not domain:
        return False
    allowed = [pattern for pattern in django_settings.ALLOWED_HOSTS if pattern != "*"]
    return domain in links.hosts or domain == _own_address(request) or validate_host(domain, allowed)


def _own_names() -> set[str]:
    """What this machine is called: as it is, without its domain, and by mDNS."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"}


def _own_address(request: HttpRequest) -> str:
    """The address of this machine that the request came to, as a Host header has it; "" if it came by no network."""
    server = request.scope.get("server")  # type: ignore[attr-defined]  # they all come by ASGI
    try:
        address = ip_address(server[0].partition("%")[0])
    except (TypeError, ValueError):
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or f"[{address}]")


def _add_user(request: HttpRequest) -> None:
    """``request.session`` and ``request.user``, as Django's middleware adds them, where the project has them."""
    if not apps.is_installed("django.contrib.auth") or not apps.is_installed("django.contrib.sessions"):
        return
    from django.contrib.auth import get_user

    engine = import_module(django_settings.SESSION_ENGINE)
    request.session = engine.SessionStore(request.COOKIES.get(django_settings.SESSION_COOKIE_NAME))
    request.user = get_user(request)


def _is_superuser(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and getattr(user, "is_superuser", False))
