"""Programs of nested, raising, async sends, and a witness that writes down what happens when one is run.

The witness knows what it knows from the receivers themselves and from the lines that send. It asks capture nothing.
"""

import asyncio
import contextvars
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.dispatch import Signal

#: A program makes no more sends than this, and nests them no deeper.
MAX_SENDS, MAX_DEPTH = 40, 4

first, second, third = Signal(), Signal(), Signal(use_caching=True)
SIGNALS = {"first": first, "second": second, "third": third}

Statement = Any
Body = Sequence[Statement]


class Send(NamedTuple):
    """Send a signal. An async method in a sync function goes through async_to_sync."""

    signal: str
    method: str


class Raise(NamedTuple):
    message: str


class Pause(NamedTuple):
    """Let others run."""


class Suppress(NamedTuple):
    """Go on after an error."""

    body: Body


class Gather(NamedTuple):
    """Run at once: asyncio.gather; in a sync function a thread pool whose threads get a copy of the context."""

    bodies: Sequence[Body]


class Group(NamedTuple):
    """Run at once: a TaskGroup; in a sync function a thread pool, whose threads know nothing of where they are."""

    bodies: Sequence[Body]


class Spawn(NamedTuple):
    """Leave a task, or a thread with a copy of the context, running."""

    body: Body


class Hop(NamedTuple):
    """In an async function, go to a thread by sync_to_async; in a sync one, to a loop by async_to_sync."""

    body: Body


class Cancel(NamedTuple):
    """Begin a task, and cancel it after some turns of the loop. Nothing in a sync function."""

    body: Body
    turns: int


class Receiver(NamedTuple):
    signal: str
    is_async: bool
    form: str  # function, method, partial or object (sync only)
    weak: bool
    body: Body


class Program(NamedTuple):
    receivers: Sequence[Receiver]
    body: Body
    is_async: bool


class Place(NamedTuple):
    """Where a statement runs: in which send's receiver, and how deep."""

    number: int | None
    depth: int


@dataclass
class SeenCall:
    receiver: str
    began: int
    ended: int = 0
    outcome: str = "running"  # returned, raised or cancelled
    error: str = ""


@dataclass
class SeenSend:
    number: int
    signal: str
    method: str
    parent: int | None
    depth: int
    thread: str
    over: int = 0
    error: type[BaseException] | None = None
    calls: list[SeenCall] = field(default_factory=list)


