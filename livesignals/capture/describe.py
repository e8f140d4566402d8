"""A send that has ended, in words: the event. On the flusher's thread."""

import binascii
import os
import socket
import time
from itertools import islice
from types import CodeType
from typing import Any

import msgspec

from livesignals.capture.receivers import short_path
from livesignals.capture.scope import PROCESS, CauseScope
from livesignals.capture.sends import Call, Send
from livesignals.events import Cause, Error, Event, Process, ReceiverCall, Returned, Transaction
from livesignals.snapshot import MaskFunctionFailed, Masking, render, valid_text, without_last_run
from livesignals.snapshot.freeze import ClassName, Cut, Instance, Items, Left, Opaque, Pairs, Partial

#: The JSON of what a send carried is never longer than this; if it were, names and types are kept only.
MAX_KWARGS_BYTES = 12_288
MAX_PLACES = 4_096
MAX_MESSAGE_CHARS = 512
MAX_NAME_CHARS = 200
MAX_RETURNED_CHARS = 200


class Describer:
    """Makes events of the sends of this process. One for a process; it belongs to the flusher's thread."""

    def __init__(self, masking: Masking, *, names_only: bool) -> None:
        self.masking = masking
        self.names_only = names_only
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.token = binascii.hexlify(os.urandom(6)).decode()
        self._second = (-1, "")
        #: by id of the scope; the entry keeps the scope, so the id stays its own
        self._causes: dict[int, tuple[CauseScope, tuple[Any, ...], Cause]] = {}
        self._places: dict[tuple[int, int], tuple[CodeType, str]] = {}
        self.set_clock()

    def set_clock(self) -> None:
        """Find the wall clock's time at the zero of ``perf_counter_ns``. Again now and then: clocks are corrected."""
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def event(self, send: Send) -> Event:
        """The event of a send that has ended."""
        try:
            return self._event(send)
        except MaskFunctionFailed:  # it is in the log
            masking, self.masking = self.masking, Masking.blind()
            try:
                return self._event(send)
            finally:
                self.masking = masking

    def _event(self, send: Send) -> Event:
        state = send.signal
        kwargs, flags = render(send.named, self.masking, names_only=self.names_only, signal=state.name)
        kwargs = self._within_bounds(kwargs, flags, send)
        if send.was_late:
            flags.add("after_response")
        if send.has_deeper:
            flags.add("deeper")
        return Event(
            uid=self._uid(send.number),
            parent=self._uid(send.parent) if send.parent else None,
            root=self._uid(send.root),
            ts=self._timestamp(send.began + self._offset_ns),
            signal=state.name,
            family=state.family,
            sender=self._name(send.sender),
            method=send.method,
            duration_us=None if send.is_skipped else (send.ended - send.began) / 1_000,
            status="skipped" if send.is_skipped else "raised" if send.error is not None else "returned",
            error=self._error(send.error),
            receivers=[self._receiver(call, send.began) for call in send.kept_calls],
            kwargs=kwargs,
            cause=self._cause(send),
            where=self._place(send.where),
            transaction=self._transaction(send),
            process=Process(host=self.host, pid=self.pid, seq=send.number),
            thread=self._name(send.thread),
            flags=sorted(flags),
        )

    def _name(self, name: str) -> str:
        """A name that the project gave: it can be anything."""
        return valid_text(self.masking.mask_text(name[:MAX_NAME_CHARS]))

    def _uid(self, number: int) -> str:
        return f"{self.token}-{number:x}"

    def _timestamp(self, ns: int) -> str:
        second, rest = divmod(ns, 1_000_000_000)
        if self._second[0] != second:
            self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{self._second[1]}.{rest // 1_000:06d}Z"

    def _receiver(self, call: Call, began: int) -> ReceiverCall:
        return ReceiverCall(
            name=valid_text(call.name),
            duration_us=(call.ended - call.started) / 1_000,
            is_async=call.is_async,
            status=call.status,  # type: ignore[arg-type]
            error=self._error(call.error),
            place=call.place,
            start_us=(call.started - began) / 1_000 if call.started else 0.0,
            ran_us=call.ran / 1_000 if call.ran else None,
            returned=self._returned(call.returned),
        )

    def _returned(self, frozen: Any) -> Returned | None:
        if frozen is None:
            return None
        rendered, _ = render({"returned": frozen}, self.masking, names_only=self.names_only)
        value = rendered["returned"]
        if isinstance(frozen, Instance | Partial):
            return Returned(frozen.shape.label, str(value["pk"]))
        if isinstance(frozen, Opaque | ClassName | Left):
            return Returned(frozen.name, "")
        kind = {Items: "list", Pairs: "dict", Cut: "str"}.get(type(frozen), type(frozen).__name__)
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return Returned(kind, text if len(text) <= MAX_RETURNED_CHARS else text[:MAX_RETURNED_CHARS] + "…")

    def _transaction(self, send: Send) -> Transaction | None:
        transaction = send.transaction
        if transaction is None:
            using = send.named.get("using")
            return Transaction(db=self._name(using), state="autocommit") if type(using) is str else None
        transaction.was_told = True  # before the state is read: see transactions._resolve
        return Transaction(
            db=transaction.db,
            state=transaction.state,  # type: ignore[arg-type]
            id=self.transaction_id(transaction.number),
        )

    def transaction_id(self, number: int) -> str:
        """The id by which events and outcomes name a transaction of this process."""
        return f"{self.token}-t{number:x}"

    def _error(self, words: tuple[str, str] | None) -> Error | None:
        if words is None:
            return None
        kind, message = words
        if self.names_only:
            return Error(kind, "")
        if len(message) >= MAX_MESSAGE_CHARS:  # capture keeps no more of each part
            message = without_last_run(message[:MAX_MESSAGE_CHARS]) + "…"
        return Error(kind, valid_text(self.masking.mask_value("error", message)))

    def _cause(self, send: Send) -> Cause:
        scope = send.cause
        known = self._causes.get(id(scope))
        if known is not None and known[0] is scope and known[1] == (scope.route, scope.status, send.thread):
            return known[2]
        if len(self._causes) > MAX_PLACES:
            self._causes.clear()
        cause = self._new_cause(send)
        self._causes[id(scope)] = scope, (scope.route, scope.status, send.thread), cause
        return cause

    def _new_cause(self, send: Send) -> Cause:
        scope = send.cause
        name = valid_text(self.masking.mask_value("cause", scope.name))[:512]
        if scope is PROCESS and send.thread != "MainThread":
            # A thread of the project's own: nothing tells what it works for.
            thread = self._name(send.thread)
            return Cause(kind="thread", name=f"{thread} of {name}", id=f"{self.token}.{thread}")
        return Cause(
            kind=scope.kind,
            name=name,
            id=f"{self.token}.{scope.number}",
            route=None if scope.route is None else valid_text(scope.route),
            status=scope.status,
            user=None if scope.user is None else self._name(scope.user),
        )

    def _within_bounds(self, kwargs: dict[str, Any], flags: set[str], send: Send) -> dict[str, Any]:
        if len(msgspec.json.encode(kwargs)) <= MAX_KWARGS_BYTES:
            return kwargs
        flags.add("truncated")
        shorter, _ = render(send.named, self.masking, names_only=True)
        return shorter if len(msgspec.json.encode(shorter)) <= MAX_KWARGS_BYTES else {"…": f"{len(kwargs)} arguments"}

    def _place(self, where: tuple[CodeType, int] | None) -> str | None:
        """The line behind an instruction, as "shop/views.py:41 place_order"."""
        if where is None:
            return None
        code, instruction = where
        # By id: hashing a code object hashes all it holds. The entry keeps the code, so the id stays its own.
        known = self._places.get((id(code), instruction))
        if known is None:
            if len(self._places) > MAX_PLACES:
                self._places.clear()
            line = next(islice(code.co_positions(), instruction // 2, None))[0] or code.co_firstlineno
            known = code, f"{short_path(code.co_filename)}:{line} {code.co_qualname}"
            self._places[id(code), instruction] = known
        return known[1]
