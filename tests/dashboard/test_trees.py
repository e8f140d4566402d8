"""What a send stands in: its own tree, and its cause around it."""

from hypothesis import given

from livesignals.dashboard.trees import AROUND, Around, around, below, nested
from livesignals.events import Event
from tests.insights.building import causes, send


def names(branch: list[tuple[int, Event]]) -> list[tuple[int, str]]:
    return [(depth, event.uid) for depth, event in branch]


def test_a_tree_is_told_from_the_top_down_in_the_order_of_begin() -> None:
    """Whatever the order in which the sends ended; one whose parent is not there stands at the top."""
    events = [
        send("c", 3, 1, parent="b"),
        send("b", 2, 5, parent="a"),
        send("d", 8, 1, parent="a"),
        send("a", 1, 9),
        send("lost", 5, 1, parent="gone"),
    ]
    assert names(nested(events)) == [(0, "a"), (1, "b"), (2, "c"), (1, "d"), (0, "lost")]
    assert names(below(events[1], events)) == [(1, "c")]
    assert names(below(events[3], events)) == [(1, "b"), (2, "c"), (1, "d")]
    assert below(events[0], events) == []
    assert below(send("other", 1, 1), events) == []


def test_what_a_file_says_against_reason_is_shown_once() -> None:
    """A uid that stands twice in an imported file, and sends that made each other."""
    events = [send("a", 1, 9), send("a", 2, 9), send("b", 3, 1, parent="a"), send("b", 4, 1, parent="a")]
    assert names(nested(events)) == [(0, "a"), (1, "b"), (1, "b"), (0, "a")]
    cycle = [send("x", 1, 1, parent="y"), send("y", 2, 1, parent="x"), send("own", 3, 1, parent="own")]
    assert sorted(name for _, name in names(nested(cycle))) == ["own", "x", "y"]


@given(causes())
def test_each_send_is_in_the_tree_once_and_below_its_parent(events: list[Event]) -> None:
    """One step deeper, and after it."""
    tree = nested(reversed(events))
    depths = {event.uid: depth for depth, event in tree}
    places = {event.uid: place for place, (_, event) in enumerate(tree)}
    assert len(tree) == len(depths) == len(events)
    for event in events:
        if event.parent is None:
            assert depths[event.uid] == 0
        else:
            assert depths[event.uid] == depths[event.parent] + 1
            assert places[event.uid] > places[event.parent]


def top(uid: str, begin_us: int, signal: str, root: str = "") -> Event:
    return send(uid, begin_us, 1, signal=signal, root=root or uid)


def test_around_a_tree_are_the_other_sends_of_its_cause() -> None:
    """Closed, with how many they made; those alike that made none are one line."""
    child = send("b1", 21, 1, parent="b", root="b")
    events = [top("a", 10, "x"), top("b", 20, "y"), child, top("c", 30, "z"), top("d", 40, "s"), top("e", 50, "s")]
    found = around(child, [*events, send("c1", 31, 1, parent="c", root="c")])
    assert [(line.event.uid, line.times, line.made) for line in found.before] == [("a", 1, 0)]
    assert [(line.event.uid, line.times, line.made) for line in found.after] == [("c", 1, 1), ("d", 2, 0)]
    assert (found.earlier, found.later) == (0, 0)
    assert around(events[0], [events[0]]) == Around([], [])


def test_of_a_great_cause_the_nearest_are_told_and_the_others_counted() -> None:
    """On either side."""
    events = [top(f"u{number}", number, f"s{number}") for number in range(100)]
    found = around(events[50], events)
    assert [line.event.uid for line in found.before] == [f"u{number}" for number in range(50 - AROUND, 50)]
    assert [line.event.uid for line in found.after] == [f"u{number}" for number in range(51, 51 + AROUND)]
    assert (found.earlier, found.later) == (50 - AROUND, 49 - AROUND)
    beyond = around(top("late", 500, "s"), events)
    assert (len(beyond.before), beyond.earlier, beyond.after) == (AROUND, 100 - AROUND, ())
