"""Sends on event loops and threads: what came of each receiver, when, and that asyncio works as without capture."""

import asyncio
import functools
import gc
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

import django
import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.dispatch import Signal

from livesignals import capture
from livesignals.events import Event
from tests.capture.conftest import Captured

done = Signal()
METHODS = ("send", "send_robust", "asend", "asend_robust")
HAS_TASK_GROUP = django.VERSION >= (6, 1)  # before, receivers are gathered, and those on threads with them


@pytest.fixture(autouse=True)
def _without_receivers() -> Iterator[None]:
    yield
    done.receivers.clear()


def sent(method: str, **named: Any) -> Any:
    result = getattr(done, method)(sender=None, **named)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def statuses(event: Event) -> dict[str, str]:
    return {call.name.rpartition(".")[2]: call.status for call in event.receivers}


class Gate:
    """Holds a receiver on its thread until it is opened."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self.is_open = threading.Event()

    def held(self, **named: Any) -> str:
        self.is_reached.set()
        assert self.is_open.wait(30)
        return "late"

    async def reached(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.is_reached.wait, 30)


async def cancelled(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def later(**named: Any) -> None: ...


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_what_runs_on_a_thread_when_its_send_is_cancelled_is_unfinished(captured: Captured, method: str) -> None:
    """A thread cannot be cancelled: the receiver in it goes on, and so do those that come after it."""
    gate = Gate()
    done.connect(gate.held)
    done.connect(later)

    async def main() -> None:
        task = asyncio.create_task(getattr(done, method)(sender=None))
        await gate.reached()
        await cancelled(task)
        gate.is_open.set()
        await sync_to_async(int)()

    asyncio.run(main())
    (event,) = captured.events
    assert event.status == "raised"
    assert statuses(event) == {"held": "unfinished", "later": "unfinished"}
    held, waiting = event.receivers
    assert held.duration_us > 0
    assert waiting.duration_us == 0
    assert held.returned is None


def test_what_waits_for_a_thread_when_its_send_is_cancelled_never_runs(captured: Captured) -> None:
    """The thread is busy with something else; its turn never comes."""
    gate = Gate()
    done.connect(later)
    ran: list[None] = []
    done.connect(lambda **named: ran.append(None), weak=False)

    async def main() -> None:
        other = asyncio.create_task(sync_to_async(gate.held)())
        await gate.reached()
        task = asyncio.create_task(done.asend(sender=None))
        for _ in range(5):
            await asyncio.sleep(0)
        await cancelled(task)
        gate.is_open.set()
        await other

    asyncio.run(main())
    (event,) = captured.events
    assert statuses(event) == {"later": "not_run", "<lambda>": "not_run"}
    assert ran == []


async def waits(**named: Any) -> None:
    await asyncio.sleep(0)


async def goes_on(**named: Any) -> None:
    await asyncio.Event().wait()  # until it is cancelled


async def fails(**named: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("no stock left")


def test_siblings_of_a_receiver_that_fails_are_told_as_django_treats_them(captured: Captured) -> None:
    """From 6.1 on they are cancelled, before they go on; those on a thread ran before, or go on as well."""
    gate = Gate()
    done.connect(goes_on)
    done.connect(fails)
    if not HAS_TASK_GROUP:
        done.connect(gate.held)

    async def main() -> None:
        with pytest.raises(ValueError, match="no stock left"):
            await done.asend(sender=None)
        gate.is_open.set()

    asyncio.run(main())
    (event,) = captured.events
    if HAS_TASK_GROUP:
        assert statuses(event) == {"goes_on": "cancelled", "fails": "raised"}
    else:
        assert statuses(event) == {"goes_on": "unfinished", "fails": "raised", "held": "unfinished"}


@pytest.mark.skipif(HAS_TASK_GROUP, reason="sync receivers are through before async ones begin")
def test_what_waits_for_a_thread_when_a_sibling_fails_is_unfinished(captured: Captured) -> None:
    """It runs all the same, once the thread comes to it; a partial that fails breaks Django's own log line."""
    gate = Gate()
    ran: list[None] = []
    done.connect(lambda **named: ran.append(None), weak=False)
    done.connect(functools.partial(fails), weak=False)

    async def main() -> None:
        other = asyncio.create_task(sync_to_async(gate.held)())
        await gate.reached()
        with pytest.raises(AttributeError, match="__qualname__"):
            await done.asend_robust(sender=None)
        gate.is_open.set()
        await other
        await sync_to_async(int)()

    asyncio.run(main())
    (event,) = captured.events
    assert statuses(event) == {"<lambda>": "unfinished", "fails": "raised"}
    assert ran == [None]


def test_what_gets_no_thread_never_runs(captured: Captured) -> None:
    """asgiref refuses where it would wait for itself."""
    done.connect(later)

    async def sends_from_the_thread() -> None:
        SyncToAsync.deadlock_context.set(True)
        with pytest.raises(RuntimeError, match="deadlock"):
            await done.asend(sender=None)

    asyncio.run(sends_from_the_thread())
    (event,) = captured.events
    assert statuses(event) == {"later": "not_run"}


