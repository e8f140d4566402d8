"""The record of a send while it runs. Everything here is on the project's thread.

:func:`begin`, :func:`end` and :func:`failed` are woven into Django's send methods (see
:mod:`livesignals.capture.dispatch`). They never raise, block or do I/O, and keep nothing of the project's past the end
of the send but plain values, strings and code objects. Putting it all into words is :mod:`.describe`'s work, on the
flusher's thread.
"""

import itertools
import logging
import operator
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter_ns
from types import CodeType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from livesignals.capture import counting, scope, signals, transactions
from livesignals.capture.counting import OVER, CountedSend
from livesignals.capture.receivers import known_receivers, receiver_name
from livesignals.capture.uncalled import uncalled
from livesignals.snapshot import freeze
from livesignals.snapshot.freeze import freeze_value
from livesignals.snapshot.types import dict_descriptor, shapes

if TYPE_CHECKING:
    from livesignals.capture.driven import Driven

logger = logging.getLogger("livesignals")
clock = perf_counter_ns

#: Deeper sends are only counted: a run-away recursion is readable long before this.
MAX_DEPTH = 100
#: Frames looked at to find the project's line.
MAX_FRAMES = 12
CANCELLED = "asyncio.exceptions.CancelledError"


class Call(Struct, eq=False, gc=False):
    """One receiver's run, once the send has ended. Nothing in it is the project's."""

    name: str
    place: str | None
    is_async: bool
    status: str  # returned, raised, cancelled, not_run or unfinished
    started: int = 0
    ended: int = 0
    ran: int = 0  # of an async receiver: ns in which it was not waiting; 0: all the time
    error: tuple[str, str] | None = None  # type and message
    returned: Any = None  # frozen


class Send(Struct, eq=False):
    """One dispatch, from :func:`begin` to the flusher. Times are of ``perf_counter_ns``."""

    number: int  # counts the sends of the process, in the order in which they begin
    signal: signals.SignalState
    sender: str
    method: str
    named: dict[str, Any]  # frozen
    where: tuple[CodeType, int] | None
    thread: str
    outer: Any  # Send or CauseScope to return to; None once ended
    cause: scope.CauseScope
    parent: int  # number, 0 without
    root: int
    depth: int
    transaction: transactions.Transaction | None
    began: int
    ended: int = 0
    receivers: Any = ()  # (sync, async), while it runs
    calls: list[Any] = []  # (receiver, started, ended, error, response), while it runs
    kept_calls: Sequence[Call] = ()  # once ended
    drivers: "list[Driven] | None" = None
    error: Any = None  # the exception while it runs; (type, message) once ended
    before: Any = None  # changes.Before, of pre_save and post_save
    is_skipped: bool = False
    was_late: bool = False  # its request was over already
    is_sampled: bool = False  # SAMPLE decided about it, or about the send that it was made in
    is_left_out: bool = False  # for now: should it raise, or a send in it, it is kept after all
    has_deeper: bool = False  # sends were left out because they were nested too deep inside this one
    nested: int = 0  # how many send methods of the same dispatch are inside this one (super().send)


Sink = Callable[[Send], None]


def _nowhere(send: Send) -> None:
    """The sink before one is given."""


_sink: Sink = _nowhere
_numbers = itertools.count(1)
_threads = threading.local()
_states = signals.states
_current, _set_current = scope.current.get, scope.current.set
thread_state = dict_descriptor(threading.Thread).__get__


def set_sink(sink: Sink) -> None:
    """What takes each send once it has ended. Called on the project's thread: it must not block."""
    global _sink
    _sink = sink


def get_sink() -> Sink:
    return _sink


def begin_anew() -> None:
    """In the child of a fork: what is open belongs to the parent, which records it. The cause stays."""
    global _numbers
    signals.choose_anew()
    _numbers = itertools.count(1)
    outer = scope.current.get()
    scope.current.set(outer.cause)
    while outer is not None:
        if outer.depth:
            outer.nested += 1  # should it end here too, it is not recorded
        outer = outer.outer


def next_number() -> int:
    """A number as that of a send, for an event that is none."""
    return next(_numbers)


