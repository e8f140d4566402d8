"""One send in so many is kept, the others are counted: exactly, in whole trees, and never one that raised."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from livesignals import capture
from livesignals.capture import counting, sends, signals
from livesignals.capture.counting import Ledger
from livesignals.capture.sampling import one_in
from tests.capture.conftest import Captured, capturing

ticked = Signal()
noted = Signal()
inner = Signal()


class Told:
    """What the ledger was given: sends by the last name of their signal, status and why they were counted."""

    def __init__(self) -> None:
        self.ledger = Ledger(lambda: None)
        self.total: Counter[tuple[str, str, str]] = Counter()

    def read(self) -> Counter[tuple[str, str, str]]:
        for count in self.ledger.taken():
            self.total[count.signal.name.rpartition(".")[2], count.status, count.why] += count.sends
        return self.total


@pytest.fixture
def told(captured: Captured) -> Iterator[Told]:
    told, outer = Told(), counting.get_count_sink()
    capture.set_count_sink(told.ledger.add)
    yield told
    capture.configure([])
    capture.set_count_sink(outer)


@pytest.fixture(autouse=True)
def without_receivers() -> Iterator[None]:
    yield
    for signal in (ticked, noted, inner):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def connected(signal: Signal, receiver: Any) -> None:
    signal.connect(receiver, weak=False)


def sample(**one_in_so_many: int) -> None:
    capture.configure([], samples=one_in_so_many)


class TestChoosing:
    @pytest.mark.parametrize("n", [2, 3, 7, 10, 64, 100, 1_000])
    def test_of_so_many_in_a_row_exactly_one_is_chosen(self, n: int) -> None:
        """Wherever a process begins in the sequence, it is in the middle of one row at most."""
        is_chosen = one_in(n)
        while not is_chosen():
            pass
        chosen = [number for number in range(50 * n) if is_chosen()]
        assert 49 <= len(chosen) <= 51
        assert all(later - earlier < 2 * n for earlier, later in pairwise(chosen))

    @pytest.mark.parametrize(
        ("n", "period"), [(2, 2), (10, 2), (10, 10), (10, 20), (100, 4), (100, 50), (7, 14), (8, 12)]
    )
    def test_what_repeats_is_kept_in_its_true_shares(self, n: int, period: int) -> None:
        """A pattern of any length is never kept at one place only: each of its places is, about as often."""
        is_chosen = one_in(n)
        kept = Counter(number % period for number in range(2_000 * n) if is_chosen())
        assert set(kept) == set(range(period))
        assert max(kept.values()) < 1.5 * 2_000 / period
        assert min(kept.values()) > 0.5 * 2_000 / period

    def test_processes_begin_at_different_places(self) -> None:
        """Else many short ones would all keep their first send, or none."""
        firsts = {
            next(number for number in range(1_000) if is_chosen()) for is_chosen in (one_in(100) for _ in range(50))
        }
        assert len(firsts) > 5

    def test_children_of_a_fork_do_not_all_keep_the_same(self, told: Told) -> None:
        """Each begins at a place of its own in the sequence."""
        sample(ticked=64)
        ticked.send(sender="a")
        firsts = set()
        for _ in range(30):
            sends.begin_anew()
            is_chosen = signals.states[id(ticked)].is_chosen
            assert is_chosen is not None
            firsts.add(next(number for number in range(200) if is_chosen()))
        assert len(firsts) > 3

    @pytest.mark.parametrize(
        ("samples", "expected"),
        [
            ({"ticked": 10}, True),
            ({"tests.capture.*": 10}, True),
            ({"*": 10, "tests.capture.*": 1}, False),
            ({"ticked": 1, "*": 10}, True),
            ({"noted": 10}, False),
            ({}, False),
        ],
    )
    def test_the_last_glob_that_matches_counts(self, told: Told, samples: dict[str, int], expected: bool) -> None:
        """As in SIGNALS."""
        capture.configure([], samples=samples)
        ticked.send(sender="a")
        assert (signals.states[id(ticked)].is_chosen is not None) == expected

    def test_signals_of_every_row_are_on_when_they_are_named(self) -> None:
        """As with COUNT; a glob of all signals names none."""
        try:
            for samples, expected in (({"post_init": 100}, True), ({"*": 100}, False)):
                capture.configure([], samples=samples)
                assert signals.is_recorded("django.db.models.signals.post_init") == expected
        finally:
            capture.configure([])


class TestKeeping:
    def test_one_in_so_many_is_kept_and_the_others_are_counted(self, told: Told, captured: Captured) -> None:
        """The kept ones say that they were sampled."""
        sample(ticked=10)
        for n in range(1_000):
            ticked.send(sender="a", n=n)
            noted.send(sender="a")
        kept = captured.of("ticked")
        assert 99 <= len(kept) <= 101
        assert told.read() == {("ticked", "returned", "sampled"): 1_000 - len(kept)}
        assert {tuple(event.flags) for event in kept} == {("sampled",)}
        assert len(captured.of("noted")) == 1_000
        assert {tuple(event.flags) for event in captured.of("noted")} == {()}
        assert len({event.kwargs["n"] % 10 for event in kept}) > 5

    def test_over_threads_nothing_is_lost_or_counted_twice(self, told: Told, captured: Captured) -> None:
        """Kept and counted are what was sent, and one in so many of it, however threads take turns and end."""
        sample(ticked=20)
        connected(ticked, lambda **named: None)

        def work() -> None:
            for _ in range(500):
                ticked.send(sender="a")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for _ in range(4):
                threads = [threading.Thread(target=work) for _ in range(5)]
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads):
                    told.read()
                for thread in threads:
                    thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert 499 <= len(captured.sends) <= 501
        assert len(captured.sends) + told.read().total() == 10_000

    def test_threads_for_one_send_each_are_sampled_as_one_that_goes_on(self, told: Told, captured: Captured) -> None:
        """As those of a server that begins one for each request."""
        sample(ticked=10)
        for _ in range(100):
            thread = threading.Thread(target=lambda: ticked.send(sender="a"))
            thread.start()
            thread.join()
        assert 9 <= len(captured.sends) <= 11
        assert len(captured.sends) + told.read().total() == 100

    def test_skipped_sends_are_sampled_too(self, told: Told, captured: Captured) -> None:
        """And counted as skipped."""
        sample(ticked=10)
        for _ in range(100):
            sends.skip(ticked, "a", {})
        assert {event.status for event in captured.events} == {"skipped"}
        assert told.read() == {("ticked", "skipped", "sampled"): 100 - len(captured.sends)}

    def test_a_signal_that_is_counted_is_not_sampled(self, told: Told, captured: Captured) -> None:
        """COUNT keeps none."""
        capture.configure([], ["ticked"], samples={"ticked": 2})
        for _ in range(10):
            ticked.send(sender="a")
        assert captured.sends == []
        assert told.read() == {("ticked", "returned", ""): 10}


class TestErrors:
    @pytest.mark.parametrize("method", signals.SEND_METHODS)
    @pytest.mark.parametrize("is_async", [False, True])
    def test_a_send_that_raises_is_always_kept(
        self, told: Told, captured: Captured, method: str, is_async: bool
    ) -> None:
        """Whole: with what it carried when it began, and the receiver that raised, caught by the send or not."""
        sample(ticked=1_000)

        def receiver(carried: list[int], **named: Any) -> None:
            carried.clear()
            raise ImproperlyConfigured("no")

        async def async_receiver(carried: list[int], **named: Any) -> None:
            receiver(carried)

        connected(ticked, async_receiver if is_async else receiver)
        for _ in range(20):
            try:
                sent = getattr(ticked, method)(sender="a", carried=[1, 2])
                if asyncio.iscoroutine(sent):
                    asyncio.run(sent)
            except (ImproperlyConfigured, BaseExceptionGroup):
                assert not method.endswith("_robust")
        assert len(captured.sends) == 20
        assert told.read().total() == 0
        for event in captured.events:
            assert event.kwargs == {"carried": [1, 2]}
            assert [call.status for call in event.receivers] == ["raised"]
            assert event.receivers[0].error is not None
            assert event.receivers[0].error.message == "no"
            assert event.flags == ["sampled"]

    def test_an_error_is_kept_with_all_sends_above_it(self, told: Told, captured: Captured) -> None:
        """Though these caught it, and with what follows in the tree; what went well before is counted."""
        sample(ticked=10_000, noted=10_000, inner=10_000)

        def outermost(**named: Any) -> None:
            inner.send(sender="before")
            noted.send(sender="middle")
            inner.send(sender="after")

        def middle(**named: Any) -> None:
            if fails:
                inner.send_robust(sender="failing", fails=True)
            inner.send(sender="beside")

        def innermost(**named: Any) -> None:
            if named.get("fails"):
                raise ImproperlyConfigured

        connected(ticked, outermost)
        connected(noted, middle)
        connected(inner, innermost)
        fails = False
        while not captured.sends:  # until a tree was chosen the place of the next is far away
            ticked.send(sender="top")
        whole = {event.sender for event in captured.events}
        assert whole == {"top", "before", "middle", "beside", "after"}
        captured.sends.clear()
        told.read()
        told.total.clear()
        fails = True
        ticked.send(sender="top")
        top, middle_event, failing = captured.events[:3]
        assert [event.sender for event in (top, middle_event, failing)] == ["top", "middle", "failing"]
        assert (top.parent, middle_event.parent, failing.parent) == (None, top.uid, middle_event.uid)
        assert {event.root for event in captured.events} == {top.uid}
        assert [event.sender for event in captured.events[3:]] == ["beside", "after"]
        assert told.read() == {("inner", "returned", "sampled"): 1}

    def test_errors_are_kept_up_to_the_ceiling(
        self, told: Told, captured: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where each send fails FLOOD still holds, and says so."""
        monkeypatch.setattr(counting, "clock", lambda: 7 * counting.SECOND_NS)
        counting._windows.clear()
        capture.configure([], flood={"ticked": 5}, samples={"ticked": 100_000_000})

        def receiver(**named: Any) -> None:
            raise ImproperlyConfigured

        connected(ticked, receiver)
        for _ in range(30):
            ticked.send_robust(sender="a")
            with pytest.raises(ImproperlyConfigured):
                ticked.send(sender="a")
        counting._windows.clear()
        assert len(captured.sends) == 5
        # A robust send returns: what it caught is no error of its own.
        assert told.read().total() == 55
        assert {why for _, _, why in told.total} == {"flooded"}


