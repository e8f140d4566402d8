"""The log says what is wrong, and does not flood."""

import logging
import threading
from pathlib import Path
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
from tests.transport.programs import run


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


class TestTrouble:
    """The log's own words, with its filter, and a clock that the test moves."""

    END = "it can be used again"

    @pytest.fixture
    def trouble(self, log: Log, monkeypatch: pytest.MonkeyPatch) -> logs.Trouble:
        monkeypatch.setattr(logs, "logger", log.logger)
        return logs.Trouble(self.END)

    @staticmethod
    def happen(trouble: logs.Trouble, what: str, tries: int = 3) -> None:
        for _ in range(tries):
            trouble.met(what)
        trouble.over()
        trouble.over()

    def test_each_that_is_told_has_its_end_told(self, log: Log, trouble: logs.Trouble) -> None:
        """Though another one ended a moment ago, or the same a little less than a minute ago."""
        self.happen(trouble, "locked")
        log.now += 10
        self.happen(trouble, "full")
        assert log.said == ["locked", self.END, "full", self.END]
        trouble.met("away")
        log.now += 59
        trouble.over()
        log.now += 1
        self.happen(trouble, "away")
        assert log.said[4:] == ["away", self.END, "away", self.END]

    def test_what_comes_and_goes_is_told_once_a_minute(self, log: Log, trouble: logs.Trouble) -> None:
        """With its end; those between are counted, once each however often they were met."""
        for _ in range(100):
            self.happen(trouble, "locked")
            log.now += 0.5
        assert log.said == ["locked", self.END]
        log.now += 60
        self.happen(trouble, "locked")
        assert log.said[2:] == ["locked (and 99 more like it before)", self.END]

    def test_what_comes_again_too_soon_and_lasts_is_told_in_the_end(self, log: Log, trouble: logs.Trouble) -> None:
        """The last line is never that all is well while it is not; nor is it said again each minute."""
        self.happen(trouble, "locked")
        for _ in range(600):
            log.now += 1
            trouble.met("locked")
        assert log.said == ["locked", self.END, "locked"]
        trouble.over()
        assert log.said[3:] == [self.END]

    def test_a_fault_of_ours_has_its_traceback(self, log: Log, trouble: logs.Trouble) -> None:
        """At its own level, and its end is told as well."""
        seen: list[logging.LogRecord] = []
        log.logger.handlers[0].emit = seen.append  # type: ignore[method-assign, assignment]
        for _ in range(2):
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                trouble.met("following failed", is_fault=True)
        trouble.over()
        assert [(record.levelname, record.getMessage()) for record in seen] == [
            ("ERROR", "following failed"),
            ("WARNING", self.END),
        ]
        assert seen[0].exc_info is not None
        assert seen[0].exc_info[0] is ZeroDivisionError


FORKED = """
from livesignals import logs
logs.journal_trouble.met("livesignals: the disk is full")
if os.fork() == 0:
    logs.calm.kinds.clear()
    logs.journal_trouble.over()
    logs.journal_trouble.met("livesignals: the disk is full")
    sys.exit()
os.wait()
"""


def test_a_child_tells_its_own(tmp_path: Path) -> None:
    """What the parent had told before the fork is news there, and no end of it is told."""
    assert run(FORKED, tmp_path / "journal.sqlite3") == 2 * "livesignals: the disk is full\n"


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
