"""The Redis that a URL names: its address, the one script that is run there, and what its errors mean.

Besides the URLs of redis-py (``redis://``, ``rediss://``, ``unix://``) there are
``redis+sentinel://[user:password@]host:port,host:port/service[/db]`` and
``redis+cluster://[user:password@]host:port,host:port``, both with ``rediss+`` for TLS. What follows a ``?`` goes to
redis-py, but for ``name``, and ``sentinel_username`` and ``sentinel_password``.
"""

import hashlib
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.exceptions import ClusterError, NoScriptError, RedisClusterException, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from livesignals.exceptions import ConfigurationError, JournalError, JournalForeign, JournalUnavailable

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
#: How often a connection that only listens makes sure that its server is there.
PING_SECONDS = 10
DEFAULT_NAME = "livesignals"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
#: In the order that the script has them.
_KEYS = "meta events directory processes batches outcomes states pending pins kept kept_directory".split()

#: What Redis says, anywhere in its message: 6.2 puts it behind words of its own.
_TROUBLES = {
    "OOM": (
        "Redis has no memory left for the journal",
        "Give it more (maxmemory), or keep less: RETAIN_EVENTS and RETAIN_BYTES.",
    ),
    "READONLY": ("this Redis is a replica, which cannot be written to", "JOURNAL must name the primary, or Sentinels."),
    "LOADING": ("Redis is still loading what it had saved", "It will be used as soon as it is ready."),
    "CLUSTERDOWN": ("the Redis cluster is down", "It will be used again as soon as it is up."),
    "MASTERDOWN": ("the replica of Redis has no primary", "It will be used again as soon as it has one."),
    "BUSY": ("Redis is busy with a script", "SCRIPT KILL ends it."),
    "MISCONF": ("Redis refuses to write since it cannot save to its disk", "Its log says why."),
    "NOREPLICAS": ("Redis refuses to write since too few replicas are there", "See min-replicas-to-write."),
    "NOAUTH": ("Redis wants a password", "Write it into the URL: redis://:password@host:6379/0."),
    "WRONGPASS": ("Redis refuses this user or password", "They are those of the URL in JOURNAL."),
    "NOPERM": (
        "this user of Redis may not do what a journal needs",
        "ACL SETUSER … ~livesignals:* &livesignals:* +@all -@admin -@dangerous +info",
    ),
}


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
        self._options: dict[str, Any] = parse_url(self.url)  # type: ignore[no-untyped-call]

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
    return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}


@cache
def _script() -> tuple[str, str]:
    """The text, and the name by which Redis knows it."""
    text = Path(__file__).with_name("redis.lua").read_text()
    return text, hashlib.sha1(text.encode()).hexdigest()


