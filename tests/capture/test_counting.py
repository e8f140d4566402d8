"""Sends that are counted instead of kept: every one, once, whatever thread made it and however it ended."""

import asyncio
import gc
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core import signals as core_signals
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import Signal
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from livesignals import capture
from livesignals.capture import counting, sends, signals
from livesignals.capture.counting import Count, Ledger
from livesignals.capture.describe import Describer
from livesignals.snapshot.masking import Masking
from tests.capture.conftest import Captured

ticked = Signal()
noted = Signal()

INIT = {"django.db.models.signals.pre_init", "django.db.models.signals.post_init"}


class Counted:
    """What was counted, told now and then as the flusher does."""

    def __init__(self) -> None:
        self.ledger = Ledger(self.wake)
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    def told(self) -> dict[tuple[str, str, str], int]:
        """Sends by the last name of their signal, sender and status, since the last time."""
        return {name_of(count): count.sends for count in self.ledger.taken()}


def name_of(count: Count) -> tuple[str, str, str]:
    return count.signal.name.rpartition(".")[2], count.sender, count.status


@pytest.fixture
def counted(captured: Captured) -> Iterator[Counted]:
    """Sends of ``ticked`` are counted for one test, those of other signals kept."""
    counted, outer = Counted(), counting.get_count_sink()
    capture.set_count_sink(counted.ledger.add)
    capture.configure([], ["ticked"])
    yield counted
    capture.configure([])
    capture.set_count_sink(outer)


def connected(signal: Signal, receiver: Any) -> Any:
    signal.connect(receiver, weak=False)
    return receiver


@pytest.fixture(autouse=True)
def without_receivers() -> Iterator[None]:
    yield
    for signal in (ticked, noted):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