class TestTrees:
    def test_a_tree_is_kept_whole_or_counted_whole(self, told: Told, captured: Captured) -> None:
        """The topmost send that is sampled decides for all in it, sampled or not."""
        sample(ticked=10, noted=2)
        connected(ticked, lambda **named: (noted.send(sender="in"), noted.send(sender="in"), inner.send(sender="in")))
        for _ in range(200):
            ticked.send(sender="a")
        roots = captured.of("ticked")
        assert 19 <= len(roots) <= 21
        by_root = Counter(event.root for event in captured.events)
        assert by_root == dict.fromkeys((event.uid for event in roots), 4)
        assert told.read() == {
            ("ticked", "returned", "sampled"): 200 - len(roots),
            ("noted", "returned", "sampled"): 2 * (200 - len(roots)),
            ("inner", "returned", "sampled"): 200 - len(roots),
        }

    def test_inside_a_send_that_is_not_sampled_each_decides(self, told: Told, captured: Captured) -> None:
        """And what is kept has its parent."""
        sample(noted=4)
        connected(ticked, lambda **named: noted.send(sender="in"))
        for _ in range(100):
            ticked.send(sender="a")
        uids = {event.uid for event in captured.of("ticked")}
        assert len(uids) == 100
        kept = captured.of("noted")
        assert 24 <= len(kept) <= 26
        assert {event.parent for event in kept} < uids
        assert told.read().total() == 100 - len(kept)

    def test_a_signal_sampled_one_in_one_is_kept_in_any_case(self, told: Told, captured: Captured) -> None:
        """With all sends above it, so that it stands in its tree."""
        sample(ticked=100_000, noted=1)
        is_noted = False

        def receiver(**named: Any) -> None:
            if is_noted:
                noted.send(sender="in")
            inner.send(sender="in")

        connected(ticked, receiver)
        while not captured.sends:
            ticked.send(sender="a")
        captured.sends.clear()
        is_noted = True
        ticked.send(sender="a")
        top, always, after = captured.events
        assert [event.signal.rpartition(".")[2] for event in (top, always, after)] == ["ticked", "noted", "inner"]
        assert (top.parent, always.parent, after.parent) == (None, top.uid, top.uid)

    def test_a_send_counted_in_between_decides_nothing(self, told: Told, captured: Captured) -> None:
        """Sends in it belong to the tree that it is in."""
        capture.configure([], ["inner"], samples={"ticked": 5, "noted": 2})
        connected(ticked, lambda **named: inner.send(sender="between"))
        connected(inner, lambda **named: noted.send(sender="in"))
        for _ in range(100):
            ticked.send(sender="a")
        assert Counter(event.root for event in captured.events) == {event.uid: 2 for event in captured.of("ticked")}
        assert told.read()["noted", "returned", "sampled"] == 100 - len(captured.of("ticked"))