class Server:
    """The connections of this process to one Redis, for all its threads. Opened at the first use."""

    def __init__(self, address: Address, project: str) -> None:
        self.address = address
        #: Those who name a journal share it.
        self._project = "" if address.is_named else project
        self.prefix = f"livesignals:{{{address.name}}}"  # the braces put all keys into one slot
        self._keys = [f"{self.prefix}:{key}" for key in _KEYS]
        self._lock = threading.Lock()
        self._client: Any = None

    def call(self, operation: str, *arguments: Any) -> list[Any]:
        """Run an operation of the script. What it returned, without the "ok". Raises `JournalError`."""
        text, sha = _script()
        values = (*self._keys, operation, self._project, secrets.token_hex(8), *arguments)
        with self._explained():
            client = self.client()
            try:
                answer = client.evalsha(sha, len(self._keys), *values)
            except NoScriptError:
                answer = client.eval(text, len(self._keys), *values)
        if answer[0] == b"foreign":
            raise self._foreign(answer)
        rest: list[Any] = answer[1:] if answer[0] == b"ok" else answer
        return rest

    def meta(self, *fields: str) -> list[bytes | None]:
        """Fields as they are, without looking after the journal. Raises `JournalError`."""
        with self._explained():
            values: list[bytes | None] = self.client().hmget(self._keys[0], fields)
            return values

    def info(self) -> dict[str, Any]:
        """What Redis tells of itself; ``clock_us`` is its time, µs since 1970, UTC. Raises `JournalError`."""
        with self._explained():
            client = self.client()
            node = {"target_nodes": client.get_node_from_key(self._keys[0])} if self.address.kind == "cluster" else {}
            seconds, micros = client.time(**node)
            return {**client.info(**node), "clock_us": seconds * 1_000_000 + micros}

    def client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connected()
            return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def abandon(self) -> None:
        """In the child of a fork."""
        self._lock = threading.Lock()
        self._client = None

    def channels_hosts(self) -> list[dict[str, Any]]:
        """The same server in the words of channels_redis."""
        address = self.address
        pings = {"health_check_interval": PING_SECONDS}
        if address.kind == "sentinel":
            sentinels = {"sentinels": address.hosts, "sentinel_kwargs": address.sentinel_options or None}
            return [{**sentinels, "master_name": address.service, **address.options(), **pings}]
        return [{"address": address.url, **timeouts(), **pings}]

    def _connected(self) -> Any:
        address = self.address
        # An idle connection may have been closed meanwhile; what takes too long is not asked again.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        if address.kind == "cluster":
            nodes = [ClusterNode(*host) for host in address.hosts]  # type: ignore[no-untyped-call]
            return RedisCluster(startup_nodes=nodes, cluster_error_retry_attempts=1, **address.options())
        if address.kind == "sentinel":
            options = {**timeouts(), **address.sentinel_options}
            sentinel = Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
            return sentinel.master_for(address.service, retry=retry, **address.options())  # type: ignore[no-untyped-call]
        return redis.Redis.from_url(address.url, **timeouts(), retry=retry)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of Redis in the journal's words."""
        try:
            yield
        except (RedisError, RedisClusterException, OSError) as error:
            explained = self._explanation(error)
            if not isinstance(error, ResponseError):
                self.close()  # a cluster's or Sentinel's primary may be elsewhere now
            raise explained from None

    def _explanation(self, error: Exception) -> JournalError:
        said = str(error)
        where = f"the journal {self.address.shown}"
        if "WRONGTYPE" in said:
            return JournalForeign(
                f"{where}: keys {self.prefix}:* of Redis hold something else",
                "Give the journal a name of its own: ?name=… in the URL.",
            )
        for word, (what, hint) in _TROUBLES.items():
            if re.search(rf"\b{word}\b", said):
                return JournalUnavailable(f"{where} cannot be used: {what}.", hint)
        if isinstance(error, redis.TimeoutError | TimeoutError):
            return JournalUnavailable(f"{where} does not answer.", "Redis may be stopped, overloaded or out of reach.")
        if isinstance(error, redis.AuthenticationError):
            return JournalUnavailable(
                f"{where} cannot be used: {_TROUBLES['WRONGPASS'][0]}.", _TROUBLES["WRONGPASS"][1]
            )
        if isinstance(error, MasterNotFoundError):
            return JournalUnavailable(f"{where}: no Sentinel knows a primary.", "Is the service's name right?")
        if isinstance(error, redis.ConnectionError | ClusterError | RedisClusterException | OSError):
            return JournalUnavailable(f"{where} cannot be reached.", "Is Redis running there?")
        return JournalUnavailable(f"{where} cannot be used: {said}.", "Redis 6.2 or newer is needed.")

    def _foreign(self, answer: list[Any]) -> JournalForeign:
        where = f"the journal {self.address.shown}"
        if answer[1] == b"format":
            return JournalForeign(
                f"{where} was written by another version of livesignals",
                "Give this one a name of its own: ?name=… in the URL; or use the same version everywhere.",
            )
        return JournalForeign(
            f"{where} belongs to another project",
            "Give this project's journal a name of its own: ?name=… in the URL. Those who use a name share it.",
        )
