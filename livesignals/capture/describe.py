"""A send that has ended, in words: the event. On the flusher's thread.

Every send of the process passes here, so what repeats (names, causes, places) is made once and kept.
"""

import binascii
import os
import socket
import time
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from livesignals.capture.counting import SAMPLED, Count
from livesignals.capture.differences import Before, differences
from livesignals.capture.receivers import short_path
from livesignals.capture.scope import PROCESS, CauseScope
from livesignals.capture.sends import Call, Send
from livesignals.events import (
    Body,
    Cause,
    Counted,
    Error,
    Event,
    Process,
    ReceiverCall,
    Record,
    Returned,
    Transaction,
    decode_stored,
    encode_body,
    flags_text,
    record_of,
)
from livesignals.events.model import Status
from livesignals.snapshot.freeze import ClassName, Cut, Instance, Items, Left, Opaque, Pairs, Partial
from livesignals.snapshot.masking import MaskFunctionFailed, Masking
from livesignals.snapshot.render import Renderer, render, valid_text, without_last_run

#: The JSON of what a send carried is never longer than this; if it were, names and types are kept only.
MAX_KWARGS_BYTES = 12_288
MAX_PLACES = 4_096
MAX_MESSAGE_CHARS = 512
MAX_NAME_CHARS = 200
MAX_RETURNED_CHARS = 200
MAX_CHANGED_CHARS = 200
#: Of the JSON of what a save changed; what comes after is left out.
MAX_CHANGES_BYTES = 3_072


_CONTAINERS: dict[type, str] = {Items: "list", Pairs: "dict", Cut: "str"}


class _Caused(NamedTuple):
    """A cause in the forms in which a record has it."""

    cause: Cause
    text: str
    encoded: msgspec.Raw


_encode = msgspec.json.Encoder().encode


