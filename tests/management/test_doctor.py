"""What doctor finds, each with what to do about it."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.test import override_settings
from msgspec.structs import replace

from livesignals.journal.memory import MemoryJournal
from livesignals.management.doctor import (
    Finding,
    clock_findings,
    examine,
    installed,
    lag_findings,
    layer_findings,
    settings_findings,
    version_findings,
)
from tests.browser.conftest import Hand, Shop
from tests.journal.building import Sender, make_event
from tests.journal.test_liveness import make_report
from tests.processes import free_port

IN_MEMORY = "channels.layers.InMemoryChannelLayer"
GOOD = {
    "Python": "3.13.0",
    "Django": "6.1.3",
    "channels": "4.3.2",
    "daphne": "4.2.3",
    "SQLite": "3.54.1",
    "channels-redis": "4.3.0",
    "redis": "8.1.0",
}


def told(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    """Level and message; there is always something to do."""
    found = list(findings)
    assert all(finding.hint for finding in found)
    return [(finding.level, finding.message) for finding in found]


class TestVersions:
    def test_what_the_tests_run_with_is_good(self) -> None:
        """And all of it is known."""
        versions = installed()
        assert told(version_findings(versions, IN_MEMORY)) == []
        assert {"Python", "SQLite", "Django", "channels", "daphne"} <= set(versions)

    @pytest.mark.parametrize(
        ("name", "version", "level"),
        [
            ("Python", "3.14.0rc1", "warning"),
            ("Django", "5.1.9", "error"),
            ("Django", "6.2", "warning"),
            ("channels", "4.2.2", "error"),
            ("daphne", "4.2.2", "error"),
            ("daphne", "4.1", "error"),
            ("SQLite", "3.51.2", "error"),
        ],
    )
    def test_what_is_known_to_be_bad_is_told(self, name: str, version: str, level: str) -> None:
        """With its name and version."""
        ((found, message),) = told(version_findings({**GOOD, name: version}, IN_MEMORY))
        assert found == level
        assert message.startswith(f"{name} {version}: ")

    def test_redis_matters_where_the_layer_uses_it(self) -> None:
        """New clients and the layer that waits in Redis do not go together."""
        old = {**GOOD, "channels-redis": "4.2.0"}
        assert told(version_findings(old, IN_MEMORY)) == []
        assert [level for level, _ in told(version_findings(old, "channels_redis.pubsub.RedisPubSubChannelLayer"))] == [
            "error"
        ]
        assert told(version_findings(GOOD, "channels_redis.pubsub.RedisPubSubChannelLayer")) == []
        assert [level for level, _ in told(version_findings(GOOD, "channels_redis.core.RedisChannelLayer"))] == [
            "warning"
        ]
        assert told(version_findings({**GOOD, "redis": "7.4"}, "channels_redis.core.RedisChannelLayer")) == []


class Layer(InMemoryChannelLayer):
    """One that tests may break."""


class TestLayer:
    def test_a_layer_that_carries_messages_is_well(self) -> None:
        """And nothing stays in it."""
        layer = Layer()
        assert told(layer_findings(layer)) == []
        assert (layer.groups, layer.channels) == ({}, {})

    def test_one_over_redis_is_asked_as_well(self, redis_url: str) -> None:
        """By the layer that carries batches over hosts; one whose Redis is away is told."""
        assert told(layer_findings(RedisPubSubChannelLayer(hosts=[redis_url]))) == []
        away = RedisPubSubChannelLayer(hosts=[f"redis://me:hunter2@127.0.0.1:{free_port()}"])
        ((level, message),) = told(layer_findings(away))
        assert level == "error"
        assert message.startswith("the channel layer RedisPubSubChannelLayer does not carry messages (")
        assert "hunter2" not in message

    def test_a_layer_that_loses_them_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Doctor does not wait for ever."""

        async def lose(self: Any, group: str, message: dict[str, Any]) -> None: ...

        monkeypatch.setattr(Layer, "group_send", lose)
        monkeypatch.setattr("livesignals.management.doctor.LAYER_SECONDS", 0.1)
        ((level, message),) = told(layer_findings(Layer()))
        assert level == "error"
        assert "Layer does not carry messages (no message came back within" in message

    def test_a_layer_that_fails_is_told_without_its_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error of a client may hold the URL that it was given."""

        async def fail(self: Any, group: str, message: dict[str, Any]) -> None:
            raise ConnectionError("cannot reach redis://me:hunter2@elsewhere:6379")

        monkeypatch.setattr(Layer, "group_send", fail)
        ((level, message),) = told(layer_findings(Layer()))
        assert level == "error"
        assert "ConnectionError: cannot reach redis://…@elsewhere:6379" in message


class TestClocks:
    NOW = 1_800_000_000.0

    def test_clocks_that_agree_are_not_told(self) -> None:
        """What was sent a moment ago, or long ago, is no fault."""
        us = int(self.NOW * 1e6)
        for newest in (None, us, us + 2_000_000, us - 10**12):
            assert told(clock_findings(newest, [make_report(seen=self.NOW + 2)], self.NOW)) == []

    def test_reports_from_the_future_name_the_host(self) -> None:
        """Once for each; what was sent there is not told again."""
        reports = [make_report(host=host, seen=self.NOW + ahead) for host, ahead in (("a", 90), ("a", 30), ("b", 600))]
        found = told(clock_findings(int((self.NOW + 80) * 1e6), reports, self.NOW))
        assert [message.partition(":")[0] for _, message in found] == [
            "processes of a report from 90 s in the future",
            "processes of b report from 10 min in the future",
        ]

    def test_a_send_from_the_future_tells_that_a_clock_was_set_back(self) -> None:
        """Its process may be gone since."""
        ((level, message),) = told(clock_findings(int((self.NOW + 3_600) * 1e6), [], self.NOW))
        assert level == "warning"
        assert "the newest send is from 60 min in the future" in message


class TestLag:
    def test_a_process_that_is_alive_and_silent_is_told(self) -> None:
        """With what waits in it; neither one that was heard of, nor one that is gone."""
        now = time.time()
        silent = make_report(seen=now - 50, captured=1_500, buffered=1_500, role="worker")
        gone = make_report("gone", host="elsewhere", seen=now - 500)
        assert told(lag_findings([make_report(seen=now - 15), gone], now)) == []
        ((level, message),) = told(lag_findings([silent, gone], now))
        assert level == "warning"
        assert message == (
            f"process {socket.gethostname()} {os.getpid()} worker was not heard of for 50 s, with 1,500 sends waiting"
        )


class TestSettings:
    def test_what_they_expose_is_told(self) -> None:
        """Values without DEBUG, and any host name."""
        exposed = {"ENABLED": True, "VALUES": "masked"}
        with override_settings(DEBUG=False, ALLOWED_HOSTS=["*"], LIVESIGNALS=exposed):
            assert [level for level, _ in told(settings_findings())] == ["warning", "warning"]
        with override_settings(DEBUG=False, ALLOWED_HOSTS=["shop.example"], LIVESIGNALS={"ENABLED": True}):
            assert told(settings_findings()) == []
        with override_settings(DEBUG=False, ALLOWED_HOSTS=["*"], LIVESIGNALS={}):
            assert told(settings_findings()) == []

    def test_an_access_rule_that_cannot_be_asked_is_an_error(self) -> None:
        """As `manage.py check` has it."""
        with override_settings(LIVESIGNALS={"ACCESS": "nowhere.at_all"}):
            assert [level for level, _ in told(settings_findings())] == ["error"]


class TestDiagnosis:
    def test_errors_come_last_and_decide(self) -> None:
        """There a person sees them first."""
        journal = MemoryJournal(project="", retain_events=10, retain_bytes=10**6)
        Sender(journal).append([make_event(ts="2999-01-01T00:00:00.000000Z")])
        with override_settings(LIVESIGNALS={"ACCESS": "nowhere.at_all", "JOURNAL": "memory:"}):
            diagnosis = examine(journal)
        assert [(finding.level, finding.about) for finding in diagnosis.findings] == [
            ("warning", "clock"),
            ("error", "settings"),
        ]
        assert not diagnosis.is_well
        assert replace(diagnosis, findings=diagnosis.findings[:1]).is_well

    def test_processes_that_are_gone_are_accounted_for(self) -> None:
        """Doctor says what they took with them."""
        journal = MemoryJournal(project="", retain_events=10, retain_bytes=10**6)
        journal.append([], make_report(host="elsewhere", seen=time.time() - 90, captured=8, buffered=8))
        diagnosis = examine(journal)
        assert diagnosis.counts is not None
        assert diagnosis.counts.dropped == {"process ended": 8}
        assert [process.is_gone for process in diagnosis.processes] == [True]
        assert diagnosis.is_well


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Only its commands."""
    shop = Shop(tmp_path)
    shop.manage("migrate", "-v0")
    return shop