def begin(signal: Any, sender: Any, named: dict[str, Any], method: str) -> Send | CountedSend | None:
    """The record of a dispatch that begins now, or what counts it; None when it is neither recorded nor counted."""
    try:
        state = _states.get(id(signal)) or signals.register(signal)
        if not state.is_on:
            return None
        outer = returns_to = above = _current()
        depth = outer.depth
        if depth:
            if state.overrides and outer.signal is state and _is_same_dispatch():
                send: Send | CountedSend = outer
                send.nested += 1
                return send
            if depth >= MAX_DEPTH:
                if type(outer) is Send:
                    outer.has_deeper = True
                return counting.begin(state, signals.sender_name(sender), counting.TOO_DEEP, outer, outer, signal)
            parent, root = outer.number, outer.root
        elif outer is scope.MUTED:
            return None
        else:
            parent = root = 0
            if outer is scope.PROCESS and outer.kind == "test":
                outer = scope.test_scope()
        if state.on_begin is not None:
            entered = state.on_begin(named)
            if entered is not None:
                outer = returns_to = entered
        shape = shapes.get(id(sender))  # of a class that was seen before
        name = signals.sender_name(sender) if shape is None else shape.label
        if state.keeps == 0:
            return counting.begin(state, name, "", outer, returns_to, signal)
        is_sampled = is_left_out = False
        if depth:
            while type(above) is CountedSend:
                above = above.outer
            is_sampled = type(above) is Send and above.is_sampled
        if is_sampled:  # a tree is kept whole or not at all
            is_left_out = above.is_left_out and not state.is_always_kept
        elif state.is_chosen is not None:
            is_sampled, is_left_out = True, not state.is_chosen()
        if not is_left_out and state.keeps is not None and counting.exceeds(state, name):
            return counting.begin(state, name, counting.FLOODED, outer, returns_to, signal)
        number = next(_numbers)
        try:
            thread = _threads.name
        except AttributeError:
            thread = _threads.name = _thread_name()
        begun = Send(
            number,
            state,
            name,
            method,
            freeze(named),
            _where(),
            thread,
            returns_to,
            outer.cause,
            parent,
            root or number,
            depth + 1,
            transactions.current(named),
            clock(),
        )
        if is_sampled:
            begun.is_sampled, begun.is_left_out = True, is_left_out
        if state.look_up is not None:
            begun.before = state.look_up(named, begun.named)
        if begun.cause.is_over and state.on_begin is None:
            begun.was_late = True
        if signal.receivers or state.overrides:
            _set_current(begun)
        return begun
    except Exception:
        _report("begin")
        return None


def _thread_name() -> str:
    """Without asking the thread, whose class may be the project's."""
    name = thread_state(threading.current_thread()).get("_name")
    return name if type(name) is str else "a thread without a name"


def failed(send: Send | CountedSend | None, error: BaseException) -> None:
    """The dispatch ends by an exception."""
    if send is not None and not send.nested:
        send.error = error


def end(send: Send | CountedSend) -> None:
    """The dispatch is over."""
    try:
        if send.nested:
            send.nested -= 1
            return
        if type(send) is CountedSend:  # isinstance would ask the metaclass
            counting.end(send)
            return
        send.ended = clock()
        if _current() is send:
            _set_current(send.outer)
        outer, send.outer = send.outer, None
        why = ""
        if send.is_sampled:
            why = _left_out(send, outer)
        if (send.receivers or send.calls) and not why:
            send.kept_calls = _calls(send)
        send.receivers, send.drivers, send.calls = (), None, OVER
        if send.error is not None:
            send.error = error_words(send.error)
        if send.signal.on_end is not None:
            send.signal.on_end()
        if why:
            counting.count(send, "raised" if send.error else "skipped" if send.is_skipped else "returned", why)
        else:
            _sink(send)
    except Exception:
        _report("end")


def _left_out(send: Send, outer: Any) -> str:
    """Why a sampled send that has ended is counted instead of kept; "": it is kept. One that raised is, and with it all
    sends above it, which end later, unless there are more of them than FLOOD allows."""
    if send.is_left_out:
        if not _raised(send):
            return counting.SAMPLED
        if send.signal.keeps is not None and counting.exceeds(send.signal, send.sender):
            return counting.FLOODED
    while outer is not None and outer.depth:
        if type(outer) is Send:
            if not outer.is_left_out:
                break  # nor is any above it
            outer.is_left_out = False
        outer = outer.outer
    return ""


