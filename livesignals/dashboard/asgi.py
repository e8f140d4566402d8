"""The dashboard as an ASGI application: alone, or in front of a project's.

It answers below its own prefix and hands everything else on. Its requests pass through none of the project's
middleware and send no signals, and nothing that happens in them is recorded: a tool that lists sends must not list
its own.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import Resolver404, get_resolver
from django.utils import translation

from livesignals.capture import muted
from livesignals.dashboard import access, health, rendering, sources, streaming
from livesignals.dashboard.language import language_of
from livesignals.exceptions import RecordingError
from livesignals.transport.consumer import LiveConsumer
from livesignals.transport.process import get_feed

logger = logging.getLogger("livesignals")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApplication = Callable[..., Awaitable[None]]

URLCONF = "livesignals.dashboard.urls"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def mount(application: ASGIApplication, prefix: str = "/livesignals/") -> "Dashboard":
    """The dashboard in front of a project's ASGI application::

        application = mount(get_asgi_application())

    Below *prefix* the dashboard answers, HTTP and WebSocket; everything else goes to *application*.
    """
    return Dashboard(prefix, application)


class Dashboard:
    """The ASGI application. ``links`` is set by a server that prints one-time links."""

    def __init__(self, prefix: str = "/", application: ASGIApplication | None = None) -> None:
        if not (prefix.startswith("/") and prefix.endswith("/")):
            raise ValueError(f"the prefix must begin and end with a slash, such as '/livesignals/', not {prefix!r}")
        self.prefix = prefix
        self.application = application
        self.links: access.OneTimeLinks | None = None
        self._probe = health.Probe()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_ours = scope["type"] in ("http", "websocket") and path.startswith(self.prefix)
        if await self._lacks_slash(scope):
            query = scope.get("query_string", b"").decode("latin1")
            response: HttpResponseBase = HttpResponseRedirect(f"{self.prefix}?{query}" if query else self.prefix)
            _secure(response)
            await _send_response(response, receive, send, is_head=scope["method"] == "HEAD")
        elif not is_ours and self.application is not None:
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            with muted():
                if path.removeprefix(self.prefix) in ("health", "health/"):
                    response = await self._health(scope)
                else:
                    response = await sync_to_async(self._respond, thread_sensitive=False)(scope)
                await _send_response(response, receive, send, is_head=scope["method"] == "HEAD")
        elif scope["type"] == "websocket":
            with muted():
                await self._socket(scope, receive, send)

    # HTTP, on the event loop

    async def _health(self, scope: Scope) -> HttpResponse:
        """For probes, which nobody signs in."""
        if not access.is_served(access.page_request(scope), self.links):
            response = self._not_found(access.page_request(scope))
        elif scope["method"] not in ("GET", "HEAD"):
            response = _not_allowed()
        else:
            response = await self._probe.answer(get_feed())
        _secure(response)
        return response

    async def _lacks_slash(self, scope: Scope) -> bool:
        """Whether who may look asks for the page without the slash at its end. To others that path says nothing."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or f"{scope['path']}/" != self.prefix:
            return False
        with muted():
            return await self._may_look(scope)

    # HTTP, on a worker thread

    def _respond(self, scope: Scope) -> HttpResponseBase:
        request = access.page_request(scope)
        try:
            with translation.override(self._language(request)):
                response = self._answer(request)
        except (Resolver404, Http404, SuspiciousOperation, RecordingError):
            response = self._not_found(request)
        except Exception:
            logger.exception("livesignals could not answer %s", request.path)
            response = HttpResponse("The server's log says why.\n", status=500, content_type="text/plain")
        _secure(response)
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            return _not_allowed()
        redeemed = self._redeem(request)
        if redeemed is not None:
            return redeemed
        if not self._may_look_now(request):
            return self._not_found(request)
        source, path = sources.resolve(request.path.removeprefix(self.prefix))
        sources.put_source(request, source, self.prefix)
        match = get_resolver(URLCONF).resolve("/" + path)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response

    def _redeem(self, request: HttpRequest) -> HttpResponseBase | None:
        """The answer to a one-time link: a cookie, and the page without the token in its address.

        HEAD opens nothing: what only looks whether there is something at a link, as chats do, must not use it up.
        """
        token = request.GET.get(access.TOKEN_PARAMETER)
        if request.method == "HEAD" or self.links is None or token is None or request.path != self.prefix:
            return None
        if not access.is_served(request, self.links):
            return self._not_found(request)
        if self._may_look_now(request):
            return HttpResponseRedirect(request.path)
        cookie = self.links.redeem(token)
        if cookie is None:
            return self._not_found(request)
        response = HttpResponseRedirect(request.path)
        response.set_cookie(
            self.links.cookie,
            cookie,
            max_age=access.COOKIE_SECONDS,
            path=self.prefix.rstrip("/") or "/",
            httponly=True,
            samesite="Strict",
            secure=request.is_secure(),
        )
        return response

    def _language(self, request: HttpRequest) -> str:
        return language_of(request, is_alone=self.links is not None and self.application is None)

    def _not_found(self, request: HttpRequest) -> HttpResponse:
        if self.links is None:
            hint = ""
        elif access.is_known_host(request, self.links):
            hint = "Open the link that the server printed in its terminal; each works once.\n"
        else:
            hint = "This server answers at its own addresses and host name; name any other in ALLOWED_HOSTS.\n"
        return HttpResponse(f"Not found.\n{hint}", status=404, content_type="text/plain; charset=utf-8")

    # WebSocket, on the event loop

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = access.page_request(scope)
        origin = request.headers.get("Origin", "")
        may_look = access.is_same_origin(request, origin) and await self._may_look(scope)
        source = await sync_to_async(self._page_of, thread_sensitive=False)(request.path) if may_look else None
        if source is None:
            await receive()  # websocket.connect
            await send({"type": "websocket.close"})
            return

        async def may_still_look() -> bool:
            return await self._may_look(scope)

        consumer = LiveConsumer(feed=source.feed, rendering=rendering, may_still_look=may_still_look)
        with translation.override(self._language(request)):  # the tasks that it makes keep it
            await consumer(scope, receive, send)

    async def _may_look(self, scope: Scope) -> bool:
        return await sync_to_async(lambda: self._may_look_now(access.page_request(scope)), thread_sensitive=False)()

    # On a worker thread

    def _page_of(self, path: str) -> sources.Source | None:
        """Whose socket is at this path, if one is."""
        try:
            source, rest = sources.resolve(path.removeprefix(self.prefix))
        except RecordingError:
            return None
        return source if rest == "socket/" else None

    def _may_look_now(self, request: HttpRequest) -> bool:
        from django.db import close_old_connections

        try:
            return access.may_look(request, self.links)
        except SuspiciousOperation:
            return False
        except Exception:  # of the project's: its database is away, its ACCESS callable fails
            logger.exception("livesignals could not tell who may look; until it can, nobody may")
            return False
        finally:
            close_old_connections()


def _secure(response: HttpResponseBase) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.setdefault(name, value)


def _not_allowed() -> HttpResponse:
    return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})


async def _send_response(response: HttpResponseBase, receive: Receive, send: Send, *, is_head: bool) -> None:
    headers = [(name.encode("ascii").lower(), value.encode("latin1")) for name, value in response.items()]
    headers += [
        (b"set-cookie", cookie.output(header="").strip().encode("ascii")) for cookie in response.cookies.values()
    ]
    start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    if isinstance(response, streaming.StreamedResponse):
        await streaming.send_streamed(response, start, receive, send, is_head=is_head)
        return
    body: bytes = response.content  # type: ignore[attr-defined]
    if b"content-length" not in dict(headers):
        headers.append((b"content-length", b"%d" % len(body)))
    await send(start)
    await send({"type": "http.response.body", "body": b"" if is_head else body})