class Describer:
    """Makes events of the sends of this process. One for a process; it belongs to the flusher's thread."""

    def __init__(self, masking: Masking, *, names_only: bool) -> None:
        self.masking = masking
        self.names_only = names_only
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.token = binascii.hexlify(os.urandom(6)).decode()
        self._second_us, self._second = -1_000_000, ""
        self._names: dict[str, str] = {}
        self._autocommit: dict[str, Transaction] = {}  # by alias
        #: by id of the scope; the entry keeps the scope, so the id stays its own
        self._causes: dict[int, tuple[CauseScope, tuple[Any, ...], _Caused]] = {}
        self._places: dict[tuple[int, int], tuple[CodeType, str]] = {}
        self.set_clock()

    def set_clock(self) -> None:
        """Find the wall clock's time at the zero of ``perf_counter_ns``. Again now and then: clocks are corrected."""
        self._offset_ns = time.time_ns() - time.perf_counter_ns()

    def event(self, send: Send | Count) -> Event:
        """The event of a send that has ended, or of sends that were counted."""
        return decode_stored("", 0, self.record(send).body)

    def record(self, send: Send | Count) -> Record:
        """The same, encoded, as a journal takes it."""
        try:
            return self._record(send)
        except MaskFunctionFailed:  # it is in the log
            masking, self.masking = self.masking, Masking.blind()
            try:
                return self._record(send)
            finally:
                self.masking = masking

    def _record(self, send: Send | Count) -> Record:
        if type(send) is Count:
            return record_of(self._count(send))
        state = send.signal
        kwargs, flags = self._kwargs(send)
        changes = None if send.before is None else self._changes(send.before, send.named["instance"], flags)
        if send.was_late:
            flags.add("after_response")
        if send.has_deeper:
            flags.add("deeper")
        if send.is_sampled:
            flags.add(SAMPLED)
        ts_us = (send.began + self._offset_ns) // 1_000
        uid = self._uid(send.number)
        root = uid if send.root == send.number else self._uid(send.root)
        sender = self._name(send.sender)
        duration_us = None if send.is_skipped else (send.ended - send.began) / 1_000
        status: Status = "skipped" if send.is_skipped else "raised" if send.error is not None else "returned"
        cause = self._cause(send.cause, send.thread)
        transaction = self._transaction(send)
        sorted_flags = sorted(flags) if flags else []
        body = encode_body(
            Body(
                uid,
                self._uid(send.parent) if send.parent else None,
                root,
                self._timestamp(ts_us),
                state.name,
                state.family,
                sender,
                send.method,
                duration_us,
                status,
                None if send.error is None else self._error(send.error),
                [self._receiver(call, send.began) for call in send.kept_calls],
                kwargs,
                cause.encoded,
                self._place(send.where),
                transaction,
                Process(self.host, self.pid, send.number),
                self._name(send.thread),
                sorted_flags,
                changes,
                UNSET,
            )
        )
        return Record(
            root,
            ts_us,
            state.name,
            state.family,
            sender,
            duration_us,
            len(send.kept_calls),
            status,
            cause.text,
            cause.cause.id,
            transaction.state if transaction else None,
            transaction.id if transaction else None,
            flags_text(sorted_flags),
            len(body),
            body,
        )

    def _count(self, count: Count) -> Event:
        state = count.signal
        uid = self._uid(count.number)
        return Event(
            uid=uid,
            root=uid,
            ts=self._timestamp((count.began + self._offset_ns) // 1_000),
            signal=state.name,
            family=state.family,
            sender=self._name(count.sender),
            method="",
            status=count.status,  # type: ignore[arg-type]
            cause=self._cause(PROCESS, "").cause,
            process=Process(self.host, self.pid, count.number),
            thread="",
            flags=["counted", count.why] if count.why else ["counted"],
            counted=Counted(
                sends=count.sends,
                duration_us=count.duration_ns / 1_000,
                seconds=(count.ended - count.began) / 1_000_000_000,
            ),
        )

    def _name(self, name: str) -> str:
        """A name that the project gave: it can be anything."""
        known = self._names.get(name)
        if known is None:
            if len(self._names) > MAX_PLACES:
                self._names.clear()
            known = self._names[name] = valid_text(self.masking.mask_text(name[:MAX_NAME_CHARS]))
        return known

    def _uid(self, number: int) -> str:
        return f"{self.token}-{number:x}"

    def _timestamp(self, us: int) -> str:
        rest = us - self._second_us
        if not 0 <= rest < 1_000_000:
            second, rest = divmod(us, 1_000_000)
            self._second_us = us - rest
            self._second = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._second}{rest:06d}Z"

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
        value = msgspec.to_builtins(rendered["returned"])
        if isinstance(frozen, Instance | Partial):
            return Returned(frozen.shape.label, str(value["pk"]))
        if isinstance(frozen, Opaque | ClassName | Left):
            return Returned(frozen.name, "")
        kind = _CONTAINERS.get(type(frozen), type(frozen).__name__)
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return Returned(kind, _shortened(text, MAX_RETURNED_CHARS))

    def _changes(self, before: Before, instance: Instance | Partial, flags: set[str]) -> dict[str, list[Any]] | None:
        """Old and new values, masked as in the instance itself."""
        found = differences(before, instance)
        if not found:
            return None if found is None else {}
        renderer = Renderer(self.masking, names_only=self.names_only)
        olds = renderer.fields(instance.shape, {name: old for name, (old, _) in found.items()})
        news = renderer.fields(instance.shape, {name: new for name, (_, new) in found.items()})
        rendered: dict[str, list[Any]] = {}
        room = MAX_CHANGES_BYTES
        for name in found:
            pair = [_shortened(olds[name], MAX_CHANGED_CHARS), _shortened(news[name], MAX_CHANGED_CHARS)]
            room -= len(msgspec.json.encode({name: pair}))
            if room < 0:
                renderer.flags.add("truncated")
                break
            rendered[name] = pair
        flags |= renderer.flags
        return rendered

    def _transaction(self, send: Send) -> Transaction | None:
        transaction = send.transaction
        if transaction is None:
            using = send.named.get("using")
            if type(using) is not str:
                return None
            known = self._autocommit.get(using)
            if known is None:
                if len(self._autocommit) > MAX_PLACES:
                    self._autocommit.clear()
                known = self._autocommit[using] = Transaction(db=self._name(using), state="autocommit")
            return known
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

    def _cause(self, scope: CauseScope, thread: str) -> "_Caused":
        known = self._causes.get(id(scope))
        if known is not None and known[0] is scope and known[1] == (scope.route, scope.status, thread):
            return known[2]
        if len(self._causes) > MAX_PLACES:
            self._causes.clear()
        cause = self._new_cause(scope, thread)
        caused = _Caused(cause, f"{cause.kind} {cause.name}", msgspec.Raw(msgspec.json.encode(cause)))
        self._causes[id(scope)] = scope, (scope.route, scope.status, thread), caused
        return caused

    def _new_cause(self, scope: CauseScope, thread: str) -> Cause:
        """*thread* is "" for what is not of one thread."""
        name = valid_text(self.masking.mask_value("cause", scope.name))[:512]
        if scope is PROCESS and thread not in ("", "MainThread"):
            # A thread of the project's own: nothing tells what it works for.
            thread = self._name(thread)
            return Cause(kind="thread", name=f"{thread} of {name}", id=f"{self.token}.{thread}")
        return Cause(
            kind=scope.kind,
            name=name,
            # Random as a secret, but none: masked, it would be the same for all.
            id=f"{self.token}.{scope.number}" if scope.own_id is None else valid_text(scope.own_id[:MAX_NAME_CHARS]),
            route=None if scope.route is None else valid_text(scope.route),
            status=scope.status,
            user=None if scope.user is None else self._name(scope.user),
        )

    def _kwargs(self, send: Send) -> tuple[msgspec.Raw, set[str]]:
        """What the send carried, as JSON within bounds, and flags."""
        kwargs, flags = render(send.named, self.masking, names_only=self.names_only, signal=send.signal.name)
        encoded = _encode(kwargs)
        if len(encoded) > MAX_KWARGS_BYTES:
            flags.add("truncated")
            shorter, _ = render(send.named, self.masking, names_only=True)
            encoded = msgspec.json.encode(shorter)
            if len(encoded) > MAX_KWARGS_BYTES:
                encoded = msgspec.json.encode({"…": f"{len(kwargs)} arguments"})
        return msgspec.Raw(encoded), flags

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


def _shortened(value: Any, max_chars: int) -> Any:
    """A text that has been masked without its end; anything else as it is."""
    return value[:max_chars] + "…" if isinstance(value, str) and len(value) > max_chars else value