def _raised(send: Send) -> bool:
    """Whether the send, or a receiver that it caught, ended by an error."""
    if send.error is not None:
        return True
    for call in send.calls:  # written out, since it is for each send that is left out
        if call[3] is not None:
            return True
    return send.drivers is not None and any(driver.error is not None or not driver.is_called for driver in send.drivers)


def _calls(send: Send) -> list[Call]:
    """What is kept of the receiver calls: names, times and copies of plain values."""
    calls = []
    # A sync receiver on its thread outlives an asend that was cancelled; the thread may still say what comes of it.
    called, send.calls = send.calls, OVER
    for receiver, started, ended, error, response in called:
        known = known_receivers.get(id(receiver))
        if known is None and receiver is record:
            continue
        name, place, is_async = known[0] if known is not None else receiver_name(receiver)
        call = Call(name, place, is_async, "returned", started, ended)
        if not ended:
            call.status, call.ended = "unfinished", send.ended
        elif error is not None:
            call.error = error_words(error)
            call.status = "cancelled" if call.error[0] == CANCELLED else "raised"
        elif response is not None:
            call.returned = freeze_value(response)
        calls.append(call)
    left = list(uncalled(send, called)) if send.error is not None and send.receivers else ()
    if send.drivers is not None:
        for driver in send.drivers:
            calls += driver.calls(now=send.ended)
        calls.sort(key=_started)
    calls += [Call(*receiver_name(receiver), status) for receiver, status in left if receiver is not record]
    return calls


_started = operator.attrgetter("started")


def skip(signal: Any, sender: Any, named: dict[str, Any]) -> None:
    """Record a send that Django left out. *named* is what is known of it."""
    send = begin(signal, sender, named, "send")
    if send is not None:
        send.is_skipped = True
        end(send)


def record(signal: Any, sender: Any, **named: Any) -> None:
    """A receiver that records the send it is called by. Connect it to a signal as any other::

        my_signal.connect(record)

    Where livesignals is attached in front of the dispatch, the send is recorded already, and this does nothing but
    make Django send what it would otherwise leave out.
    """
    outer = scope.current.get()
    if outer.depth and outer.signal is signals.states.get(id(signal)):
        return
    send = begin(signal, sender, named, "send")
    if send is not None:
        end(send)


_args_of: Callable[[BaseException], tuple[Any, ...]] = vars(BaseException)["args"].__get__


def error_words(error: BaseException) -> tuple[str, str]:
    """Type and message of an exception, without calling code of the project's (``__str__``)."""
    cls = type(error)
    name = signals.type_name(cls)
    args: tuple[Any, ...] = _args_of(error)
    parts = [
        arg[:512] if type(arg) is str else repr(arg)
        for arg in args[:4]
        if type(arg) in (str, int, float, bool, type(None)) and (type(arg) is not int or arg.bit_length() < 256)
    ]
    return name, ", ".join(parts)


def _is_same_dispatch() -> bool:
    """Whether the send method that asks was called by another send method: ``super().send(…)`` in a subclass."""
    return id(sys._getframe(3).f_code) in signals.woven_codes


_PROJECT_FILES: dict[str, bool] = {}


def _where() -> tuple[CodeType, int] | None:
    """The project's line that made the send, as code and instruction: the innermost frame outside libraries."""
    frame = sys._getframe(2).f_back
    for _ in range(MAX_FRAMES):
        if frame is None:
            return None
        code = frame.f_code
        try:
            is_project = _PROJECT_FILES[code.co_filename]
        except KeyError:
            is_project = _PROJECT_FILES[code.co_filename] = signals.is_project_file(code.co_filename)
        if is_project:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def _report(doing: str) -> None:
    """An error of ours: logged, never raised into the project."""
    if sys.is_finalizing():
        return
    with suppress(Exception):  # there may be no room left on the stack
        logger.exception("livesignals could not record a send (%s)", doing)  # noqa: LOG004 - called in an except block
