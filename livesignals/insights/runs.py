"""Runs: sends alike that follow each other, which a list shows as one line."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from msgspec import UNSET

from livesignals.events import Event


def alike(one: Event, other: Event) -> bool:
    """Whether both are of one signal and sender, under one cause, and in the same state."""
    return one.signal == other.signal and one.sender == other.sender and _state(one) == _state(other)


def runs(events: Iterable[Event]) -> Iterator[list[Event]]:
    """*events* in their order, those alike that follow each other together. Looks no further than it is asked."""
    run: list[Event] = []
    signal = sender = state = None
    for event in events:
        # As alike() says, but what the run has is found once: a frame can hold thousands of one run.
        if event.signal == signal and event.sender == sender and _state(event) == state:
            run.append(event)
            continue
        if run:
            yield run
        run, signal, sender, state = [event], event.signal, event.sender, _state(event)
    if run:
        yield run


def run_name(event: Event) -> str:
    """What all events alike have in common, in 12 characters that are the same in every process.

    Those of a transaction that was rolled back have "-rb" behind them, since that becomes known later.
    """
    status, cause_id, has_error, counted_as, is_rolled_back = _state(event)
    alike_in = (event.signal, event.sender, status, cause_id, str(has_error), counted_as)
    name = blake2b("\0".join(alike_in).encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{name}-rb" if is_rolled_back else name


State = tuple[str, str, bool, str, bool]


def _state(event: Event) -> State:
    """Status, id of the cause, whether anything raised, as what sends were counted, whether it was rolled back."""
    cause, transaction, has_error = event.cause, event.transaction, event.error is not None
    for call in event.receivers:
        if call.error is not None:
            has_error = True
    return (
        event.status,
        "" if cause is None else cause.id,
        has_error,
        "" if event.counted is UNSET else " ".join(event.flags),
        transaction is not None and transaction.state == "rolled_back",
    )
