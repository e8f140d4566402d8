"""The event: the immutable record of one send. No Django here.

The JSON form is the public contract (one object a line in ``tail --json`` and ``export``);
field order here is key order there.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

Status = Literal["returned", "raised", "skipped"]
ReceiverStatus = Literal["returned", "raised", "cancelled", "not_run", "unfinished"]
TransactionState = Literal["autocommit", "pending", "committed", "rolled_back", "unknown"]

FORMAT_VERSION = 1


class Error(Struct, frozen=True):
    """An exception in words; ``message`` is masked and shortened."""

    type: str  # dotted, "builtins." left out
    message: str


class Returned(Struct, frozen=True):
    """What a receiver returned: its type, and the value in a masked short form."""

    type: str
    value: str


class ReceiverCall(Struct, frozen=True, kw_only=True):
    """One receiver's run in one send."""

    name: str  # dotted
    duration_us: float
    is_async: bool = field(name="async", default=False)
    status: ReceiverStatus = "returned"
    error: Error | None = None
    place: str | None = None  # "shop/receivers.py:41", where the receiver is defined
    start_us: float = 0.0  # after the beginning of the send
    ran_us: float | None = None  # of an async receiver: of the duration, what it was not waiting
    returned: Returned | None = None  # None when it returned None


class Cause(Struct, frozen=True, kw_only=True):
    """What the send ran inside."""

    kind: str  # request, command, task, test, shell, thread or process
    name: str  # "POST /orders/", "manage.py migrate"
    id: str  # the same for all sends of one request, command, …
    route: str | None = None  # of a request: "orders/<int:pk>/"; from where it is known on
    status: int | None = None  # of a request: the response's; only its last send knows
    user: str | None = None  # of a request: the primary key; only its last send knows


class Transaction(Struct, frozen=True, kw_only=True):
    """The database transaction that was open when the send was made."""

    db: str  # alias
    state: TransactionState
    id: str = ""  # "" under autocommit


class Process(Struct, frozen=True):
    """Where the send was made."""

    host: str
    pid: int
    seq: int  # numbers the sends of the process, from 1, in the order in which they began; a count when it is made


class Counted(Struct, frozen=True, kw_only=True):
    """How many sends an event stands for that were counted instead of kept."""

    sends: int
    duration_us: float  # of all of them together
    seconds: float  # from ``ts`` on; those that ended in this time are counted


class Event(Struct, frozen=True, kw_only=True):
    """The record of one send. ``epoch`` and ``id`` are given by the journal; before that "" and 0.

    Or a count, with ``counted`` and the flag "counted": all sends of one signal and sender that ended in one way
    (``status``) within about a second. What only a single send has is then left out: ``duration_us`` and ``where``
    are None, ``method`` and ``thread`` "", ``receivers`` and ``kwargs`` empty; its ``cause`` is the process.
    """

    v: int = FORMAT_VERSION
    epoch: str = ""
    id: int = 0
    uid: str
    parent: str | None = None  # uid of the send whose receiver made this send
    root: str  # uid of the topmost send of the tree; its own uid when there is no parent
    ts: str  # when the send began, RFC 3339 in UTC, always six digits of microseconds and "Z"
    signal: str  # dotted
    family: str  # a key of catalogue.FAMILIES
    sender: str  # "shop.Order" for a model, else dotted
    method: str = "send"  # send, asend, send_robust or asend_robust; "" for a count
    duration_us: float | None = None  # None when skipped, and for a count
    status: Status = "returned"
    error: Error | None = None
    receivers: list[ReceiverCall] = []
    kwargs: dict[str, Any] = {}  # snapshot: JSON-safe, masked
    cause: Cause | None = None
    where: str | None = None  # "shop/views.py:41 place_order", the project's own line
    transaction: Transaction | None = None
    process: Process
    thread: str = "MainThread"  # "" for a count
    flags: list[str] = []  # truncated, masked, counted, sampled, flooded, after_response, …
    #: Of pre_save and post_save: [old, new] of fields that differ from what was loaded or last saved, by attname; {}
    #: when none does, None when that is not known.
    changes: dict[str, list[Any]] | None = None
    counted: Counted | UnsetType = UNSET  # a key that only counts have