def test_programs_are_told_in_json(shop: Shop) -> None:
    """What people are, and a process that hangs shows in both."""
    hand = Hand(shop)
    try:
        hand.send("one", 3)
        said = json.loads(shop.manage("livesignals", "doctor", "--json"))
        assert said["ok"] is True
        assert said["findings"] == []
        assert said["counts"]["captured"] == said["counts"]["stored"] + sum(said["counts"]["dropped"].values())
        assert said["journal"] == shop.environment["LIVESIGNALS_JOURNAL"]
        assert said["versions"]["SQLite"]
        assert hand.process.pid in [process["pid"] for process in said["processes"] if not process["is_gone"]]
        text = shop.manage("livesignals", "doctor")
        assert "layer     InMemoryLayer\n" in text
        assert "nothing is wrong" in text
    finally:
        hand.end()


def test_a_process_that_was_killed_is_told_as_gone(shop: Shop) -> None:
    """By the next doctor."""
    hand = Hand(shop)
    hand.send("one")
    while "manage.py shell" not in shop.manage("livesignals", "doctor"):
        pass
    os.kill(hand.process.pid, signal.SIGKILL)
    hand.process.communicate()
    line = next(line for line in shop.manage("livesignals", "doctor").splitlines() if f" {hand.process.pid} " in line)
    assert "gone, seen" in line
