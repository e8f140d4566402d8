"""Sends as trees: what a send made, and what else its cause made."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from livesignals.events import Event

#: Lines around the tree that is open, on either side.
AROUND = 8


def nested(events: Iterable[Event]) -> list[tuple[int, Event]]:
    """(depth from 0, event) from the topmost down, siblings in the order in which they began."""
    children: dict[str | None, list[Event]] = {}
    ordered = sorted(events, key=lambda event: (event.ts, event.process.seq))
    known = {event.uid for event in ordered}
    for found in ordered:
        parent = found.parent if found.parent in known else None
        children.setdefault(parent, []).append(found)
    tree: list[tuple[int, Event]] = []
    waiting = [(0, found) for found in reversed(children.pop(None, []))]
    while waiting or children:
        if not waiting:  # who made each other, as only an imported file can say
            waiting = [(0, found) for found in reversed(children.pop(next(iter(children))))]
        depth, found = waiting.pop()
        tree.append((depth, found))
        # Taken out: a file may name a uid twice, and what was made by it is shown once.
        waiting += [(depth + 1, child) for child in reversed(children.pop(found.uid, []))]
    return tree


def below(event: Event, events: Iterable[Event]) -> list[tuple[int, Event]]:
    """(depth from 1, event) of what *event* made, directly or not, among the *events* of its tree."""
    tree = nested(events)
    at = next((index for index, (_, found) in enumerate(tree) if found.uid == event.uid), None)
    if at is None:
        return []
    top = tree[at][0]
    branch: list[tuple[int, Event]] = []
    for depth, found in tree[at + 1 :]:
        if depth <= top:
            break
        branch.append((depth - top, found))
    return branch


class Topmost(NamedTuple):
    """A topmost send of a cause, its own tree closed; or several alike, one after the other, that made no others."""

    event: Event
    times: int = 1
    made: int = 0  # sends below it


class Around(NamedTuple):
    """What a cause made before and after one of its topmost sends, the nearest of it, and how much more there is."""

    before: Sequence[Topmost] = ()
    after: Sequence[Topmost] = ()
    earlier: int = 0
    later: int = 0


def around(event: Event, events: Iterable[Event]) -> Around:
    """The topmost sends of *events*, which are of one cause, around the tree that *event* stands in."""
    before: list[Topmost] = []
    after: list[Topmost] = []
    made: dict[str, int] = {}
    tops = []
    for depth, found in nested(events):
        if depth == 0:
            tops.append(found)
        else:
            made[tops[-1].uid] = made.get(tops[-1].uid, 0) + 1
    side = before
    for top in tops:
        if top.root == event.root or top.uid == event.root:
            side = after
            continue
        below = made.get(top.uid, 0)
        last = side[-1] if side else None
        if last and not last.made and not below and _alike(last.event, top):
            side[-1] = last._replace(times=last.times + 1)
        else:
            side.append(Topmost(top, made=below))
    if side is before:  # the tree itself is not among the events: it came later than all of them
        return Around(before[-AROUND:], (), _sends(before[:-AROUND]))
    return Around(before[-AROUND:], after[:AROUND], _sends(before[:-AROUND]), _sends(after[AROUND:]))


def _alike(one: Event, other: Event) -> bool:
    return (one.signal, one.sender, one.status) == (other.signal, other.sender, other.status)


def _sends(tops: Iterable[Topmost]) -> int:
    return sum(top.times + top.made for top in tops)
