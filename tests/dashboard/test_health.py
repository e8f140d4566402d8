"""What a probe is told: counts, to anybody, and at a price that does not depend on how often it asks."""

import asyncio
import json
import os
import socket
import threading
import time
from typing import Any

import pytest

from livesignals.dashboard.health import Probe
from livesignals.exceptions import JournalUnavailable
from livesignals.journal import Counts, ProcessReport
from livesignals.journal.liveness import PID_NAMESPACE
from livesignals.journal.memory import MemoryJournal
from livesignals.transport.feed import Feed
from tests.browser.conftest import Shop
from tests.dashboard.conftest import ask, use_link

KEYS = {
    "status",
    "captured",
    "stored",
    "dropped",
    "buffered",
    "counted",
    "retained",
    "processes",
    "lag_seconds",
}


class TestOverTheWire:
    def test_a_probe_needs_no_session(self, shop: Shop) -> None:
        """Where the page itself is not found. With a slash or without, and for HEAD."""
        assert ask(shop, "").status == 404
        answer = ask(shop, "health")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        health = json.loads(answer.text)
        assert set(health) == KEYS
        assert health["captured"] == health["stored"] + health["dropped"] + health["buffered"]
        assert health["stored"] >= health["retained"] > 0
        assert health["processes"] >= 1
        assert ask(shop, "health/").status == 200
        head = ask(shop, "health", method="HEAD")
        assert (head.status, head.text) == (200, "")

    def test_it_tells_figures_and_one_word(self, shop: Shop) -> None:
        """No name, message or place of anything."""
        health = json.loads(ask(shop, "health").text)
        assert health.pop("status") in ("ok", "degraded")
        assert {type(value) for value in health.values()} <= {int, float}

    def test_a_host_that_is_not_served_is_told_nothing(self, shop: Shop) -> None:
        """As with the page."""
        assert ask(shop, "health", Host="elsewhere.example").status == 404

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    def test_nothing_is_asked_in_another_way(self, shop: Shop, method: str) -> None:
        assert ask(shop, "health", method=method).status == 405

    def test_below_it_and_in_recordings_there_is_nothing(self, shop: Shop) -> None:
        cookie = use_link(shop)
        for path in ("health/x", "healthy", "recordings/x/health"):
            assert ask(shop, path, Cookie=cookie).status == 404


class Watched(MemoryJournal):
    """A journal that counts how often it is asked, and that can be away."""

    def __init__(self) -> None:
        super().__init__(project="", retain_events=10, retain_bytes=10**6)
        self.asked = 0
        self.problem: Exception | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def counts(self) -> Counts:
        self.asked += 1
        self.may_answer.wait(20)
        if self.problem is not None:
            raise self.problem
        return super().counts()

    def report(self, **changes: Any) -> None:
        fields: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "role": "x", "captured": 0}
        fields["pid_namespace"] = PID_NAMESPACE
        times = {"started_ts": time.time_ns() // 1_000, "seen_ts": time.time_ns() // 1_000}
        self.append([], ProcessReport(process="p", **{**fields, **times, **changes}))


@pytest.fixture
def journal() -> Watched:
    return Watched()


async def ask_probe(probe: Probe, feed: Feed) -> tuple[int, dict[str, Any]]:
    response = await probe.answer(feed)
    return response.status_code, json.loads(response.content)


def told(journal: Watched, probe: Probe | None = None) -> tuple[int, dict[str, Any]]:
    return asyncio.run(ask_probe(probe or Probe(), Feed(lambda: journal)))


class TestAnswers:
    def test_all_is_well(self, journal: Watched) -> None:
        """Figures as the journal has them."""
        journal.report(captured=3, buffered=1, dropped={"buffer full": 2})
        status, health = told(journal)
        assert status == 200
        assert health.pop("lag_seconds") < 20
        assert health == {
            "status": "ok",
            "captured": 3,
            "stored": 0,
            "dropped": 2,
            "buffered": 1,
            "counted": 0,
            "retained": 0,
            "processes": 1,
        }

    def test_a_journal_that_is_far_behind_is_degraded(self, journal: Watched) -> None:
        """Of a process that is alive, with something buffered."""
        journal.report(captured=1, buffered=1, seen_ts=time.time_ns() // 1_000 - 45_000_000)
        status, health = told(journal)
        assert (status, health["status"]) == (200, "degraded")
        assert 44 < health["lag_seconds"] < 120

    def test_sends_that_are_dropped_are_told_for_a_while(
        self, journal: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those of before the first look are history."""
        monkeypatch.setattr("livesignals.dashboard.health.KEEP_SECONDS", 0.0)
        probe = Probe()
        journal.report(captured=2, dropped={"buffer full": 2})
        assert told(journal, probe)[1]["status"] == "ok"
        journal.report(captured=3, dropped={"buffer full": 3})
        assert [told(journal, probe)[1]["status"] for _ in range(2)] == ["degraded", "degraded"]
        monkeypatch.setattr("livesignals.dashboard.health.DROPPED_SECONDS", 0.0)
        assert told(journal, probe)[1]["status"] == "ok"

    @pytest.mark.parametrize("problem", [JournalUnavailable("secret", "path"), ZeroDivisionError("secret")])
    def test_a_journal_that_cannot_be_used_is_unavailable(self, journal: Watched, problem: Exception) -> None:
        """503, and not a word of why."""
        journal.problem = problem
        assert told(journal) == (503, {"status": "unavailable"})

    def test_a_journal_that_does_not_answer_is_unavailable(
        self, journal: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asked does not wait for ever, and no second thread is sent after the first."""
        monkeypatch.setattr("livesignals.dashboard.health.PATIENCE_SECONDS", 0.05)
        monkeypatch.setattr("livesignals.dashboard.health.KEEP_SECONDS", 0.0)
        journal.may_answer.clear()

        async def scenario() -> None:
            probe, feed = Probe(), Feed(lambda: journal)
            for _ in range(3):
                assert await ask_probe(probe, feed) == (503, {"status": "unavailable"})
            assert journal.asked == 1
            journal.may_answer.set()
            monkeypatch.setattr("livesignals.dashboard.health.PATIENCE_SECONDS", 20.0)
            assert (await ask_probe(probe, feed))[0] == 200

        asyncio.run(scenario())

    def test_however_often_it_is_asked_the_journal_is_looked_at_once_a_second(
        self, journal: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also when all ask at once."""
        monkeypatch.setattr("livesignals.dashboard.health.KEEP_SECONDS", 3_600.0)

        async def scenario() -> None:
            probe, feed = Probe(), Feed(lambda: journal)
            answers = await asyncio.gather(*(ask_probe(probe, feed) for _ in range(200)))
            assert {status for status, _ in answers} == {200}
            assert (await ask_probe(probe, feed))[0] == 200
            assert journal.asked == 1

        asyncio.run(scenario())
