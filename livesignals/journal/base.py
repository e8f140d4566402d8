"""What every journal promises, and the words it answers in.

All methods are synchronous and may do I/O: call them from a worker or flusher thread, never on an event
loop and never on the project's own threads. One journal object serves one process; any of its threads may
call any method at any time, except that `changed` belongs to a single thread, the tailer's.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from livesignals.conf import LEAST_RETAIN_BYTES
from livesignals.events import Event, Record

if TYPE_CHECKING:
    # Who only writes needs no filters, and a command that is soon over should not wait for them.
    from livesignals.filters import Filter

TREE_LIMIT = 500
TAIL_LIMIT = 1_000
KEPT_OUTCOMES = 10_000
#: When a limit of the ring is passed, the oldest go until it is filled to this part, so that not every batch has to.
HYSTERESIS = 0.98
#: Fields whose values `Journal.facets` counts.
FACETS = ("signal", "sender", "receiver", "cause")
#: So long `Journal.facets` may look for; it ends with the piece that it is at, and tells how far it came.
FACET_SECONDS = 2.0
Outcomes = list[tuple[int, str, str]]  # number, transaction id, state


class ProcessReport(Struct, frozen=True, kw_only=True):
    """Cumulative figures of one process: ``captured == stored + sum(dropped.values()) + buffered``.

    A count, which stands for many sends, is one event in them as any other. The journal fills in ``stored`` and
    ``counted`` itself, and whether the process is gone. It also adds reasons of its own to ``dropped``, see
    `livesignals.journal.accounts`.
    """

    process: str  # a token of its own for each process, also after a fork
    host: str
    pid: int
    role: str  # what the process runs: "runserver", "migrate", "gunicorn"
    started_ts: int  # µs since 1970, UTC
    seen_ts: int  # µs since 1970, UTC: when the report was made
    captured: int
    stored: int = 0
    dropped: dict[str, int] = {}  # reason: count
    buffered: int = 0
    counted: int = 0  # sends that were counted instead of kept: what the counts among the stored events stand for
    pid_ticks: int = 0  # clock ticks from the system's boot to the start of the pid; 0 where that is not known
    pid_namespace: int = 0  # in which the pid is one: those of containers differ; 0 where there is none
    is_gone: bool = False  # as `Journal.take_for_gone` says, until it reports again
    was_gone: bool = False  # it was taken for gone, and reported again


class Outcome(Struct, frozen=True):
    """How a transaction ended."""

    tx_id: str  # the token of its process, "-", and what tells it apart there
    state: Literal["committed", "rolled_back", "unknown"]


class Appended(Struct, frozen=True):
    """The ids a batch was given: all from ``first`` to ``last``; none when ``first`` is ``last + 1``."""

    epoch: str
    first: int
    last: int


class Bounds(Struct, frozen=True):
    """The retained ids: all from ``first`` to ``last``; none when ``first`` is ``last + 1``."""

    epoch: str
    first: int
    last: int  # the last id ever given in this journal


class Tail(Struct, frozen=True):
    """Stored events as lines of JSON, one for each id from ``after + 1`` to ``last``.

    ``after`` is higher than what was asked for when the ids between have been evicted.
    """

    epoch: str
    after: int
    last: int
    lines: list[bytes]


class Found(Struct, frozen=True):
    """Matching events in the order of the search, and how far it looked.

    Go on with ``scanned_to`` as the next ``before`` (or ``after``, forwards): nothing is skipped or repeated.
    """

    events: list[Event]
    scanned_to: int
    exhausted: bool  # nothing retained is left in this direction


class Histogram(Struct, frozen=True):
    """Matching events by when they began, in equal slices of ``start_us`` to ``end_us``, both included."""

    start_us: int
    end_us: int
    counts: list[int]
    errors: list[int]  # of them, those that raised, or whose receiver did

    def slice(self, ts_us: int) -> int:
        """The slice of a time that is not outside."""
        slices = len(self.counts)
        return min((ts_us - self.start_us) * slices // max(self.end_us - self.start_us, 1), slices - 1)


class Facets(Struct, frozen=True):
    """The most frequent values in matching events, and in how many of them they are, most frequent first."""

    counts: dict[str, list[tuple[str, int]]]  # by field
    scanned: int  # how many of the newest events were looked at
    exhausted: bool  # those were all that are retained


class Indexed(Struct, frozen=True):
    """How far the search index is."""

    events: int  # of the retained ones
    bytes: int  # on disk


class Pin(Struct, frozen=True):
    """A range of ids, both included, that is kept when it is evicted."""

    name: str
    first: int
    last: int


class Counts(Struct, frozen=True):
    """Exact figures: ``captured == stored + dropped + buffered`` and ``stored == retained + evicted``."""

    epoch: str
    retained: int
    by_family: dict[str, int]  # of the retained events
    captured: int
    stored: int
    dropped: dict[str, int]
    buffered: int
    counted: int  # sends that were counted instead of kept, see ProcessReport
    evicted: int  # pruned or cleared
    bytes: int  # of the retained events, see RETAIN_BYTES


class Announcements(Struct, frozen=True):
    """Where a journal announces each batch as it is stored, in the words of channels_redis's pub/sub layer.

    A message of the group is ``{"type": "livesignals.batch", "epoch", "after", "last", "bodies"}``: the batch as one
    string, a body a line. ``bodies`` is left out when it would be long.
    """

    hosts: list[dict[str, Any]]
    prefix: str
    group: str


class Retention(Struct, frozen=True):
    """How much history is kept, whichever ends first."""

    events: int
    bytes: int
    set_events: int | None = None  # by `Journal.retain`, for all processes; None: by each one's settings
    set_bytes: int | None = None


class Problem(Struct, frozen=True):
    """Something that ``doctor`` tells."""

    level: Literal["error", "warning"]
    message: str
    hint: str


class Journal(ABC):
    """The retained history, ordered by id.

    Ids are given in the order of commits, over all processes, without holes; no id is used twice. They
    belong to an epoch: a journal that was cleared, replaced or set aside goes on under another one.

    Retained are the newest, see `bounds`. Pinned events are kept beyond that, in addition: whatever reads or searches
    by id finds them too; between them and what is retained, ids are missing.

    Every method may raise `JournalUnavailable` (try again later) and `JournalForeign` (never will work).
    """

    def __init__(self, *, project: str, retain_events: int, retain_bytes: int) -> None:
        self.project = project
        self._retain_events = retain_events
        self._retain_bytes = retain_bytes

    def _retention(self, events: int | None, bytes: int | None) -> Retention:
        """With what `retain` set, the settings where that is nothing."""
        return Retention(events or self._retain_events, bytes or self._retain_bytes, events, bytes)

    @abstractmethod
    def retention(self) -> Retention:
        """How much is kept now."""

    @abstractmethod
    def retain(self, events: int | None, bytes: int | None) -> None:
        """Keep so much from now on, instead of what the settings of each process say; None: what they say.

        Kept in the journal, also by `clear`: each process that appends keeps to it from its next batch on, and evicts a
        bounded number each time; `prune` does it at once. Raises ValueError for less than an event, or 65,536 bytes.
        """

    @abstractmethod
    def append(self, records: Sequence[Record], report: ProcessReport) -> Appended:
        """Store a batch and the report of its process, as one: both are there afterwards, or neither.

        Evicts the oldest events where the ring is full, a bounded number each time. An empty batch
        stores the report alone.
        """

    @abstractmethod
    def resolve(self, outcomes: Sequence[Outcome]) -> int:
        """Write into pending events how their transactions ended. Says how many events that concerned.

        Also into those that say "unknown" since their process was taken for gone.
        """

    @abstractmethod
    def outcomes_after(self, number: int) -> Outcomes:
        """Outcomes that were written into events, numbered without holes from 1, after *number*.

        The newest 10,000 are kept; a first number above ``number + 1`` tells that some are gone.
        """

    @abstractmethod
    def bounds(self) -> Bounds:
        """Which ids are retained."""

    @abstractmethod
    def read(self, after: int, limit: int, until: int | None = None) -> list[Event]:
        """At most *limit* events with ``after < id <= until``, ascending."""

    @abstractmethod
    def tail(self, after: int, limit: int) -> Tail:
        """At most *limit* events after an id, never over 1,000, as the lines of JSON that are sent on."""

    @abstractmethod
    def search(self, filter: "Filter", before: int | None, limit: int, max_scan: int | None = None) -> Found:
        """At most *limit* matching events with ``id < before`` (None: from the newest), newest first.

        Looks at no more than *max_scan* events.
        """

    @abstractmethod
    def search_forward(self, filter: "Filter", after: int, limit: int, max_scan: int | None = None) -> Found:
        """At most *limit* matching events with ``id > after``, oldest first. See `search`."""

    @abstractmethod
    def histogram(self, filter: "Filter", start_us: int, end_us: int, buckets: int) -> Histogram:
        """Matching retained events by time. The ends are µs since 1970, UTC."""

    @abstractmethod
    def facets(self, filter: "Filter", fields: Sequence[str], limit: int) -> Facets:
        """At most *limit* values of each of *fields*, which are among `FACETS`, in matching retained events.

        After two seconds only those of the newest events: ``scanned`` says of how many.
        """

    @abstractmethod
    def id_at(self, ts_us: int) -> int:
        """The first retained id whose event began at or after a time; the next id to be given when none did.

        Ids are in the order in which sends were stored, which is their order in time, but for some that took longer.
        """

    def index(self, most: int) -> bool:
        """Make searches fast: look at up to *most* more events. Says whether more are left.

        For a process that goes on reading, in the background. Searches need not wait for it.
        """
        return False

    def indexed(self) -> Indexed | None:
        """What `index` has come to; None for a journal that needs no index."""
        return None

    @abstractmethod
    def get(self, event_id: int) -> Event | None:
        """One event, or None when it is not retained."""

    @abstractmethod
    def tree(self, root: str, limit: int = TREE_LIMIT) -> list[Event]:
        """The retained events under the send with uid *root*, itself included, ascending."""

    @abstractmethod
    def cause(self, cause_id: str, limit: int = TREE_LIMIT) -> list[Event]:
        """The retained events of one request, command or task, ascending."""

    @abstractmethod
    def pin(self, name: str, first: int, last: int) -> None:
        """Keep the retained events *first* to *last* when they are evicted, until `unpin` or `clear`.

        Raises `PinError`: 20 ranges can be pinned, and half of what RETAIN_EVENTS and RETAIN_BYTES say.
        """

    @abstractmethod
    def unpin(self, name: str) -> bool:
        """Let a range go. Says whether there was one of that name."""

    @abstractmethod
    def pins(self) -> list[Pin]:
        """The ranges that are pinned, by id."""

    @abstractmethod
    def counts(self) -> Counts:
        """Figures of the whole journal, as of one moment."""

    @abstractmethod
    def processes(self) -> list[ProcessReport]:
        """The last report of each process that wrote lately, the latest first."""

    @abstractmethod
    def take_for_gone(self, reports: Sequence[ProcessReport]) -> int:
        """Account for processes that ended without a word: what they had buffered is dropped, and how their open
        transactions ended is unknown. Says of how many.

        Only those whose last report is still the one of *reports*. Should one be alive after all, its next report and
        `resolve` put everything right. See `livesignals.journal.liveness`.
        """

    @abstractmethod
    def changed(self) -> bool:
        """Whether anything was written, by any process, since the last call. True at first. Cheap."""

    def announcements(self) -> Announcements | None:
        """Where it announces what is stored; None when it has to be asked, see `changed`."""
        return None

    @abstractmethod
    def prune(self, keep_events: int | None = None, keep_bytes: int | None = None) -> int:
        """Evict the oldest events down to these limits (None: `retention`). Says how many went."""

    @abstractmethod
    def clear(self) -> None:
        """Evict all events and begin a new epoch."""

    @abstractmethod
    def notice(self) -> str:
        """What readers should be told about how this journal began; "" when nothing."""

    @abstractmethod
    def check(self) -> list[Problem]:
        """What is wrong, in words. Raises nothing."""

    def described(self) -> str:
        """What it is stored in, in words, when that is more than a file. "" otherwise."""
        return ""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything. The next call of another method opens it again."""

    @abstractmethod
    def abandon(self) -> None:
        """In the child of a fork: forget what the parent had open. The next call opens it anew."""


def check_retention(events: int | None, bytes: int | None) -> None:
    """Raises ValueError for less than can be retained."""
    if events is not None and events < 1:
        raise ValueError(f"at least 1 event is retained, not {events}")
    if bytes is not None and bytes < LEAST_RETAIN_BYTES:
        raise ValueError(f"at least {LEAST_RETAIN_BYTES:,} bytes are retained, not {bytes:,}")


def process_of(tx_id: str) -> str:
    """The token of the process whose transaction it is."""
    return tx_id.rpartition("-")[0]


def facet_values(event: Event, field: str) -> set[str]:
    """What an event is counted under for one of `FACETS`."""
    if field == "receiver":
        return {call.name for call in event.receivers}
    if field == "cause":
        return {f"{event.cause.kind} {event.cause.name}"} if event.cause is not None else set()
    return {event.signal if field == "signal" else event.sender}


def has_raised(event: Event) -> bool:
    """Whether the send raised, or one of its receivers did."""
    return event.status == "raised" or any(call.status == "raised" for call in event.receivers)
