"""Every kind of address that JOURNAL may name: stored, read and announced through each."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from livesignals.exceptions import ConfigurationError, JournalUnavailable
from livesignals.filters import parse
from livesignals.journal import Journal, Outcome, open_journal
from livesignals.journal.redis_address import Address
from tests.journal.building import Sender, assert_balanced, make_event, make_events, pending
from tests.journal.redis_servers import RedisServer, watched
from tests.processes import free_port

PATIENCE = 30.0


def opened(url: str) -> Journal:
    return open_journal(url, project="shop", retain_events=100, retain_bytes=2**28)


def assert_works(url: str) -> None:
    """All that a journal does, and what it announces comes through a layer of channels_redis."""
    journal = opened(url)
    sender = Sender(journal)

    async def hear() -> dict[str, Any]:
        announcements = journal.announcements()
        assert announcements is not None
        layer = RedisPubSubChannelLayer(hosts=announcements.hosts, prefix=announcements.prefix)
        channel = await layer.new_channel()
        await layer.group_add(announcements.group, channel)
        await asyncio.get_running_loop().run_in_executor(None, sender.append, make_events(2))
        message: dict[str, Any] = await asyncio.wait_for(layer.receive(channel), PATIENCE)
        await layer.flush()
        return message

    try:
        message = asyncio.run(hear())
        assert (message["after"], message["last"]) == (0, 2)
        sender.append([make_event(transaction=pending("t"))])
        journal.pin("first", 1, 2)
        journal.resolve([Outcome("t", "committed")])
        for _ in range(15):
            sender.append(make_events(10))
        assert journal.outcomes_after(0) == [(1, "t", "committed")]
        assert len(journal.search(parse(""), None, 200).events) == journal.counts().retained + 2
        assert journal.unpin("first")
        assert [problem for problem in journal.check() if problem.level == "error"] == []
        assert journal.described().startswith("Redis ")
        assert_balanced(journal)
        journal.clear()
    finally:
        journal.close()


def test_a_socket_of_the_file_system(tmp_path: Path) -> None:
    """``unix:///path``."""
    path = tmp_path / "redis.sock"
    with RedisServer(tmp_path / "redis", "--unixsocket", str(path)):
        assert_works(f"unix://{path}?db=1&name=shop")


def test_a_user_who_may_do_only_what_the_hint_says(tmp_path: Path) -> None:
    """With a name and a password in the URL."""
    with RedisServer(tmp_path / "redis") as server:
        server.ask("ACL", "SETUSER", "few", "on", ">pw", "~livesignals:*", "+hgetall", "+info", "+eval", "+evalsha")
        with pytest.raises(JournalUnavailable, match="may not") as error:
            opened(f"redis://few:pw@127.0.0.1:{server.port}").bounds()
        rights = error.value.hint.partition("… ")[2].split()
        server.ask("ACL", "SETUSER", "journal", "on", ">p%w", *rights)
        assert_works(f"redis://journal:p%25w@127.0.0.1:{server.port}/0")


def test_tls(tmp_path: Path) -> None:
    """``rediss://``, with the certificate that the URL names."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH")
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate)]
    options = ["--tls-port", str(port), *files, "--tls-auth-clients", "no"]
    with RedisServer(tmp_path / "redis", *options):
        assert_works(f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}")
        with pytest.raises(JournalUnavailable):
            opened(f"rediss://localhost:{port}/0").bounds()  # of an authority that nobody knows


def test_a_cluster(tmp_path: Path) -> None:
    """``redis+cluster://`` with any of its nodes, of which some may be gone."""
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with RedisServer(tmp_path / "redis", *options) as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + PATIENCE
        while "cluster_state:ok" not in str(server.ask("CLUSTER", "INFO")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert_works(f"redis+cluster://127.0.0.1:{server.port},127.0.0.1:1")


class TestSentinel:
    @pytest.fixture
    def sentinel(self, tmp_path: Path) -> Iterator[tuple[int, RedisServer, RedisServer]]:
        """The port of a Sentinel, the primary and the replica that it watches."""
        with watched(tmp_path) as running:
            yield running

    def test_the_primary_is_asked_for(self, sentinel: tuple[int, RedisServer, RedisServer]) -> None:
        """``redis+sentinel://`` with any of them, and the service."""
        assert_works(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel[0]}/shop/0")

    def test_the_next_primary_takes_over(self, sentinel: tuple[int, RedisServer, RedisServer]) -> None:
        """What it has goes on under another epoch; nothing is stored twice and figures agree."""
        port, one, _ = sentinel
        journal = opened(f"redis+sentinel://127.0.0.1:{port}/shop")
        sender = Sender(journal)
        deadline = time.monotonic() + PATIENCE
        before = sender.append(make_events(5))
        assert one.ask("WAIT", 1, 10_000) == 1
        one.kill()
        events, after = make_events(2), None
        while after is None:
            assert time.monotonic() < deadline
            with suppress(JournalUnavailable):
                after = sender.append(events)
        assert (after.first, after.last) == (6, 7)
        assert after.epoch != before.epoch
        assert_balanced(journal)
        journal.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://host?name=a/b", "name has"),
        ("redis+sentinel://host:26379", "name of the service"),
        ("redis+cluster://", "lacks a host"),
        ("redis://host:many/0", "ort"),
        ("redis://host?socket_timeout=soon", "socket_timeout"),
        ("redis+pigeon://host", "redis+pigeon"),
    ],
)
def test_an_address_that_is_wrong_is_told(url: str, told: str) -> None:
    """When the journal is opened, before anything is asked of a server."""
    with pytest.raises(ConfigurationError, match="no journal can be opened at") as error:
        Address(url)
    assert told in str(error.value)