class Witness:
    """Runs a program once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sends: dict[int, SeenSend] = {}
        self.names: dict[str, list[str]] = {name: [] for name in SIGNALS}
        #: How many things run at once on a loop. Two threads that both wait for the loop, on which things wait for
        #: those threads, are a dead-lock of asgiref's; so then no thread goes back to the loop.
        self._at_once = 0
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._threads: list[threading.Thread] = []
        self._receivers = [self._connect(receiver, f"receiver_{i}") for i, receiver in enumerate(program.receivers)]

    def run(self) -> None:
        """Ends when everything that the program began has ended."""
        place = Place(None, 0)
        try:
            with suppress(Exception):
                if self.program.is_async:
                    asyncio.run(self._main(place))
                else:
                    self._sync(self.program.body, place)
            while self._threads:
                self._threads.pop().join()
            while any(call.outcome == "running" for send in self.sends.values() for call in send.calls):
                time.sleep(0.001)
        finally:
            for signal in SIGNALS.values():
                signal.receivers.clear()
                signal.sender_receivers_cache.clear()

    async def _main(self, place: Place) -> None:
        try:
            await self._async(self.program.body, place)
        finally:
            while self._tasks:
                await asyncio.gather(self._tasks.pop(), return_exceptions=True)
            # The thread of cancelled sends is still at work; what waits for it comes first.
            await asyncio.get_running_loop().run_in_executor(SyncToAsync.single_thread_executor, int)

    # Receivers

    def _connect(self, receiver: Receiver, name: str) -> Any:
        function = (self._async_receiver if receiver.is_async else self._sync_receiver)(receiver, name)
        function.__qualname__ = function.__name__ = name
        connected: Any = function
        if receiver.form == "method":
            connected = type("Owner", (), {name: function})()
        elif receiver.form == "object":
            connected = type(name, (), {"__call__": function, "__module__": __name__})()
        self.names[receiver.signal].append(name)
        if receiver.form == "method":
            SIGNALS[receiver.signal].connect(getattr(connected, name), weak=receiver.weak)
            return connected
        if receiver.form == "partial":
            connected = functools.partial(function)
        SIGNALS[receiver.signal].connect(connected, weak=receiver.weak)
        return connected

    def _sync_receiver(self, receiver: Receiver, name: str) -> Callable[..., Any]:
        def sync_receiver(*self_: Any, number: int, depth: int, **named: Any) -> str:
            call = self._begins(number, name)
            try:
                self._sync(receiver.body, Place(number, depth))
            except BaseException as error:
                self._ends(call, error)
                raise
            self._ends(call, None)
            return f"{name} in {number}"

        return sync_receiver

    def _async_receiver(self, receiver: Receiver, name: str) -> Callable[..., Any]:
        async def async_receiver(*self_: Any, number: int, depth: int, **named: Any) -> str:
            call = self._begins(number, name)
            try:
                await self._async(receiver.body, Place(number, depth))
            except BaseException as error:
                self._ends(call, error)
                raise
            self._ends(call, None)
            return f"{name} in {number}"

        return async_receiver

    def _begins(self, number: int, name: str) -> SeenCall:
        call = SeenCall(name, time.perf_counter_ns())
        self.sends[number].calls.append(call)
        return call

    def _ends(self, call: SeenCall, error: BaseException | None) -> None:
        call.ended = time.perf_counter_ns()
        call.error = "" if error is None else type(error).__name__
        is_cancelled = isinstance(error, asyncio.CancelledError)
        call.outcome = "returned" if error is None else "cancelled" if is_cancelled else "raised"

    # Sends

    def _begin_send(self, signal: str, method: str, place: Place) -> SeenSend | None:
        number = next(self._numbers)
        if number > MAX_SENDS or place.depth >= MAX_DEPTH:
            return None
        thread = threading.current_thread().name
        send = SeenSend(number, signal, method, place.number, place.depth + 1, thread)
        self.sends[number] = send
        return send

    def _send(self, statement: Send, place: Place) -> None:
        signal, method = SIGNALS[statement.signal], statement.method
        if self._at_once and not _runs_loop() and signal._live_receivers(Signal)[1]:
            return None
        if method.startswith("a"):
            if not self._at_once and not _runs_loop():
                return async_to_sync(self._hop)([statement], place)
            method = method.removeprefix("a")
        send = self._begin_send(statement.signal, method, place)
        if send is None:
            return None
        try:
            getattr(signal, method)(sender=Signal, number=send.number, depth=send.depth)
        except BaseException as error:
            send.error = type(error)
            raise
        finally:
            send.over = time.perf_counter_ns()

    async def _asend(self, statement: Send, place: Place) -> None:
        send = self._begin_send(statement.signal, statement.method, place)
        if send is None:
            return
        signal = SIGNALS[statement.signal]
        sync_receivers, async_receivers = signal._live_receivers(Signal)
        is_many = async_receivers and len(sync_receivers) + len(async_receivers) > 1
        try:
            with self._many_at_once() if is_many else nullcontext():
                await getattr(signal, statement.method)(sender=Signal, number=send.number, depth=send.depth)
        except BaseException as error:
            send.error = type(error)
            raise
        finally:
            send.over = time.perf_counter_ns()

    # Statements

    def _sync(self, body: Body, place: Place) -> None:
        for statement in body:
            match statement:
                case Send():
                    self._send(statement, place)
                case Raise(message):
                    raise ValueError(message)
                case Pause():
                    time.sleep(0)
                case Suppress(inner):
                    with suppress(Exception):
                        self._sync(inner, place)
                case Gather(bodies):
                    self._pool([(contextvars.copy_context().run, self._sync, inner, place) for inner in bodies])
                case Group(bodies):
                    unknown = Place(None, 0)
                    self._pool([(self._sync, inner, unknown) for inner in bodies])
                case Spawn(inner):
                    run = contextvars.copy_context().run
                    thread = threading.Thread(target=run, args=(self._quietly, inner, place))
                    thread.start()
                    self._threads.append(thread)
                case Hop(inner) if not self._at_once and not _runs_loop():
                    async_to_sync(self._hop)(inner, place)

    async def _async(self, body: Body, place: Place) -> None:
        for statement in body:
            match statement:
                case Send(method="asend" | "asend_robust"):
                    await self._asend(statement, place)
                case Send():
                    self._send(statement, place)
                case Raise(message):
                    raise ValueError(message)
                case Pause():
                    await asyncio.sleep(0)
                case Suppress(inner):
                    with suppress(Exception):
                        await self._async(inner, place)
                case Gather(bodies):
                    with self._many_at_once():
                        await asyncio.gather(*(self._async(inner, place) for inner in bodies))
                case Group(bodies):
                    with self._many_at_once():
                        async with asyncio.TaskGroup() as group:
                            for inner in bodies:
                                group.create_task(self._async(inner, place))
                case Spawn(inner):
                    self._at_once += 1
                    self._tasks.append(asyncio.create_task(self._async(inner, place)))
                case Hop(inner):
                    await sync_to_async(self._sync)(inner, place)
                case Cancel(inner, turns):
                    self._at_once += 1
                    task = asyncio.create_task(self._async(inner, place))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

    async def _hop(self, body: Body, place: Place) -> None:
        """The loop must not be gone while receivers of a send that is over still run on a thread: they may need it."""
        try:
            await self._async(body, place)
        finally:
            with suppress(RuntimeError):  # asgiref sees a dead-lock coming
                await sync_to_async(int)()

    @contextmanager
    def _many_at_once(self) -> Iterator[None]:
        self._at_once += 1
        yield
        # An error leaves some of them running.
        self._at_once -= 1

    def _quietly(self, body: Body, place: Place) -> None:
        with suppress(Exception):
            self._sync(body, place)

    def _pool(self, jobs: list[tuple[Any, ...]]) -> None:
        with ThreadPoolExecutor(max_workers=2) as pool:
            for future in [pool.submit(*job) for job in jobs]:
                future.result()


def _runs_loop() -> bool:
    """Whether an event loop runs on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