def test_several_errors_are_one_group(captured: Captured) -> None:
    """As Django raises them; each receiver has its own."""

    async def fails_too(**named: Any) -> None:
        await asyncio.sleep(0)
        raise KeyError("stock")

    done.connect(fails)
    done.connect(fails_too)
    with pytest.raises(ExceptionGroup if HAS_TASK_GROUP else ValueError) as caught:
        sent("asend")
    (event,) = captured.events
    assert event.error is not None
    assert event.error.type == type(caught.value).__name__
    errors = [call.error.type for call in event.receivers if call.error]
    assert errors == ["ValueError", "KeyError"]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # Django's own, and the sibling
@pytest.mark.parametrize("method", METHODS)
def test_an_async_receiver_called_with_the_wrong_arguments_raised(captured: Captured, method: str) -> None:
    """It fails before there is anything to await."""

    async def wants_more(sender: Any, price: int, **named: Any) -> None: ...

    done.connect(wants_more)
    done.connect(waits)
    if method.endswith("robust"):
        (_, error), _ = sent(method)
        assert isinstance(error, TypeError)
    else:
        with pytest.raises(TypeError, match="price"):
            sent(method)
    (event,) = captured.events
    (call,) = [call for call in event.receivers if call.name.endswith("wants_more")]
    assert call.status == "raised"
    if not method.endswith("robust"):
        assert call.error is not None
        assert "price" in call.error.message
        assert statuses(event)["waits"] == "not_run"


def test_waiting_for_a_thread_is_not_running(captured: Captured) -> None:
    """Sync receivers under asend begin when the thread comes to them; before, they wait."""
    gate = Gate()
    begun: list[int] = []
    done.connect(lambda **named: begun.append(time.perf_counter_ns()), weak=False)
    opened: list[int] = []

    async def main() -> None:
        other = asyncio.create_task(sync_to_async(gate.held)())
        await gate.reached()
        task = asyncio.create_task(done.asend(sender=None))
        for _ in range(5):
            await asyncio.sleep(0)
        opened.append(time.perf_counter_ns())
        gate.is_open.set()
        await asyncio.gather(other, task)

    asyncio.run(main())
    (event,) = captured.events
    (call,) = event.receivers
    (send,) = captured.sends
    assert opened[0] < send.began + call.start_us * 1000 < begun[0] + 1000
    assert call.ran_us is None


def test_an_async_receiver_that_waits_for_a_thread_is_not_running(captured: Captured) -> None:
    """ran_us leaves out what it waited, for a thread or for anything else."""
    worked: list[int] = []

    def work(is_asked: threading.Event) -> None:
        assert is_asked.wait(30)
        began = time.perf_counter_ns()
        time.sleep(0.01)
        worked.append(time.perf_counter_ns() - began)

    async def hops(**named: Any) -> None:
        is_asked = threading.Event()
        asyncio.get_running_loop().call_soon(is_asked.set)  # once this step is over
        await sync_to_async(work)(is_asked)

    done.connect(hops)
    sent("asend")
    (event,) = captured.events
    (call,) = event.receivers
    assert call.ran_us is not None
    assert 0 < call.ran_us <= call.duration_us - worked[0] / 1000 + 1


setting: ContextVar[str] = ContextVar("setting", default="nothing")


def sets(**named: Any) -> str:
    before = setting.get()
    setting.set("sync")
    return before


async def sets_async(**named: Any) -> str:
    before = setting.get()
    setting.set("async")
    await asyncio.sleep(0)
    return f"{before} then {setting.get()}"


async def resets_async(**named: Any) -> str:
    token = setting.set("for a while")
    await asyncio.sleep(0)
    setting.reset(token)
    return setting.get()


@pytest.mark.parametrize("receivers", [[sets], [sets_async], [sets, sets_async, resets_async], [resets_async, sets]])
@pytest.mark.parametrize("method", METHODS)
def test_context_variables_are_seen_by_whom_django_lets_see_them(
    captured: Captured, method: str, receivers: list[Any]
) -> None:
    """What receivers set is visible to each other and to the caller exactly as without capture, on every Django."""
    for receiver in receivers:
        done.connect(receiver)

    async def asent() -> tuple[list[Any], str]:
        responses = await getattr(done, method)(sender=None)
        return [response for _, response in responses], setting.get()

    def outcome() -> tuple[list[Any], str]:
        if method.startswith("a"):
            return copy_context().run(asyncio.run, asent())

        def plain() -> tuple[list[Any], str]:
            return [response for _, response in getattr(done, method)(sender=None)], setting.get()

        return copy_context().run(plain)

    assert_same_without_capture(outcome)
    assert captured.events


def assert_same_without_capture(outcome: Callable[[], Any]) -> None:
    woven = outcome()
    capture.detach()
    try:
        assert woven == outcome()
    finally:
        capture.attach()


