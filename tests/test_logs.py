"""The log says what is wrong, and does not flood."""

import logging
import threading
from types import SimpleNamespace

import pytest
from django.dispatch import Signal

from livesignals import capture, logs
from livesignals.capture import sends
from livesignals.capture.describe import Describer
from livesignals.exceptions import JournalUnavailable
from livesignals.logs import Calm
from livesignals.transport.feed import Feed, Problem
from tests.capture.conftest import capturing


class Log:
    """A logger as ours, and what comes through it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.said: list[str] = []
        self.logger = logging.Logger("ours")  # noqa: LOG001 - one for each test
        self.logger.addFilter(Calm())
        handler = logging.Handler()
        handler.emit = lambda record: self.said.append(record.getMessage())  # type: ignore[method-assign]
        self.logger.addHandler(handler)

    def fail(self, what: str, error: Exception) -> None:
        try:
            raise error
        except Exception:
            self.logger.exception("could not %s", what)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: log.now))
    return log


class TestCalm:
    def test_what_repeats_is_said_once_a_minute_with_its_number(self, log: Log) -> None:
        """And again when the minute is over."""
        for _ in range(500):
            log.logger.warning("the disk of %s is full", "web1")
        log.now += 59
        log.logger.warning("the disk of %s is full", "web1")
        assert log.said == ["the disk of web1 is full"]
        log.now += 1
        log.logger.warning("the disk of %s is full", "web1")
        log.logger.warning("the disk of %s is full", "web1")
        assert log.said[1:] == ["the disk of web1 is full (and 500 more like it before)"]
        log.now += 3_600
        log.logger.warning("the disk of %s is full", "web1")
        assert log.said[2:] == ["the disk of web1 is full (and 1 more like it before)"]

    def test_other_messages_are_said(self, log: Log) -> None:
        """Of another text, of another level, of another error."""
        for _ in range(3):
            log.logger.warning("the disk of %s is full", "web1")
            log.logger.warning("the disk of %s is full", "web2")
            log.fail("describe one", ValueError("1"))
            log.fail("describe another", ValueError("2"))
            log.fail("describe one", KeyError("3"))
        assert log.said == [
            "the disk of web1 is full",
            "the disk of web2 is full",
            "could not describe one",
            "could not describe one",
        ]

    def test_what_is_only_for_debugging_is_said_as_often_as_it_happens(self, log: Log) -> None:
        """Who turns that on wants it all."""
        log.logger.setLevel(logging.DEBUG)
        for _ in range(3):
            log.logger.debug("a page left")
            log.logger.info("begun")
        assert len(log.said) == 6

    def test_texts_without_end_take_bounded_memory(self, log: Log) -> None:
        """Each of them is said."""
        for number in range(1_000):
            log.logger.warning("number %d", number)
        assert len(log.said) == 1_000
        (calm,) = log.logger.filters
        assert isinstance(calm, Calm)
        assert len(calm.kinds) <= logs.MAX_KINDS

    def test_a_text_with_signs_of_formatting_is_said_as_it_is(self, log: Log) -> None:
        """Also with the number behind it."""
        for _ in range(2):
            log.logger.warning("100 % of it")
            log.now += 30
        log.now += 30
        log.logger.warning("100 % of it")
        assert log.said == ["100 % of it", "100 % of it (and 1 more like it before)"]

    def test_a_message_that_cannot_be_put_together_harms_nobody(self, log: Log) -> None:
        """Whoever logs goes on; what to do with it is the handler's business."""
        seen: list[logging.LogRecord] = []
        log.logger.handlers[0].emit = seen.append  # type: ignore[method-assign, assignment]
        log.logger.warning("%d", "not a number")
        assert len(seen) == 1

    def test_threads_lose_no_message_that_is_new(self, log: Log) -> None:
        """Each kind is there, however many threads fail at once."""

        def work() -> None:
            for number in range(100):
                log.logger.warning("number %d", number)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(log.said) >= {f"number {number}" for number in range(100)}
        assert len(log.said) < 200


def test_the_filter_is_on_our_logger_once() -> None:
    """Installed with the app; other loggers of a project are left alone."""
    assert logging.getLogger("livesignals").filters == [logs.calm]
    assert logs.calm not in logging.getLogger().filters


def test_a_fault_of_ours_with_every_send_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its traceback; the project's sends are not disturbed."""

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    signal = Signal()
    with capturing() as captured:
        signal.send(sender="a")
        monkeypatch.setattr(sends, "freeze", fail)
        for _ in range(300):
            assert signal.send(sender="a") == []
        monkeypatch.undo()
    assert len(captured.sends) == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "livesignals could not record a send (begin)")
    ]
    assert caplog.records[0].exc_info is not None


def test_a_feed_says_when_the_journal_is_away_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    """Once each, however often it is tried, and whoever else in the process says the same."""

    def away() -> None:
        raise JournalUnavailable("the disk is full", "Make room.")

    feed = Feed(away)  # type: ignore[arg-type]
    for _ in range(5):
        feed._note(Problem("the disk is full", "Make room."))
    feed._note(None)
    feed._note(None)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "livesignals: the disk is full Make room."),
        ("WARNING", "livesignals: the journal can be used again"),
    ]


def test_what_cannot_be_described_is_counted_and_not_logged_each_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts say how many they were."""
    from livesignals.journal.memory import MemoryJournal
    from livesignals.snapshot.masking import Masking
    from livesignals.transport.flusher import Flusher

    def fail(self: Describer, send: capture.Send) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Describer, "record", fail)
    journal = MemoryJournal(project="", retain_events=10, retain_bytes=10**6)
    flusher = Flusher(lambda: journal, lambda: Describer(Masking(), names_only=False))
    signal = Signal()
    with capturing():
        capture.set_sink(flusher.put)
        for _ in range(100):
            signal.send(sender="a")
    assert flusher.flush()
    flusher.close()
    assert journal.counts().dropped == {"cannot be described": 100}
    assert len(caplog.records) == 1
