"""A Redis that is stopped, restarted, emptied, full or somebody else's: no event twice, no id for two events."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from livesignals.events import Event, record_of
from livesignals.exceptions import ConfigurationError, JournalForeign, JournalUnavailable
from livesignals.filters import parse
from livesignals.journal import Bounds, Journal, Outcome, open_journal
from livesignals.journal.redis_address import without_password
from tests.journal.building import Sender, assert_balanced, make_event, make_events, pending
from tests.journal.redis_servers import Between, RedisServer

PATIENCE = 20.0
OpenAt = Callable[..., Journal]


@pytest.fixture
def open_at() -> Iterator[OpenAt]:
    """Opens a journal, as often as wanted; each as another process would have it."""
    opened: list[Journal] = []

    def make(url: str, *, project: str = "shop", retain_events: int = 100_000) -> Journal:
        journal = open_journal(url, project=project, retain_events=retain_events, retain_bytes=100_000_000)
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One that keeps nothing over a restart."""
    with RedisServer(tmp_path / "redis", "--save", "") as server:
        yield server


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[RedisServer]:
    """One that has everything on its disk before it answers."""
    with RedisServer(tmp_path / "redis", "--save", "", "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server


def numbers(events: list[Event]) -> list[int]:
    return [event.process.seq for event in events]


class TestAnswers:
    @pytest.fixture
    def losing(self, server: RedisServer) -> Iterator[Between]:
        losing = Between(server.port)
        yield losing
        losing.close()

    def test_a_batch_whose_answer_was_lost_is_stored_once(
        self, server: RedisServer, losing: Between, open_at: OpenAt
    ) -> None:
        """The process tries again and is told the ids that the batch has; figures of both agree."""
        journal = open_at(f"redis://127.0.0.1:{losing.port}")
        sender = Sender(journal)
        sender.append(make_events(3))
        records = [record_of(event) for event in make_events(2)]
        losing.loses = True
        for _ in range(2):
            with pytest.raises(JournalUnavailable):
                journal.append(records, sender.report(2))
        assert open_at(server.url).bounds().last == 5
        losing.loses = False
        appended = journal.append(records, sender.report(2))
        assert (appended.first, appended.last) == (4, 5)
        sender.stored += 2
        assert sender.append(make_events(1)).last == 6
        assert_balanced(journal)
        assert journal.counts().dropped == {}

    def test_a_connection_that_was_closed_meanwhile_is_made_anew(self, server: RedisServer, open_at: OpenAt) -> None:
        """As a server with a timeout does, or a firewall: nobody notices."""
        journal = open_at(server.url)
        sender = Sender(journal)
        sender.append(make_events(1))
        server.ask("CLIENT", "KILL", "TYPE", "normal")
        assert sender.append(make_events(1)).last == 2
        assert len(journal.read(0, 10)) == 2
        assert_balanced(journal)

    def test_a_redis_that_does_not_answer_holds_nobody_for_long(self, server: RedisServer, open_at: OpenAt) -> None:
        """It is given up after some seconds, and used again as soon as it answers."""
        journal = open_at(server.url + "?socket_timeout=0.5")
        sender = Sender(journal)
        sender.append(make_events(1))
        records = [record_of(event) for event in make_events(2)]
        with server.frozen():
            with pytest.raises(JournalUnavailable, match="does not answer"):
                journal.append(records, sender.report(2))
            with pytest.raises(JournalUnavailable, match="does not answer"):
                journal.bounds()
        assert journal.append(records, sender.report(2)).last == 3
        assert [event.id for event in journal.read(0, 10)] == [1, 2, 3]

    def test_what_the_script_is_called_is_forgotten_without_harm(self, server: RedisServer, open_at: OpenAt) -> None:
        """It is sent again."""
        journal = open_at(server.url)
        sender = Sender(journal)
        sender.append(make_events(1))
        server.ask("SCRIPT", "FLUSH")
        assert sender.append(make_events(1)).last == 2


class TestRestarts:
    def test_what_redis_kept_goes_on_under_another_epoch(self, keeping: RedisServer, open_at: OpenAt) -> None:
        """It may have lost the newest ids: no id of an epoch is given to two events."""
        journal = open_at(keeping.url)
        sender = Sender(journal)
        before = sender.append([make_event(transaction=pending("t")), *make_events(4)])
        journal.resolve([Outcome("t", "committed")])
        keeping.restart()
        after = sender.append(make_events(2))
        assert (after.first, after.last) == (6, 7)
        assert after.epoch != before.epoch
        assert [event.id for event in journal.search(parse(""), None, 10).events] == [7, 6, 5, 4, 3, 2, 1]
        assert [event.id for event in journal.search(parse("is:committed"), None, 10).events] == [1]
        assert "restarted" in journal.notice()
        assert [problem.level for problem in journal.check()] == ["warning"]
        assert_balanced(journal)

    def test_what_redis_forgot_is_accounted_for(self, server: RedisServer, open_at: OpenAt) -> None:
        """Ids begin anew under another epoch, and figures say that events were stored which are not here."""
        journal = open_at(server.url)
        sender = Sender(journal)
        before = sender.append(make_events(5))
        server.restart()
        after = sender.append(make_events(2))
        assert (after.first, after.last) == (1, 2)
        assert after.epoch != before.epoch
        assert journal.counts().dropped == {"stored in another journal": 5}
        assert_balanced(journal)

    def test_a_snapshot_of_some_time_ago_is_not_taken_for_now(self, tmp_path: Path, open_at: OpenAt) -> None:
        """Ids that were given after it are given again, under another epoch, and readers have the new events."""
        with RedisServer(tmp_path / "redis", "--save", "") as server:
            journal, reader = open_at(server.url), open_at(server.url)
            sender = Sender(journal)
            sender.append(make_events(5, sender="shop.Old"))
            server.ask("SAVE")
            before = sender.append(make_events(5, sender="shop.Lost"))
            assert len(reader.search(parse(""), None, 100).events) == 10
            server.restart()
            after = sender.append(make_events(3, sender="shop.New"))
            assert (after.first, after.last) == (6, 8)
            assert after.epoch != before.epoch
            assert [event.sender for event in reader.read(0, 100)] == ["shop.Old"] * 5 + ["shop.New"] * 3
            assert journal.counts().dropped == {"stored in another journal": 5}
            assert_balanced(journal)

    def test_a_batch_that_waits_for_a_redis_which_forgot_it_is_stored(
        self, server: RedisServer, open_at: OpenAt
    ) -> None:
        """Whether it was stored before is asked of what is there now."""
        journal = open_at(server.url)
        sender = Sender(journal)
        sender.append(make_events(1))
        records = [record_of(event) for event in make_events(2)]
        server.kill()
        with pytest.raises(JournalUnavailable, match="cannot be reached"):
            journal.append(records, sender.report(2))
        server.start()
        assert journal.append(records, sender.report(2)).last == 2
        assert_balanced(journal)


class TestThrownAway:
    def test_a_redis_that_was_emptied_begins_anew(self, server: RedisServer, open_at: OpenAt) -> None:
        """Under another epoch, for writers and readers that had it open."""
        journal, reader = open_at(server.url), open_at(server.url)
        sender = Sender(journal)
        before = sender.append(make_events(5))
        assert len(reader.read(0, 10)) == 5
        server.ask("FLUSHALL")
        bounds = reader.bounds()
        assert bounds == Bounds(bounds.epoch, 1, 0)
        assert bounds.epoch != before.epoch
        assert reader.read(0, 10) == []
        assert sender.append(make_events(2)).first == 1
        assert_balanced(reader)

    @pytest.mark.parametrize("key", ["events", "directory"])
    def test_events_that_redis_threw_away_are_gone_and_told(
        self, server: RedisServer, open_at: OpenAt, key: str
    ) -> None:
        """As when its memory is full: ids go on, what is left of them goes too, and another epoch begins."""
        journal = open_at(server.url)
        sender = Sender(journal)
        before = sender.append(make_events(5))
        server.ask("DEL", f"livesignals:{{livesignals}}:{key}")
        after = sender.append(make_events(2))
        assert (after.first, after.last) == (6, 7)
        assert after.epoch != before.epoch
        assert journal.bounds() == Bounds(after.epoch, 6, 7)
        assert "thrown away" in journal.notice()
        assert_balanced(journal)

    @pytest.mark.parametrize("key", ["meta", "processes"])
    def test_a_journal_without_its_figures_begins_anew(self, server: RedisServer, open_at: OpenAt, key: str) -> None:
        """Nothing that is left would agree with them."""
        journal = open_at(server.url)
        sender = Sender(journal)
        before = sender.append(make_events(5))
        server.ask("DEL", f"livesignals:{{livesignals}}:{key}")
        after = sender.append(make_events(2))
        assert (after.first, after.last) == (1, 2)
        assert after.epoch != before.epoch
        assert "thrown away" in journal.notice()
        assert_balanced(journal)

    def test_what_throws_keys_away_is_told(self, server: RedisServer, open_at: OpenAt) -> None:
        """Before it happens."""
        journal = open_at(server.url)
        server.ask("CONFIG", "SET", "maxmemory", "100mb")
        assert journal.check() == []
        server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        (problem,) = journal.check()
        assert (problem.level, "noeviction" in problem.hint) == ("warning", True)


class TestRefusals:
    def test_a_full_redis_is_told_and_can_be_pruned(self, server: RedisServer, open_at: OpenAt) -> None:
        """Nothing of a refused batch is stored; with room again it is, under the next ids."""
        journal = open_at(server.url)
        sender = Sender(journal)
        sender.append(make_events(200, transaction=pending("t")))
        server.ask("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(JournalUnavailable, match="no memory left") as error:
            sender.append(make_events(5))
        assert "RETAIN_EVENTS" in error.value.hint
        assert journal.prune(keep_events=10) == 190
        assert_balanced(journal)
        server.ask("CONFIG", "SET", "maxmemory", "0")
        assert sender.append(make_events(5)).first == 201
        assert_balanced(journal)

    def test_a_replica_is_told(self, server: RedisServer, tmp_path: Path, open_at: OpenAt) -> None:
        """It can be read, not written; once it is the primary, it is used."""
        writer = open_at(server.url)
        server.ask("CONFIG", "SET", "repl-diskless-sync-delay", "0")
        Sender(writer).append(make_events(3))
        with RedisServer(tmp_path / "replica", "--save", "", "--replicaof", f"127.0.0.1 {server.port}") as replica:
            deadline = time.monotonic() + PATIENCE
            while replica.ask("INFO", "replication")["master_link_status"] != "up":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            journal = open_at(replica.url)
            with pytest.raises(JournalUnavailable, match="replica") as error:
                Sender(journal, "other").append(make_events(1))
            assert "primary" in error.value.hint
            epoch = writer.bounds().epoch
            server.kill()
            replica.ask("REPLICAOF", "NO", "ONE")
            appended = Sender(journal, "other").append(make_events(1))
            assert appended.first == 4
            assert appended.epoch != epoch

    def test_a_password_is_wanted_and_never_shown(
        self, tmp_path: Path, open_at: OpenAt, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In no message, hint, problem or log, whatever goes wrong."""
        caplog.set_level(logging.DEBUG)
        secret = "hunter2-s3cr3t"
        with RedisServer(tmp_path / "redis", "--save", "", "--requirepass", secret) as server:
            where = f"127.0.0.1:{server.port}"
            right = open_at(f"redis://:{secret}@{where}/0")
            Sender(right).append(make_events(1))
            said: list[str] = [problem.message + problem.hint for problem in right.check()]
            for url in (
                f"redis://{where}",
                f"redis://:{secret}-wrong@{where}",
                f"redis://{where}?password={secret}-wrong",
                f"redis://:{secret}@127.0.0.1:1",
                f"rediss://:{secret}@{where}?socket_timeout=0.5",
                f"redis+sentinel://:{secret}@127.0.0.1:1/main?sentinel_password={secret}",
                f"redis+cluster://:{secret}@127.0.0.1:1",
            ):
                with pytest.raises(JournalUnavailable) as error:
                    open_at(url).bounds()
                said += [str(error.value), error.value.hint]
        with pytest.raises(JournalUnavailable) as error:
            right.bounds()
        said += [str(error.value), repr(right)]
        for url in (f"redis://:{secret}@host:port", f"redis+sentinel://:{secret}@host/", f"mysql://:{secret}@host/db"):
            with pytest.raises(ConfigurationError) as wrong:
                open_at(url)
            said += [str(wrong.value), wrong.value.hint]
        assert secret not in "".join(said) + caplog.text
        assert (
            without_password(f"redis://me:{secret}@h/0?password={secret}&name=x")
            == "redis://me:***@h/0?password=***&name=x"
        )


class TestForeign:
    def test_two_projects_do_not_mix(self, server: RedisServer, open_at: OpenAt) -> None:
        """The second is told to take a name of its own; with it both have what is theirs."""
        shop = open_at(server.url, project="shop.urls")
        Sender(shop).append(make_events(2))
        with pytest.raises(JournalForeign, match="another project") as error:
            open_at(server.url, project="blog.urls").bounds()
        assert "?name=" in error.value.hint
        blog = open_at(f"{server.url}?name=blog", project="blog.urls")
        Sender(blog).append(make_events(3))
        assert (shop.bounds().last, blog.bounds().last) == (2, 3)

    def test_those_who_use_a_name_share_it(self, server: RedisServer, open_at: OpenAt) -> None:
        """Two projects of one system may want one dashboard."""
        Sender(open_at(f"{server.url}?name=both", project="shop.urls"), "shop").append(make_events(2))
        both = open_at(f"{server.url}?name=both", project="blog.urls")
        Sender(both, "blog").append(make_events(3))
        assert_balanced(both)
        assert both.bounds().last == 5

    def test_a_redis_that_forgot_whose_it_was_is_told_by_the_project(
        self, server: RedisServer, open_at: OpenAt
    ) -> None:
        """Though somebody who shares the journal by its name was faster to begin it anew; a third is refused still."""
        shop, named = open_at(server.url, project="shop.urls"), open_at(f"{server.url}?name=livesignals")
        sender = Sender(shop, "shop")
        sender.append(make_events(2))
        server.ask("FLUSHALL")
        Sender(named, "named").append(make_events(1))
        sender.append(make_events(2))
        assert shop.bounds() == named.bounds()
        assert server.ask("HGET", "livesignals:{livesignals}:meta", "project") == b"shop.urls"
        with pytest.raises(JournalForeign, match="another project"):
            open_at(server.url, project="blog.urls").bounds()
        assert named.bounds() == shop.bounds()

    def test_what_is_no_journal_is_left_alone(self, server: RedisServer, open_at: OpenAt) -> None:
        """Keys of another kind, or of another version."""
        server.ask("SET", "livesignals:{livesignals}:meta", "something")
        with pytest.raises(JournalForeign, match="something else"):
            open_at(server.url).bounds()
        assert server.ask("GET", "livesignals:{livesignals}:meta") == b"something"
        server.ask("HSET", "livesignals:{other}:meta", "format", "99")
        with pytest.raises(JournalForeign, match="another version"):
            open_at(f"{server.url}?name=other").bounds()

    def test_other_keys_are_never_touched(self, server: RedisServer, open_at: OpenAt) -> None:
        """A Redis that the project uses for its cache holds a journal too."""
        server.ask("SET", "cache:1", "mine")
        journal = open_at(server.url)
        Sender(journal).append(make_events(2))
        journal.clear()
        with redis.Redis(port=server.port) as client:
            assert {key.decode().partition(":")[0] for key in client.keys("*")} == {"cache", "livesignals"}
        assert server.ask("GET", "cache:1") == b"mine"


def test_a_forked_child_uses_connections_of_its_own(server: RedisServer, open_at: OpenAt) -> None:
    """Answers never go to the wrong process."""
    journal = open_at(server.url)
    sender = Sender(journal, "parent")
    sender.append(make_events(1))
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            journal.abandon()
            child = Sender(journal, "child")
            for _ in range(50):
                child.append(make_events(2))
            status = 0
        finally:
            os._exit(status)
    for _ in range(50):
        sender.append(make_events(2))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert journal.bounds().last == 201
    assert_balanced(journal)
