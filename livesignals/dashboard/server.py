"""Daphne, in this process, with a link printed once it listens."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from livesignals.dashboard.access import OneTimeLinks
from livesignals.dashboard.asgi import Dashboard
from livesignals.dashboard.backpressure import drained, socket_drained
from livesignals.exceptions import LiveSignalsError

#: Where all addresses of this machine are listened on: what lies beyond it (RFC 5737 and 3849; nothing is sent there).
_BEYOND = {
    "0.0.0.0": [(socket.AF_INET, "192.0.2.1")],
    "::": [(socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "192.0.2.1")],
}


class CannotListen(LiveSignalsError):
    """The address cannot be listened on."""


def serve(dashboard: Dashboard, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted. *announce* is called with each one-time link, the first when the server listens.

    Raises :class:`CannotListen`.
    """
    _check_address(host, port)
    # Importing it installs Twisted's asyncio reactor.
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    links = OneTimeLinks(f"http://{reached_at(host)}:{port}{dashboard.prefix}", f"livesignals_{port}", announce)
    dashboard.links = links

    class _Server(Server):  # type: ignore[misc]
        def listen_success(self, listening: Any) -> None:
            super().listen_success(listening)
            announce(links.link)

        async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
            await super().handle_reply(protocol, message)
            if message["type"] == "websocket.send":
                await socket_drained(protocol.transport)
            elif message.get("more_body"):
                await drained(protocol)

    _Server(
        application=dashboard,
        endpoints=build_endpoint_description_strings(host=host, port=port),
        verbosity=0,
        application_close_timeout=2,
    ).run()


def reached_at(host: str) -> str:
    """By what name others reach a server that listens on *host*, as a URL has it: it may stand for all addresses."""
    name = host
    if host in _BEYOND:
        name = socket.gethostname()
        for family, beyond in _BEYOND[host]:
            with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((beyond, 9))
                name = probe.getsockname()[0]
                break
    return f"[{name}]" if ":" in name else name


def _check_address(host: str, port: int) -> None:
    """Twisted would only log that it cannot listen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"Port {port} on {host} is in use: choose another with --port, or end the other server."
        else:
            message = f"{host}:{port} cannot be listened on: {error.strerror or error}."
        raise CannotListen(message) from None