def ways_to_end() -> dict[str, Callable[[list[str]], Coroutine[Any, Any, None]]]:
    async def is_cancelled(seen: list[str]) -> None:
        task = asyncio.create_task(done.asend(sender=None, seen=seen))
        for _ in range(4):
            await asyncio.sleep(0)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            seen.append(repr(error))

    async def times_out(seen: list[str]) -> None:
        try:
            async with asyncio.timeout(0.02):
                await done.asend_robust(sender=None, seen=seen)
        except TimeoutError as error:
            seen.append(repr(error))

    async def never_begins(seen: list[str]) -> None:
        task = asyncio.create_task(done.asend(sender=None, seen=seen))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def begins_nothing(seen: list[str]) -> None:
        """Cancelled when the tasks of receivers are there but have not begun."""
        task = asyncio.create_task(done.asend(sender=None, seen=seen))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def is_left(seen: list[str]) -> None:
        """The loop ends while the send is under way."""
        seen.append("left")
        asyncio.create_task(done.asend(sender=None, seen=seen))  # noqa: RUF006
        await asyncio.sleep(0)

    async def is_closed(seen: list[str]) -> None:
        """Driven by hand, and closed."""
        coroutine = done.asend(sender=None, seen=seen)
        coroutine.send(None)
        coroutine.close()
        await asyncio.sleep(0)

    ways = (is_cancelled, times_out, never_begins, begins_nothing, is_left, is_closed)
    return {way.__name__: way for way in ways}


@pytest.mark.parametrize("way", ways_to_end())
def test_cancellation_reaches_receivers_and_leaves_nothing_behind(captured: Captured, way: str) -> None:
    """CancelledError arrives where it did, finally blocks run, and asyncio complains no more and no less."""

    async def forever(seen: list[str], **named: Any) -> None:
        seen.append("began")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError as error:
            seen.append(f"cancelled {error}")
            raise
        finally:
            seen.append("finally")

    async def refuses(seen: list[str], **named: Any) -> str:
        try:
            await asyncio.sleep(0.03)
        except asyncio.CancelledError:
            seen.append("refused")
        return "through"

    done.connect(forever)
    done.connect(refuses)

    def outcome() -> list[str]:
        seen: list[str] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: seen.append(context["message"]))
            await ways_to_end()[way](seen)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            asyncio.run(main())
            gc.collect()
        # asyncio keeps tasks in sets: who of them is cancelled first differs from run to run.
        return sorted([*seen, *(str(warning.message) for warning in caught)])

    assert_same_without_capture(outcome)


def test_a_task_of_a_receiver_looks_as_it_did(captured: Captured) -> None:
    """What lists the tasks of a loop and where they wait finds the receiver, its place and its frame."""

    async def is_looked_at(**named: Any) -> tuple[str, list[str]]:
        task = asyncio.current_task()
        assert task is not None

        async def look() -> tuple[str, list[str]]:
            return repr(task).partition("coro=")[2].partition(" ")[0], [f.f_code.co_name for f in task.get_stack()]

        return await asyncio.create_task(look())

    done.connect(is_looked_at)
    assert_same_without_capture(lambda: sent("asend")[0][1])


def test_an_async_generator_of_the_old_kind_is_awaited(captured: Captured) -> None:
    """Whatever can be awaited may be what a receiver returns; tracebacks through it have no frame of ours."""

    class Failing:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            raise ValueError("no stock left")

    def returns_awaitable(**named: Any) -> Any:
        return Failing()

    done.connect(returns_awaitable, weak=False)
    done.receivers[0] = (*done.receivers[0][:-1], True)

    def frames() -> list[str]:
        ((_, error),) = sent("asend_robust")
        return traceback.format_exception(error)

    assert_same_without_capture(frames)
    assert captured.events[0].receivers[0].status == "raised"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_async", [False, True])
def test_errors_and_what_they_hold_die_with_their_last_user(captured: Captured, method: str, is_async: bool) -> None:
    """No cycle of ours keeps an error, its frames or an argument alive: without the collector they die at once."""

    class Item:
        pass

    def fails_with(item: Item, **named: Any) -> None:
        raise ValueError("no stock left")

    async def fails_with_async(item: Item, **named: Any) -> None:
        raise ValueError("no stock left")

    done.connect(fails_with_async if is_async else fails_with)

    def is_dead() -> bool:
        item = Item()
        reference = weakref.ref(item)

        gc.collect()
        gc.disable()
        try:
            with suppress(ValueError):
                sent(method, item=item)
            del item
            return reference() is None
        finally:
            gc.enable()

    assert_same_without_capture(is_dead)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_is_not_held_by_the_frames_it_came_through(captured: Captured, method: str, is_async: bool) -> None:
    """An error holds its frames; a name of ours in one of them that held the error would be a cycle."""

    def fails_here(**named: Any) -> None:
        raise ValueError("no stock left")

    done.connect(fails if is_async else fails_here)
    try:
        ((_, error),) = sent(method)
    except ValueError as raised:
        error = raised
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [value for frame in frames for name, value in frame.f_locals.items() if name.startswith("_livesignals")]
    assert ours
    assert not any(held is error for held in [*ours, *gc.get_referents(*ours)])
