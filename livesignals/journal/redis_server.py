"""The Redis that a journal is in: its connections, the one script that is run there, and what its errors mean."""

import hashlib
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ClusterError, NoScriptError, RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from livesignals.exceptions import JournalError, JournalForeign, JournalUnavailable
from livesignals.journal.redis_address import Address, timeouts

#: How often a connection that only listens makes sure that its server is there.
PING_SECONDS = 10
#: In the order that the script has them.
_KEYS = "meta events directory processes batches outcomes states pending pins kept kept_directory".split()

#: What Redis says, anywhere in its message (6.2 puts it behind words of its own), or how redis-py calls it.
_TROUBLES = {
    "OOM|OutOfMemoryError": (
        "Redis has no memory left for the journal",
        "Give it more (maxmemory), or keep less: RETAIN_EVENTS and RETAIN_BYTES.",
    ),
    "READONLY|ReadOnlyError": (
        "this Redis is a replica, which cannot be written to",
        "JOURNAL must name the primary, or Sentinels.",
    ),
    "LOADING|BusyLoadingError": ("Redis is still loading what it had saved", "It will be used as soon as it is ready."),
    "CLUSTERDOWN|ClusterDownError": ("the Redis cluster is down", "It will be used again as soon as it is up."),
    "MASTERDOWN|MasterDownError": (
        "the replica of Redis has no primary",
        "It will be used again as soon as it has one.",
    ),
    "BUSY": ("Redis is busy with a script", "SCRIPT KILL ends it."),
    "MISCONF": ("Redis refuses to write since it cannot save to its disk", "Its log says why."),
    "NOREPLICAS": ("Redis refuses to write since too few replicas are there", "See min-replicas-to-write."),
    "NOAUTH|Authentication required": (
        "Redis wants a password",
        "Write it into the URL: redis://:password@host:6379/0.",
    ),
    "WRONGPASS|AuthenticationError": ("Redis refuses this user or password", "They are those of the URL in JOURNAL."),
    "NOPERM|NoPermissionError|can't run this command": (
        "this user of Redis may not do what a journal needs",
        "ACL SETUSER … ~livesignals:* &livesignals:* +@all -@admin -@dangerous +info",
    ),
}


@cache
def _script() -> tuple[str, str]:
    """The text, and the name by which Redis knows it."""
    text = Path(__file__).with_name("redis.lua").read_text()
    return text, hashlib.sha1(text.encode()).hexdigest()


_abandoned: list[Any] = []  # never collected, since that would close what the parent has open


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
            if self.address.kind == "sentinel":
                for sentinel in client.connection_pool.sentinel_manager.sentinels:
                    sentinel.close()

    def abandon(self) -> None:
        """In the child of a fork."""
        self._lock = threading.Lock()
        _abandoned.append(self._client)
        self._client = None

    def channels_hosts(self) -> list[dict[str, Any]]:
        """The same server in the words of channels_redis."""
        address = self.address
        pings = {"health_check_interval": PING_SECONDS}
        if address.kind == "sentinel":
            from redis.asyncio.retry import Retry  # of an event loop

            options = {**timeouts(), **address.sentinel_options, "retry": Retry(NoBackoff(), 1)}
            sentinels = {"sentinels": address.hosts, "sentinel_kwargs": options}
            return [{**sentinels, "master_name": address.service, **address.options(), **pings}]
        return [{"address": address.url, **timeouts(), **pings}]

    def _connected(self) -> Any:
        address = self.address
        # An idle connection may have been closed meanwhile; what takes too long is not asked again.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        if address.kind == "cluster":
            nodes = [ClusterNode(*host) for host in address.hosts]  # type: ignore[no-untyped-call]
            return RedisCluster(startup_nodes=nodes, retry=retry, **address.options())
        if address.kind == "sentinel":
            options = {**timeouts(), **address.sentinel_options, "retry": retry}
            sentinel = Sentinel(address.hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
            return sentinel.master_for(address.service, retry=retry, **address.options())  # type: ignore[no-untyped-call]
        return redis.Redis.from_url(address.url, **timeouts(), retry=retry)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of Redis in the journal's words."""
        try:
            yield
        except (RedisError, RedisClusterException, OSError) as error:
            with self._lock:
                self._client = None  # the primary may be elsewhere now; other threads may still be using it
            raise self._explanation(error) from None

    def _explanation(self, error: Exception) -> JournalError:
        said = f"{type(error).__name__} {error}"
        where = f"the journal {self.address.shown}"
        if "WRONGTYPE" in said:
            return JournalForeign(
                f"{where}: keys {self.prefix}:* of Redis hold something else",
                "Give the journal a name of its own: ?name=… in the URL.",
            )
        for words, (what, hint) in _TROUBLES.items():
            if re.search(rf"\b({words})\b", said):
                return JournalUnavailable(f"{where} cannot be used: {what}.", hint)
        if isinstance(error, redis.TimeoutError | TimeoutError):
            return JournalUnavailable(f"{where} does not answer.", "Redis may be stopped, overloaded or out of reach.")
        if isinstance(error, MasterNotFoundError):
            return JournalUnavailable(f"{where}: no Sentinel knows a primary.", "Is the service's name right?")
        if isinstance(error, redis.ConnectionError | ClusterError | RedisClusterException | OSError):
            return JournalUnavailable(f"{where} cannot be reached.", "Is Redis running there?")
        return JournalUnavailable(f"{where} cannot be used: {error}", "Redis 6.2 or newer is needed.")

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