class TestCeilings:
    @pytest.fixture(autouse=True)
    def second(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A clock that stands still."""
        monkeypatch.setattr(counting, "clock", lambda: 7 * counting.SECOND_NS)
        counting._windows.clear()
        yield
        counting._windows.clear()

    def test_each_signal_has_its_own_ceiling(self, told: Told, captured: Captured) -> None:
        """The last glob that matches counts; a signal that none matches has none. The counts say why."""
        capture.configure([], flood={"tests.*": 50, "ticked": 3, "noted": 1_000_000})
        for _ in range(100):
            ticked.send(sender="a")
            noted.send(sender="a")
            inner.send(sender="a")
        kept = Counter(event.signal.rpartition(".")[2] for event in captured.events)
        assert kept == {"ticked": 3, "noted": 100, "inner": 50}
        assert told.read() == {("ticked", "returned", "flooded"): 97, ("inner", "returned", "flooded"): 50}

    def test_the_ceiling_is_for_what_sampling_keeps(self, told: Told, captured: Captured) -> None:
        """A count for each reason."""
        capture.configure([], flood={"ticked": 3}, samples={"ticked": 10})
        for _ in range(1_000):
            ticked.send(sender="a")
        assert len(captured.sends) == 3
        assert told.read().total() == 997
        assert told.total["ticked", "returned", "sampled"] in (899, 900, 901)

    def test_a_count_tells_why_in_its_flags(self, told: Told, captured: Captured) -> None:
        """So that a filter finds it."""
        capture.configure([], flood={"ticked": 3}, samples={"noted": 10})
        for _ in range(30):
            ticked.send(sender="a")
            noted.send(sender="a")
        flags = {
            count.signal.name.rpartition(".")[2]: captured.describer.event(count).flags for count in told.ledger.taken()
        }
        assert flags == {"ticked": ["counted", "flooded"], "noted": ["counted", "sampled"]}


PROGRAMS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["send", "raise", "nest", "deep"])), max_size=40
)


@settings(max_examples=100, deadline=None)
@given(PROGRAMS, st.sampled_from([1, 2, 3, 50]), st.sampled_from([None, 1, 2, 7]), st.sampled_from([None, 2]))
def test_kept_and_counted_are_what_a_witness_saw(
    program: list[tuple[str, str]], tops: int, nested: int | None, flood: int | None
) -> None:
    """For random programs of sends that return, raise and nest. What is kept has its parent, unless a ceiling took it,
    and without one nothing that raised is merely counted."""
    seen, ledger = Counter[tuple[str, str]](), Ledger(lambda: None)

    def witness(sender: str, act: str, **named: Any) -> None:
        try:
            if act in ("nest", "deep"):
                noted.send(sender="nested", act="nest" if act == "deep" else "send")
                noted.send_robust(sender="robust", act="raise" if act == "deep" else "send")
            if act == "raise":
                raise ImproperlyConfigured
        finally:
            seen[sender, "returned" if act != "raise" or sender == "robust" else "raised"] += 1

    outer = counting.get_count_sink()
    with capturing() as captured:
        samples = {"ticked": tops} | ({} if nested is None else {"noted": nested})
        capture.set_count_sink(ledger.add)
        capture.configure([], flood=flood, samples=samples)
        for signal in (ticked, noted):
            connected(signal, witness)
        try:
            for sender, act in program:
                try:
                    ticked.send(sender=sender, act=act)
                except ImproperlyConfigured:
                    assert act == "raise"
        finally:
            capture.configure([])
            capture.set_count_sink(outer)
            for signal in (ticked, noted):
                signal.receivers.clear()
        events = captured.events
    told = Counter[tuple[str, str]]()
    for count in ledger.taken():
        told[count.sender, count.status] += count.sends
        assert flood is not None or count.status == "returned"
    assert told + Counter((event.sender, event.status) for event in events) == seen
    if flood is None:
        uids = {event.uid for event in events}
        assert {event.parent for event in events} <= uids | {None}
        assert {event.root for event in events} <= uids
