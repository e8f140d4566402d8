"""What capture sees of a dispatch, and that the project cannot tell."""

import asyncio
import contextvars
import functools
import gc
import logging
import pickle
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.dispatch import Signal
from django.test import override_settings

from livesignals import capture
from livesignals.capture import counting
from tests.capture.conftest import Captured

done = Signal()
further = Signal()
METHODS = ("send", "send_robust", "asend", "asend_robust")


@pytest.fixture(autouse=True)
def _without_receivers() -> Iterator[None]:
    yield
    for signal in (done, further):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def sent(signal: Signal, method: str, **named: Any) -> Any:
    """Dispatch with one of the four methods."""
    result = getattr(signal, method)(sender=None, **named)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def sync_receiver(**named: Any) -> str:
    return "sync"


async def async_receiver(**named: Any) -> str:
    await asyncio.sleep(0)
    return "async"


def failing_receiver(**named: Any) -> None:
    raise ValueError("no stock left")


async def async_failing_receiver(**named: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("no stock left")


@pytest.mark.parametrize("method", METHODS)
def test_every_send_method_is_seen_without_receivers(captured: Captured, method: str) -> None:
    """A send without receivers is an event too."""
    assert sent(done, method, order=7) == []
    (event,) = captured.events
    assert (event.signal, event.method, event.receivers) == ("tests.capture.test_dispatch.done", method, [])
    assert event.kwargs == {"order": 7}


@pytest.mark.parametrize("method", METHODS)
def test_sync_and_async_receivers_are_named_timed_and_placed(captured: Captured, method: str) -> None:
    """Each receiver call has its dotted name, source place, kind and duration; responses are the project's own."""
    done.connect(sync_receiver)
    done.connect(async_receiver)
    responses = sent(done, method)
    assert responses == [(sync_receiver, "sync"), (async_receiver, "async")]
    (event,) = captured.events
    calls = {call.name.rpartition(".")[2]: call for call in event.receivers}
    assert {name: (call.is_async, call.status) for name, call in calls.items()} == {
        "sync_receiver": (False, "returned"),
        "async_receiver": (True, "returned"),
    }
    line = sync_receiver.__code__.co_firstlineno
    assert calls["sync_receiver"].place == f"tests/capture/test_dispatch.py:{line}"
    assert all(call.duration_us > 0 for call in event.receivers)


@pytest.mark.parametrize("receiver", [failing_receiver, async_failing_receiver])
@pytest.mark.parametrize("method", METHODS)
def test_what_a_receiver_raised_is_in_the_event(
    captured: Captured, method: str, receiver: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A plain send raises and says so; a robust one returns the error. The event tells both apart."""
    caplog.set_level(logging.CRITICAL, "django.dispatch")
    done.connect(receiver)
    if method.endswith("robust"):
        ((_, error),) = sent(done, method)
        assert isinstance(error, ValueError)
    else:
        with pytest.raises(ValueError, match="no stock left"):
            sent(done, method)
    (event,) = captured.events
    assert event.status == ("returned" if method.endswith("robust") else "raised")
    (call,) = event.receivers
    assert call.status == "raised"
    assert call.error is not None
    assert (call.error.type, call.error.message) == ("ValueError", "no stock left")


@pytest.mark.parametrize("receiver", [sync_receiver, async_receiver, failing_receiver, async_failing_receiver])
@pytest.mark.parametrize("method", METHODS)
def test_tracebacks_and_logs_are_the_same_to_the_letter(
    captured: Captured, method: str, receiver: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """With capture on, an error's traceback has the same frames, files, lines and marks as without."""
    done.connect(receiver)

    def outcome() -> str:
        caplog.clear()
        try:
            text = "".join(
                "".join(traceback.format_exception(response)) if isinstance(response, Exception) else repr(response)
                for _, response in sent(done, method)
            )
        except ValueError:
            text = traceback.format_exc()
        return text + caplog.text

    woven = outcome()
    capture.detach()
    try:
        assert woven == outcome()
    finally:
        capture.attach()
    assert captured.events


def test_a_warning_of_a_receiver_points_where_it_did(captured: Captured) -> None:
    """A stacklevel that counts frames through the dispatch finds the same line: capture adds no frame."""

    def warns(**named: Any) -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=3)

    done.connect(warns)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done.send(sender=None)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("method", METHODS)
def test_a_send_inside_a_receiver_has_that_send_as_parent(captured: Captured, method: str) -> None:
    """Parents hold through sync and async receivers, threads and tasks."""

    def sends_on(**named: Any) -> None:
        further.send(sender="sync")

    async def sends_on_async(**named: Any) -> None:
        await asyncio.sleep(0)
        await further.asend(sender="async")
        await sync_to_async(further.send)(sender="thread")
        await asyncio.gather(further.asend(sender="gathered"), further.asend(sender="gathered"))

    done.connect(sends_on)
    done.connect(sends_on_async)
    sent(done, method)
    further.send(sender="outside")
    parent, *children, outside = captured.events
    assert sorted(child.sender for child in children) == ["async", "gathered", "gathered", "sync", "thread"]
    assert {child.parent for child in children} == {parent.uid}
    assert {child.root for child in children} == {parent.uid}
    assert outside.parent is None


def test_parents_reach_into_threads_and_tasks_that_were_given_the_context(captured: Captured) -> None:
    """A pool that is given a copy of the context, and a task that outlives the send; a bare thread is its own."""
    left: list[asyncio.Task[Any]] = []

    def hands_out(**named: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(contextvars.copy_context().run, further.send, "pool").result()
            pool.submit(further.send, "bare pool").result()

    async def leaves_behind(**named: Any) -> None:
        async def later() -> None:
            await is_over.wait()
            await further.asend(sender="task")

        left.append(asyncio.create_task(later()))
        async with asyncio.TaskGroup() as group:
            group.create_task(further.asend(sender="group"))

    is_over = asyncio.Event()
    done.connect(hands_out)
    done.connect(leaves_behind)

    async def main() -> None:
        await done.asend(sender=None)
        is_over.set()
        await left[0]

    asyncio.run(main())
    parent = captured.of("done")[0].uid
    parents = {event.sender: event.parent for event in captured.of("further")}
    assert parents == {"pool": parent, "bare pool": None, "group": parent, "task": parent}


def test_an_async_send_of_a_subclass_that_waits_before_it_hands_on_is_one_event(captured: Captured) -> None:
    """Inside another send's receiver too, where the scope is put back at every step."""

    class Patient(Signal):
        async def asend(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
            await asyncio.sleep(0)
            return await super().asend(sender, **named)

    patient = Patient()
    patient.connect(async_receiver)

    async def sends_on(**named: Any) -> None:
        await patient.asend(sender="inner")

    done.connect(sends_on)
    sent(done, "asend")
    outer, inner = captured.events
    assert (inner.sender, inner.parent) == ("inner", outer.uid)
    assert [call.status for call in inner.receivers] == ["returned"]


def test_concurrent_async_receivers_do_not_take_each_others_sends(captured: Captured) -> None:
    """Two sends under way at once: each nested one has its own parent, though receivers may share a context."""

    async def sends_on(name: str, **named: Any) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            await further.asend(sender=name)

    done.connect(sends_on)

    async def both() -> None:
        await asyncio.gather(done.asend(sender=None, name="a"), done.asend(sender=None, name="b"))

    asyncio.run(both())
    parents = {event.uid: event.kwargs["name"] for event in captured.of("done")}
    assert [parents[str(event.parent)] for event in captured.of("further")] == [
        event.sender for event in captured.of("further")
    ]


class Shouting(Signal):
    """As plugin systems have it: a send of its own, which calls the receivers itself."""

    def send(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
        responses = []
        for receiver in self._live_receivers(sender)[0]:
            response = receiver(signal=self, sender=sender, **named)
            responses.append((receiver, str(response).upper()))
        return responses


class Handing(Signal):
    """A send of its own that hands on to Django's."""

    def send(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
        return super().send(sender, extra=1, **named)


def test_a_subclass_with_a_send_of_its_own_is_seen_with_its_receivers(captured: Captured) -> None:
    """One event, with the receivers that the subclass called."""
    signal = Shouting()
    signal.connect(sync_receiver)
    assert signal.send(sender=None) == [(sync_receiver, "SYNC")]
    (event,) = captured.events
    assert [call.name.rpartition(".")[2] for call in event.receivers] == ["sync_receiver"]


def test_a_subclass_that_hands_on_to_django_is_one_event(captured: Captured) -> None:
    """super().send() is the same dispatch, not another."""
    signal = Handing()
    signal.connect(sync_receiver)
    assert signal.send(sender=None) == [(sync_receiver, "sync")]
    (event,) = captured.events
    assert len(event.receivers) == 1


def test_a_subclass_made_after_the_start_is_seen(captured: Captured) -> None:
    """Classes and signals that come later need nothing."""

    class Late(Signal):
        def send(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
            return [("late", sender)]

    assert Late().send(sender=1) == [("late", 1)]
    assert len(captured.events) == 1


def test_methods_partials_and_callable_objects_are_named_by_what_runs(captured: Captured) -> None:
    """A bound method by its function, a partial by what it holds, an object by its class."""

    class Shelf:
        def refill(self, **named: Any) -> None: ...

        def __call__(self, **named: Any) -> None: ...

    shelf = Shelf()
    partial = functools.partial(sync_receiver, more=1)
    for receiver in (shelf.refill, partial, shelf):
        done.connect(receiver, weak=False)
    done.send(sender=None)
    (event,) = captured.events
    names = [call.name.removeprefix("tests.capture.test_dispatch.") for call in event.receivers]
    scope = "test_methods_partials_and_callable_objects_are_named_by_what_runs.<locals>."
    assert names == [f"{scope}Shelf.refill", "sync_receiver", f"{scope}Shelf"]


class Basket:
    """Receivers of every form, sync and async."""

    def method(self, **named: Any) -> None: ...

    async def async_method(self, **named: Any) -> None: ...

    @staticmethod
    def static(**named: Any) -> None: ...

    @classmethod
    def of_class(cls, **named: Any) -> None: ...


@pytest.mark.parametrize("weak", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_receivers_of_every_form_are_seen_under_every_method(captured: Captured, method: str, weak: bool) -> None:
    """Bound, static and class methods, partials and functions, held weakly or not."""
    basket = Basket()
    partial, async_partial = functools.partial(sync_receiver), functools.partial(async_receiver)
    for receiver in (basket.async_method, async_partial, basket.method, Basket.static, basket.of_class, partial):
        done.connect(receiver, weak=weak)
    assert len(sent(done, method)) == 6
    (event,) = captured.events
    names: dict[bool, list[str]] = {True: [], False: []}
    for call in event.receivers:
        names[call.is_async].append(call.name.removeprefix(f"{__name__}."))
    assert names[False] == ["Basket.method", "Basket.static", "Basket.of_class", "sync_receiver"]
    assert names[True] == ["Basket.async_method", "async_receiver"]
    assert {call.status for call in event.receivers} == {"returned"}


def test_receivers_that_an_error_kept_from_running_are_told(captured: Captured) -> None:
    """In the order in which they would have run; also when one receiver is connected twice."""
    ran: list[int] = []

    def second_time_fails(**named: Any) -> None:
        ran.append(1)
        if len(ran) == 2:
            raise ValueError("no stock left")

    for uid in ("a", "b", "c"):
        done.connect(second_time_fails, dispatch_uid=uid)
    done.connect(sync_receiver)
    done.connect(async_receiver)
    with pytest.raises(ValueError, match="no stock left"):
        done.send(sender=None)
    (event,) = captured.events
    assert [(call.name.rpartition(".")[2], call.status) for call in event.receivers] == [
        ("second_time_fails", "returned"),
        ("second_time_fails", "raised"),
        ("second_time_fails", "not_run"),
        ("sync_receiver", "not_run"),
        ("async_receiver", "not_run"),
    ]


def test_sends_of_a_muted_signal_are_seen_without_receivers(captured: Captured) -> None:
    """As factory_boy's mute_signals does it: another list of receivers for a while."""
    done.connect(sync_receiver)
    paused, done.receivers = done.receivers, []
    try:
        assert done.send(sender="muted") == []
    finally:
        done.receivers = paused
    assert done.send(sender="heard") == [(sync_receiver, "sync")]
    assert [(event.sender, len(event.receivers)) for event in captured.events] == [("muted", 0), ("heard", 1)]


def test_a_signal_made_after_the_start_is_seen_by_its_name(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is looked for when it is sent for the first time."""
    made_late = Signal()
    monkeypatch.setattr(f"{__name__}.made_late", made_late, raising=False)
    made_late.send(sender=None)
    assert [event.signal for event in captured.events] == [f"{__name__}.made_late"]


@pytest.mark.parametrize("method", METHODS)
def test_responses_are_the_projects_own_objects(captured: Captured, method: str) -> None:
    """The list, its pairs, receivers and responses: the same types and the same objects as without capture."""
    answers = [object(), object()]
    basket = Basket()

    def answers_first(**named: Any) -> object:
        return answers[0]

    async def answers_second(**named: Any) -> object:
        return answers[1]

    done.connect(answers_first)
    done.connect(answers_second)
    done.connect(basket.method)
    responses = sent(done, method)
    assert type(responses) is list
    assert {type(pair) for pair in responses} == {tuple}
    by_receiver = dict(responses)
    assert by_receiver[answers_first] is answers[0]
    assert by_receiver[answers_second] is answers[1]
    assert by_receiver[basket.method] is None


def test_nothing_of_the_project_is_kept_alive_past_the_send(captured: Captured) -> None:
    """Receivers, senders and arguments die when they did, though the send still waits to be described."""

    class Basket:
        def on_done(self, **named: Any) -> None: ...

    basket, sender, argument = Basket(), Basket(), Basket()
    done.connect(basket.on_done)
    done.send(sender=sender, item=argument, items=[argument], by={"key": argument})
    references = [weakref.ref(thing) for thing in (basket, sender, argument)]
    del basket, sender, argument
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]
    assert captured.sends
    assert not done.has_listeners()


def test_the_signal_looks_untouched(captured: Captured) -> None:
    """No receiver is added, methods stay themselves, and receivers can be pickled and disconnected."""
    assert not done.has_listeners()
    assert done.receivers == []
    assert Signal.send.__name__ == "send"
    assert Signal.send.__qualname__ == "Signal.send"
    assert vars(done).keys() == vars(Signal()).keys()
    done.connect(sync_receiver, dispatch_uid="once")
    assert pickle.loads(pickle.dumps(sync_receiver)) is sync_receiver
    assert done.disconnect(dispatch_uid="once")


@pytest.mark.django_db
def test_other_installed_apps_for_a_while_change_nothing(captured: Captured) -> None:
    """override_settings makes the app configurations anew: nothing is attached twice, and nothing is taken away."""
    code = Signal.send.__code__
    with override_settings(INSTALLED_APPS=["livesignals", "django.contrib.contenttypes"]):
        done.send(sender="other apps")
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]):
        done.send(sender="without livesignals")
    done.send(sender="as before")
    assert [event.sender for event in captured.of("done")] == ["other apps", "without livesignals", "as before"]
    assert Signal.send.__code__ is code


def test_record_is_a_receiver_like_any_other(captured: Captured) -> None:
    """Connected the usual way it records by itself, and where capture is attached the send is not doubled."""
    done.connect(capture.record)
    capture.detach()
    try:
        done.send(sender=None, order=1)
    finally:
        capture.attach()
    assert [event.kwargs for event in captured.events] == [{"order": 1}]
    done.send(sender=None, order=2)
    assert [event.kwargs for event in captured.events] == [{"order": 1}, {"order": 2}]


def test_a_runaway_recursion_is_bounded(captured: Captured) -> None:
    """Deep sends are counted instead of kept, and the deepest that is kept says so.

    The project's own RecursionError comes as it would.
    """

    def again(depth: int, **named: Any) -> None:
        if depth < 150:
            done.send(sender=None, depth=depth + 1)

    done.connect(again)
    counted: list[tuple[str, str]] = []
    sink = counting.get_count_sink()
    capture.set_count_sink(lambda state, sender, status, why, began, ended: counted.append((status, why)))
    try:
        done.send(sender=None, depth=0)
    finally:
        capture.set_count_sink(sink)
    assert len(captured.sends) == 100
    assert counted == [("returned", "deep")] * 51
    assert [event.kwargs["depth"] for event in captured.events if "deeper" in event.flags] == [99]


def test_hostile_arguments_neither_raise_nor_run(captured: Captured) -> None:
    """Nothing of an argument is called: not repr, eq, hash, bool, getattr or a property."""

    class Trap:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __repr__(self) -> str:
            raise AssertionError("repr")

        __str__ = __repr__
        __eq__ = __hash__ = __bool__ = None  # type: ignore[assignment]

    trap = Trap()
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    done.send(
        sender=trap,
        trap=trap,
        deep=deep,
        huge=10**5000,
        lone="\ud800",
        nan=float("nan"),
        long="x" * 10**6,
        traps=[trap],
    )
    (event,) = captured.events
    assert event.kwargs["lone"] == "?"
    assert event.kwargs["nan"] == "nan"
    assert event.kwargs["long"].endswith("…")
    assert "truncated" in event.flags


def test_signals_can_be_left_out_by_name(captured: Captured) -> None:
    """SIGNALS takes globs of dotted or short names; the last that matches counts."""
    try:
        capture.configure(["-tests.*.done"])
        done.send(sender=None)
        further.send(sender=None)
        capture.configure(["*", "-done"])
        done.send(sender=None)
        capture.configure(["*.done"])
        done.send(sender=None)
        further.send(sender=None)
    finally:
        capture.configure([])
    assert [event.signal.rpartition(".")[2] for event in captured.events] == ["further", "done"]


def test_the_projects_own_line_is_found(captured: Captured) -> None:
    """where names the line that made the send, not Django's."""
    SimpleNamespace(send=done.send).send(sender=None)
    (event,) = captured.events
    assert event.where is not None
    assert event.where.startswith("tests/capture/test_dispatch.py:")
    assert event.where.endswith("test_the_projects_own_line_is_found")
