"""The address of a Redis: what a URL says, taken apart.

Besides the URLs of redis-py (``redis://``, ``rediss://``, ``unix://``) there are
``redis+sentinel://[user:password@]host:port,host:port/service[/db]`` and
``redis+cluster://[user:password@]host:port,host:port``, both with ``rediss+`` for TLS. What follows a ``?`` goes to
redis-py, but for ``name``, and ``sentinel_username`` and ``sentinel_password``.
"""

import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit
from zlib import crc32

from livesignals.exceptions import ConfigurationError

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
DEFAULT_NAME = "livesignals"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Address:
    """A URL, taken apart. Raises `ConfigurationError`, which never says a password."""

    def __init__(self, url: str) -> None:
        try:
            self._take_apart(url)
        except ValueError as error:
            raise ConfigurationError(
                f"no journal can be opened at {without_password(url)}: {error}", "See the README's table of settings."
            ) from None

    def _take_apart(self, url: str) -> None:
        split = urlsplit(url)
        query = dict(parse_qsl(split.query))
        self.is_named = "name" in query
        self.name = query.pop("name", DEFAULT_NAME)
        if not _NAME.fullmatch(self.name):
            raise ValueError("name has 1 to 80 letters, digits, dots, dashes or underscores")
        self.shown = without_password(url)
        scheme, _, self.kind = split.scheme.partition("+")
        if self.kind not in ("", "sentinel", "cluster"):
            raise ValueError(f"there is no {split.scheme}://")
        self.sentinel_options = {
            option.removeprefix("sentinel_"): query.pop(option)
            for option in ("sentinel_username", "sentinel_password")
            if option in query
        }
        path = split.path
        self.service = ""
        if self.kind == "sentinel":
            self.service, _, database = path.strip("/").partition("/")
            if not self.service:
                raise ValueError("it lacks the name of the service: redis+sentinel://host:26379/service")
            path = f"/{database}"
        user, _, hosts = split.netloc.rpartition("@")
        port = 26379 if self.kind == "sentinel" else 6379
        self.hosts = [_host(host, port) for host in hosts.split(",")] if self.kind else []
        netloc = f"{user}@{hosts.split(',')[0]}" if user else hosts.split(",")[0]
        plain = SplitResult(scheme, netloc if self.kind else split.netloc, path, urlencode(query), "")
        #: As redis-py has it; of Sentinel or Cluster it names the first host.
        self.url = urlunsplit(plain)
        if scheme == "unix" and not self.url.startswith("unix://"):
            self.url = self.url.replace("unix:", "unix://", 1)  # urlunsplit leaves out an empty host
        from redis.connection import ConnectionPool, parse_url  # who only shows an address does without

        self._options: dict[str, Any] = parse_url(self.url)  # type: ignore[no-untyped-call]
        try:
            ConnectionPool.from_url(self.url).make_connection()  # which connects to nothing yet
        except TypeError as error:
            raise ValueError(f"redis-py {str(error).partition('() ')[2] or error}") from None

    @property
    def filename(self) -> str:
        """Of what this host keeps for the journal at this address."""
        return f"redis-{self.name}-{crc32(self.shown.encode()):08x}"

    def options(self) -> dict[str, Any]:
        """Of a connection, without where it goes."""
        options = dict(self._options)
        is_tls = self.url.startswith("rediss://")
        for where in ("host", "port", "connection_class"):
            options.pop(where, None)
        return {**timeouts(), **options, **({"ssl": True} if is_tls else {})}


def _host(text: str, port: int) -> tuple[str, int]:
    split = urlsplit(f"//{text}")
    if not split.hostname:
        raise ValueError("it lacks a host")
    return unquote(split.hostname), split.port or port


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    url = re.sub(r"//[^/?#]*@", lambda found: f"//{found[0][2:-1].partition(':')[0]}:***@", url, count=1)
    return re.sub(r"(password=)[^&#]*", r"\1***", url)


def timeouts() -> dict[str, Any]:
    """A Redis that is stopped must not hold the flusher for long."""
    return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}