class TestCounting:
    def test_counted_sends_are_not_kept(self, counted: Counted, captured: Captured) -> None:
        """Of each signal and sender there is one figure, and nothing else."""
        for _ in range(5):
            ticked.send(sender="a", secret="s")
        ticked.send(sender="b")
        noted.send(sender="c")
        assert [event.sender for event in captured.events] == ["c"]
        assert counted.told() == {("ticked", "a", "returned"): 5, ("ticked", "b", "returned"): 1}

    def test_what_was_told_is_not_told_again(self, counted: Counted) -> None:
        """Only what came since, and only the first after that wakes the one who tells."""
        assert counted.told() == {}
        for sent in (3, 4):
            for _ in range(sent):
                ticked.send(sender="a")
            assert counted.told() == {("ticked", "a", "returned"): sent}
        assert counted.told() == {}
        assert counted.wakes == 2

    def test_the_total_time_is_that_of_the_sends(self, counted: Counted) -> None:
        """No more than passed while they ran, no less than their receivers took."""
        took = []

        def receiver(**named: Any) -> None:
            began = counting.clock()
            sum(range(1_000))
            took.append(counting.clock() - began)

        connected(ticked, receiver)
        began = counting.clock()
        for _ in range(20):
            ticked.send(sender="a")
        passed = counting.clock() - began
        (count,) = counted.ledger.taken()
        assert sum(took) <= count.duration_ns <= passed
        assert began <= count.began <= count.ended <= counting.clock()

    @pytest.mark.parametrize("method", signals.SEND_METHODS)
    def test_every_send_method_is_counted(self, counted: Counted, method: str) -> None:
        """Without receivers, with a sync and an async one."""

        async def async_receiver(**named: Any) -> int:
            await asyncio.sleep(0)
            return 2

        def send() -> list[Any]:
            sent = getattr(ticked, method)(sender="a")
            return asyncio.run(sent) if asyncio.iscoroutine(sent) else sent

        responses = [len(send())]
        for receiver in (lambda **named: 1, async_receiver):
            connected(ticked, receiver)
            responses.append(len(send()))
        assert responses == [0, 1, 2]
        assert counted.told() == {("ticked", "a", "returned"): 3}

    def test_those_that_raise_are_counted_apart(self, counted: Counted) -> None:
        """The error passes through as it is, and nothing of it is kept."""

        class Refused(Exception):
            pass

        def receiver(sender: str, n: int, **named: Any) -> None:
            if n % 3 == 0:
                raise Refused(n)

        connected(ticked, receiver)
        raised = []
        for n in range(10):
            try:
                ticked.send(sender="a", n=n)
            except Refused as error:
                raised.append(weakref.ref(error))
        assert len(raised) == 4
        gc.collect()
        assert [reference() for reference in raised] == [None] * 4
        assert counted.told() == {("ticked", "a", "returned"): 6, ("ticked", "a", "raised"): 4}

    def test_a_cancelled_send_is_counted(self, counted: Counted) -> None:
        """As one that raised: it did not return."""

        async def receiver(**named: Any) -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.create_task(ticked.asend(sender="a"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        connected(ticked, receiver)
        asyncio.run(main())
        assert counted.told() == {("ticked", "a", "raised"): 1}

    def test_skipped_sends_are_no_sends(self, counted: Counted) -> None:
        """They are told by themselves."""
        sends.skip(ticked, "a", {"rows": 3})
        ticked.send(sender="a")
        assert counted.told() == {("ticked", "a", "skipped"): 1, ("ticked", "a", "returned"): 1}

    def test_what_is_muted_is_not_counted(self, counted: Counted) -> None:
        """It is livesignals' own work."""
        with capture.muted():
            ticked.send(sender="a")
        assert counted.told() == {}

    def test_a_subclass_that_hands_on_to_django_is_counted_once(self, counted: Counted, captured: Captured) -> None:
        """Counted or kept, with a receiver and without one."""

        class Handing(Signal):
            def send(self, sender: Any, **named: Any) -> Any:
                return super().send(sender, **named)

            async def asend(self, sender: Any, **named: Any) -> Any:
                return await super().asend(sender, **named)

        handing = Handing()
        for patterns in (["*"], []):
            capture.configure([], patterns)
            for receivers in (0, 1):
                handing.receivers[:] = []
                handing.sender_receivers_cache.clear()
                if receivers:
                    connected(handing, lambda **named: None)
                handing.send(sender="a")
                asyncio.run(handing.asend(sender="a"))
        assert list(counted.told().values()) == [4]
        assert len(captured.sends) == 4

    def test_record_does_not_count_what_is_counted_already(self, counted: Counted, captured: Captured) -> None:
        """Connected as a receiver, called on this thread or another."""
        ticked.connect(sends.record)
        ticked.send(sender="a")
        asyncio.run(ticked.asend(sender="a"))
        assert counted.told() == {("ticked", "a", "returned"): 2}
        assert captured.sends == []


class TestWhatIsAround:
    def test_sends_inside_a_counted_one_belong_to_the_kept_one_around_it(
        self, counted: Counted, captured: Captured
    ) -> None:
        """As if the counted one were not there; without one they are roots."""
        outer = Signal()
        connected(outer, lambda **named: ticked.send(sender="between"))
        connected(ticked, lambda **named: noted.send(sender="inner"))
        outer.send(sender="outer")
        ticked.send(sender="top")
        first, inner, alone = captured.events
        assert (first.sender, inner.sender, inner.parent, inner.root) == ("outer", "inner", first.uid, first.uid)
        assert (alone.sender, alone.parent, alone.root) == ("inner", None, alone.uid)
        assert first.cause == inner.cause == alone.cause
        noted.send(sender="after")
        assert captured.events[-1].parent is None

    def test_async_receivers_of_a_counted_send_do_not_take_each_others_sends(
        self, counted: Counted, captured: Captured
    ) -> None:
        """Even where all receivers of a send share one context."""
        inner = Signal()

        async def receiver(sender: str, **named: Any) -> None:
            await asyncio.sleep(0)
            await noted.asend(sender=sender)

        async def inside(sender: str, **named: Any) -> None:
            await asyncio.sleep(0)
            await inner.asend(sender=sender)

        async def first(**named: Any) -> None:
            await receiver(**named)

        async def second(**named: Any) -> None:
            await receiver(**named)

        connected(ticked, first)
        connected(ticked, second)
        connected(noted, inside)
        asyncio.run(ticked.asend(sender="a"))
        roots = [event for event in captured.events if event.signal.endswith(".noted")]
        children = [event for event in captured.events if not event.signal.endswith(".noted")]
        assert [event.parent for event in roots] == [None, None]
        assert sorted(str(event.parent) for event in children) == sorted(event.uid for event in roots)

    @pytest.mark.django_db
    def test_a_request_is_told_though_its_own_signals_are_counted(self, counted: Counted, captured: Captured) -> None:
        """request_started begins it and request_finished ends it, kept or counted."""
        capture.configure([], ["django.core.signals.*"])
        seen = connected(core_signals.request_started, lambda **named: noted.send(sender="in it"))
        try:
            assert Client().get("/").status_code == 200
        finally:
            core_signals.request_started.disconnect(seen)
        causes = {event.cause.kind: event.cause for event in captured.events if event.cause}
        assert set(causes) == {"request"}
        assert causes["request"].name == "GET /"
        assert captured.of("noted")[0].cause is not None
        noted.send(sender="after")
        after = captured.events[-1].cause
        assert after is not None
        assert after.kind == "test"
        told = counted.told()
        assert {signal for signal, _, _ in told} == {"request_started", "request_finished"}
        assert set(told.values()) == {1}

    def test_a_runaway_recursion_is_kept_to_a_depth_and_counted_below(
        self, counted: Counted, captured: Captured
    ) -> None:
        """No send is lost without a word."""
        again = Signal()

        def receiver(n: int, **named: Any) -> None:
            if n:
                again.send(sender="deep", n=n - 1)

        connected(again, receiver)
        again.send(sender="deep", n=149)
        assert len(captured.sends) == sends.MAX_DEPTH
        assert list(counted.told().values()) == [150 - sends.MAX_DEPTH]

    def test_a_recursion_of_counted_sends_is_counted_to_its_end(self, counted: Counted, captured: Captured) -> None:
        """However deep: a counted send costs nothing that needs a bound."""

        def receiver(n: int, **named: Any) -> None:
            if n:
                ticked.send(sender="deep", n=n - 1)

        connected(ticked, receiver)
        ticked.send(sender="deep", n=149)
        assert counted.told() == {("ticked", "deep", "returned"): 150}
        assert captured.sends == []


class TestThreads:
    def test_no_send_of_any_thread_is_lost_or_counted_twice(self, counted: Counted) -> None:
        """Threads that run, begin and end while they are read all the time."""
        per_thread, told = 3_000, Counter[tuple[str, str, str]]()

        def work(name: str) -> None:
            for n in range(per_thread):
                ticked.send(sender=name if n % 2 else "all")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for generation in range(3):
                threads = [threading.Thread(target=work, args=(f"{generation}.{n}",)) for n in range(4)]
                for thread in threads:
                    thread.start()
                while any(thread.is_alive() for thread in threads):
                    told.update(counted.told())
                for thread in threads:
                    thread.join()
        finally:
            sys.setswitchinterval(interval)
        told.update(counted.told())
        assert told.pop(("ticked", "all", "returned")) == 12 * per_thread // 2
        assert set(told.values()) == {per_thread // 2}
        assert len(told) == 12

    def test_the_cells_of_threads_that_ended_are_told_and_let_go(self, counted: Counted) -> None:
        """Nothing stays of them."""
        for _ in range(20):
            thread = threading.Thread(target=lambda: ticked.send(sender="a"))
            thread.start()
            thread.join()
        ticked.send(sender="a")
        assert len(counted.ledger.pages) == 21
        assert counted.told() == {("ticked", "a", "returned"): 21}
        assert len(counted.ledger.pages) == 1

    def test_a_send_that_hops_between_threads_is_counted_once(self, counted: Counted) -> None:
        """asend runs sync receivers on a thread of their own, and they send too."""
        connected(noted, lambda **named: ticked.send(sender="inner"))

        async def main() -> None:
            await asyncio.gather(*(noted.asend(sender="a") for _ in range(20)))
            await sync_to_async(ticked.send)(sender="hop")

        asyncio.run(main())
        assert counted.told() == {("ticked", "inner", "returned"): 20, ("ticked", "hop", "returned"): 1}


class TestSenders:
    def test_senders_are_told_as_in_events(self, counted: Counted, captured: Captured) -> None:
        """Models by label, classes by dotted name, objects by that of their class; none is asked or kept."""

        class Hostile:
            def __hash__(self) -> int:
                raise AssertionError("hashed")

            def __eq__(self, other: object) -> bool:
                raise AssertionError("compared")

            def __repr__(self) -> str:
                raise AssertionError("shown")

        from django.contrib.auth.models import User

        for sender in (User, Counted, None, "text"):
            noted.send(sender=sender)
            ticked.send(sender=sender)
        sends.skip(noted, Hostile(), {})
        sends.skip(ticked, Hostile(), {})
        assert [sender for _, sender, _ in counted.told()] == [event.sender for event in captured.events]

    def test_senders_without_end_take_bounded_memory(self, counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those that are too many within a second are counted as one; in the next there is room again."""
        monkeypatch.setattr(counting, "MAX_CELLS", 100)
        for second in range(3):
            for n in range(1_000):
                ticked.send(sender=f"{second}.{n}")
            told = counted.told()
            assert sum(told.values()) == 1_000
            assert told.pop(("ticked", counting.OTHER_SENDERS, "returned")) == 900
            assert set(told) == {("ticked", f"{second}.{n}", "returned") for n in range(100)}
            assert len(counted.ledger.pages) <= 2

    def test_a_class_that_is_gone_leaves_its_count(self, counted: Counted) -> None:
        """And a new one in its place has its own."""
        for n in range(5):
            sender = type(f"Made{n}", (), {})
            ticked.send(sender=sender)
            reference = weakref.ref(sender)
            ticked.sender_receivers_cache.clear()
            del sender
            gc.collect()
            assert reference() is None
        told = counted.told()
        assert [sender.rpartition(".")[2] for _, sender, _ in told] == [f"Made{n}" for n in range(5)]
        assert set(told.values()) == {1}

    def test_a_mask_function_that_fails_costs_no_count(self, counted: Counted) -> None:
        """Its sender is masked, its figures are there."""

        def mask(name: str, value: str) -> str | None:
            raise ZeroDivisionError

        for _ in range(3):
            ticked.send(sender="someone")
        (count,) = counted.ledger.taken()
        event = Describer(Masking([], mask), names_only=False).event(count)
        assert event.counted is not UNSET
        assert event.counted.sends == 3


class TestFlood:
    @pytest.fixture
    def second(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
        """A clock that stands still in one second."""
        at = [7 * counting.SECOND_NS]
        monkeypatch.setattr(counting, "clock", lambda: at[0])
        counting._windows.clear()
        yield at
        counting._windows.clear()

    def test_the_first_of_a_second_are_kept_and_the_others_counted(
        self, counted: Counted, captured: Captured, second: list[int]
    ) -> None:
        """Of each signal and sender by itself, and anew each second."""
        capture.configure([], [], 10)
        for _ in range(3):
            for n in range(25):
                ticked.send(sender="a", n=n)
                noted.send(sender="a", n=n)
            ticked.send(sender="b")
            second[0] += counting.SECOND_NS
        assert Counter((event.signal.rpartition(".")[2], event.sender) for event in captured.events) == {
            ("ticked", "a"): 30,
            ("noted", "a"): 30,
            ("ticked", "b"): 3,
        }
        assert {event.kwargs["n"] for event in captured.of("noted")} == set(range(10))
        assert counted.told() == {("ticked", "a", "returned"): 45, ("noted", "a", "returned"): 45}
        assert len(counting._windows) == 1

    def test_over_threads_exactly_so_many_are_kept(
        self, counted: Counted, captured: Captured, second: list[int]
    ) -> None:
        """All threads share the second."""
        capture.configure([], [], 500)

        def work() -> None:
            for _ in range(1_000):
                ticked.send(sender="a")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert len(captured.sends) == 500
        assert counted.told() == {("ticked", "a", "returned"): 3_500}

    def test_on_a_real_clock_kept_and_counted_are_all_that_was_sent(self, counted: Counted, captured: Captured) -> None:
        """Wherever a second ends."""
        capture.configure([], [], 50)
        for _ in range(5_000):
            ticked.send(sender="a")
        assert len(captured.sends) >= 50
        assert len(captured.sends) + sum(counted.told().values()) == 5_000

    @pytest.mark.django_db
    def test_a_request_beyond_the_flood_is_still_a_request(
        self, counted: Counted, captured: Captured, second: list[int]
    ) -> None:
        """What happens in it has it as cause."""
        capture.configure([], [], 1)
        numbers = iter(range(3))
        receiver = connected(core_signals.request_started, lambda **named: noted.send(sender=f"in {next(numbers)}"))
        try:
            for n in range(3):
                Client().get(f"/nowhere/{n}")
        finally:
            core_signals.request_started.disconnect(receiver)
        causes = {event.sender: event.cause for event in captured.of("noted")}
        assert {sender: cause and cause.name for sender, cause in causes.items()} == {
            f"in {n}": f"GET /nowhere/{n}" for n in range(3)
        }
        told = {signal: sends for (signal, _, _), sends in counted.told().items() if signal.startswith("request")}
        assert told == {"request_started": 2, "request_finished": 2}


PROGRAMS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["send", "raise", "nest", "tell"])), max_size=30
)


@settings(max_examples=100, deadline=None)
@given(PROGRAMS, st.sampled_from([None, 1, 3]), st.booleans())
def test_kept_and_counted_are_what_a_witness_saw(
    program: list[tuple[str, str]], flood: int | None, counts: bool
) -> None:
    """For random programs of sends that return, raise and nest, with what was counted told in between."""
    seen, told = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    outer, outer_counts, was_attached = sends.get_sink(), counting.get_count_sink(), capture.is_attached()
    kept: list[capture.Send] = []
    ledger = Ledger(lambda: None)

    def witness(sender: str, act: str, **named: Any) -> None:
        if act == "nest":
            ticked.send(sender="nested", act="send")
        seen[sender, "raised" if act == "raise" else "returned"] += 1
        if act == "raise":
            raise ImproperlyConfigured

    def tell() -> None:
        for count in ledger.taken():
            told[count.sender, count.status] += count.sends

    capture.set_sink(kept.append)
    capture.set_count_sink(ledger.add)
    capture.configure([], ["ticked"] if counts else [], flood)
    capture.attach()
    connected(ticked, witness)
    try:
        for sender, act in program:
            if act == "tell":
                tell()
                continue
            try:
                ticked.send(sender=sender, act=act)
            except ImproperlyConfigured:
                assert act == "raise"
    finally:
        if not was_attached:
            capture.detach()
        capture.configure([])
        capture.set_sink(outer)
        capture.set_count_sink(outer_counts)
        ticked.receivers.clear()
    tell()
    told.update(Counter((send.sender, "raised" if send.error else "returned") for send in kept))
    assert told == seen
    assert not (counts and kept)


class TestChoosing:
    @pytest.mark.parametrize(
        ("patterns", "counted_patterns", "expected"),
        [
            ([], [], (False, None)),
            ([], ["post_init"], (True, 0)),
            ([], ["django.db.models.signals.*"], (True, 0)),
            ([], ["*"], (False, None)),
            ([], ["*", "post_init"], (True, 0)),
            ([], ["post_init", "-post_init"], (False, None)),
            (["post_save"], ["post_init"], (True, 0)),
            (["*"], ["post_init"], (True, 0)),
            (["post_init"], [], (True, None)),
            (["post_init"], ["post_init"], (True, 0)),
            (["-post_init"], ["post_init"], (False, 0)),
            (["-*"], ["post_init"], (False, 0)),
            (["post_init", "-django.*"], ["post_init"], (False, 0)),
        ],
    )
    def test_the_signals_of_every_row_are_on_when_they_are_named(
        self, patterns: list[str], counted_patterns: list[str], expected: tuple[bool, int | None]
    ) -> None:
        """By SIGNALS or by COUNT, but never when SIGNALS leaves them out."""
        name = "django.db.models.signals.post_init"
        try:
            capture.configure(patterns, counted_patterns)
            assert (signals.is_recorded(name), signals.kept_a_second(name)) == expected
        finally:
            capture.configure([])

    @pytest.mark.parametrize(
        ("patterns", "counted_patterns", "expected"),
        [
            ([], ["*"], (True, 0)),
            ([], ["*", "-shop.*"], (True, 40)),
            ([], ["noted"], (True, 40)),
            (["post_save"], ["ticked"], (False, 0)),
            (["-ticked"], ["ticked"], (False, 0)),
        ],
    )
    def test_others_are_counted_where_they_would_be_kept(
        self, patterns: list[str], counted_patterns: list[str], expected: tuple[bool, int | None]
    ) -> None:
        """COUNT takes none in that SIGNALS does not."""
        try:
            capture.configure(patterns, counted_patterns, 40)
            assert (
                signals.is_recorded("shop.signals.ticked"),
                signals.kept_a_second("shop.signals.ticked"),
            ) == expected
        finally:
            capture.configure([])

    @pytest.mark.django_db
    def test_rows_that_are_read_are_counted(self, counted: Counted, captured: Captured) -> None:
        """Each instance that Django makes."""
        from django.contrib.auth.models import User

        User.objects.bulk_create(User(username=f"user{n}") for n in range(30))
        capture.configure([], ["pre_init", "post_init"])
        captured.sends.clear()
        assert len(list(User.objects.iterator())) == 30
        assert {name: n for name, n in counted.told().items() if name[0].endswith("_init")} == {
            ("pre_init", "auth.User", "returned"): 30,
            ("post_init", "auth.User", "returned"): 30,
        }
        assert not {event.signal for event in captured.events} & INIT
