"""What every journal promises, whatever it is stored in."""

import threading
from itertools import pairwise

import pytest
from msgspec.structs import replace

from livesignals.events import Cause, Counted, Error, Event, ReceiverCall, Transaction, decode
from livesignals.exceptions import PinError
from livesignals.filters import parse
from livesignals.journal import FACETS, Appended, Bounds, Found, Histogram, Journal, Outcome, Pin
from tests.contracts.conftest import OpenJournal
from tests.journal.building import Sender, assert_balanced, make_count, make_event, make_events, pending


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events]


class TestAppend:
    def test_ids_begin_at_one_and_have_no_holes(self, journal: Journal) -> None:
        """A batch gets the ids that follow those of the batch before."""
        sender = Sender(journal)
        first, second = sender.append(make_events(3)), sender.append(make_events(2))
        assert (first.first, first.last) == (1, 3)
        assert (second.first, second.last) == (4, 5)
        assert second.epoch == first.epoch == journal.bounds().epoch != ""

    def test_an_empty_batch_stores_the_report_alone(self, journal: Journal) -> None:
        """A process that is only heard of gives no ids and is counted."""
        sender = Sender(journal)
        sender.append(make_events(2))
        sender.buffered = 7
        assert sender.append([]) == Appended(journal.bounds().epoch, 3, 2)
        assert journal.counts().buffered == 7
        assert_balanced(journal)

    def test_an_event_is_read_as_it_was_appended(self, journal: Journal) -> None:
        """Nothing of an event changes but that it gets an epoch and an id."""
        event = make_event(kwargs={"a": [1, 2.5, None, {"ü": "\0\n\\\"'", "big": 2**63}]}, flags=["masked"])
        appended = Sender(journal).append([event])
        assert journal.read(0, 10) == [replace(event, epoch=appended.epoch, id=1)]

    def test_what_utf8_cannot_say_becomes_a_question_mark(self, journal: Journal) -> None:
        """A lone surrogate costs neither the event nor its batch."""
        Sender(journal).append([make_event(kwargs={"name": "a\ud800b"}), make_event()])
        assert journal.read(0, 10)[0].kwargs == {"name": "a?b"}
        assert_balanced(journal)

    def test_threads_may_append_and_read_at_once(self, journal: Journal) -> None:
        """Every event is there once, each thread's in their order; readers see no holes meanwhile."""
        done = threading.Event()
        failures: list[BaseException] = []

        def write(name: str) -> None:
            try:
                sender = Sender(journal, name)
                for number in range(20):
                    sender.append([make_event(thread=name, sender=f"shop.N{number}_{part}") for part in range(5)])
            except BaseException as error:
                failures.append(error)

        def read() -> None:
            try:
                while not done.is_set():
                    assert all(b == a + 1 for a, b in pairwise(ids(journal.read(0, 1_000))))
                    journal.counts()
            except BaseException as error:
                failures.append(error)

        writers = [threading.Thread(target=write, args=(f"thread-{number}",)) for number in range(4)]
        reader = threading.Thread(target=read)
        for thread in (*writers, reader):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert failures == []
        events = journal.read(0, 1_000)
        for number in range(4):
            senders = [event.sender for event in events if event.thread == f"thread-{number}"]
            assert senders == [f"shop.N{batch}_{part}" for batch in range(20) for part in range(5)]
        assert_balanced(journal)


class TestReading:
    def test_an_empty_journal_has_no_ids(self, journal: Journal) -> None:
        """The first id that would be retained is one above the last that was given."""
        bounds = journal.bounds()
        assert bounds == Bounds(bounds.epoch, 1, 0)
        assert journal.read(0, 10) == []
        assert journal.tail(0, 10).lines == []
        assert journal.search(parse(""), None, 10) == Found([], 1, True)
        assert journal.search_forward(parse(""), 0, 10) == Found([], 0, True)
        assert_balanced(journal)

    def test_read_goes_upwards_between_two_ids(self, journal: Journal) -> None:
        """The lower end is left out, the upper one is in, and the limit counts from below."""
        Sender(journal).append(make_events(10))
        assert ids(journal.read(4, 100)) == [5, 6, 7, 8, 9, 10]
        assert ids(journal.read(4, 3)) == [5, 6, 7]
        assert ids(journal.read(4, 100, until=6)) == [5, 6]
        assert ids(journal.read(4, 100, until=4)) == ids(journal.read(10, 100)) == ids(journal.read(0, 0)) == []

    def test_read_gives_as_many_as_are_asked_for(self, journal: Journal) -> None:
        """A long read is the same as many short ones."""
        Sender(journal).append(make_events(2_500))
        assert ids(journal.read(100, 2_300)) == list(range(101, 2_401))

    def test_tail_gives_the_lines_that_readers_are_sent(self, journal: Journal) -> None:
        """The lines decode to the same events, and say where they begin and end."""
        Sender(journal).append(make_events(10))
        tail = journal.tail(3, 4)
        assert (tail.epoch, tail.after, tail.last) == (journal.bounds().epoch, 3, 7)
        assert [decode(line) for line in tail.lines] == journal.read(3, 4)
        assert (journal.tail(10, 5).after, journal.tail(10, 5).last) == (10, 10)

    def test_tail_gives_a_thousand_lines_at_most(self, journal: Journal) -> None:
        """Who wants more asks again from where it ended."""
        Sender(journal).append(make_events(1_100))
        assert journal.tail(0, 5_000).last == 1_000
        assert journal.tail(1_000, 5_000).last == 1_100

    def test_tail_tells_what_was_evicted_before_it_came(self, journal: Journal) -> None:
        """What is gone shows as a first id above the one that was expected."""
        Sender(journal).append(make_events(10))
        journal.prune(keep_events=4)
        tail = journal.tail(2, 2)
        assert (tail.after, tail.last, len(tail.lines)) == (6, 8, 2)

    def test_get_gives_one_event_or_none(self, journal: Journal) -> None:
        """Ids that were evicted or never given lead to nothing."""
        Sender(journal).append(make_events(5))
        journal.prune(keep_events=2)
        found = journal.get(4)
        assert found is not None
        assert found.id == 4
        assert journal.get(3) is journal.get(6) is journal.get(0) is None

    def test_tree_gives_a_send_and_all_below_it(self, journal: Journal) -> None:
        """Ascending, and no more than asked for."""
        root = make_event()
        children = [make_event(root=root.uid, parent=root.uid) for _ in range(3)]
        Sender(journal).append([make_event(), root, make_event(), *children])
        assert ids(journal.tree(root.uid)) == [2, 4, 5, 6]
        assert ids(journal.tree(root.uid, limit=2)) == [2, 4]
        assert journal.tree("nobody") == []

    def test_cause_gives_the_sends_of_one_request(self, journal: Journal) -> None:
        """Ascending, and no more than asked for; sends without a cause belong to none."""
        cause = make_event().cause
        assert cause is not None
        other = replace(cause, id="request-2")
        Sender(journal).append([make_event(), make_event(cause=other), make_event(cause=None), make_event()])
        assert ids(journal.cause("request-1")) == [1, 4]
        assert ids(journal.cause("request-1", limit=1)) == [1]
        assert journal.cause("") == []


class TestSearch:
    @pytest.fixture
    def mixed(self, journal: Journal) -> Journal:
        """Every third event is of the auth family; the first three are gone."""
        sender = Sender(journal)
        for number in range(1, 31):
            sender.append([make_event(family="model" if number % 3 else "auth")])
        journal.prune(keep_events=27)
        return journal

    def test_search_goes_from_the_newest_down(self, mixed: Journal) -> None:
        """Going on where the last page ended shows every match once."""
        first = mixed.search(parse("family:auth"), None, 5)
        second = mixed.search(parse("family:auth"), first.scanned_to, 5)
        assert ids(first.events) == [30, 27, 24, 21, 18]
        assert not first.exhausted
        assert ids(second.events) == [15, 12, 9, 6]
        assert second.exhausted
        assert second.scanned_to == 4

    def test_search_forward_goes_up(self, mixed: Journal) -> None:
        """Going on where the last page ended shows every match once."""
        first = mixed.search_forward(parse("family:auth"), 0, 5)
        second = mixed.search_forward(parse("family:auth"), first.scanned_to, 5)
        assert ids(first.events) == [6, 9, 12, 15, 18]
        assert not first.exhausted
        assert ids(second.events) == [21, 24, 27, 30]
        assert second.exhausted
        assert second.scanned_to == 30

    @pytest.mark.parametrize("text", ["", "family:auth", "family:tasks"])
    @pytest.mark.parametrize("limit", [1, 2, 100])
    @pytest.mark.parametrize("max_scan", [None, 1, 4, 100])
    def test_pages_of_any_size_leave_nothing_out(
        self, mixed: Journal, text: str, limit: int, max_scan: int | None
    ) -> None:
        """Whatever the limits, both directions find every match once, and end."""
        chosen = parse(text)
        expected = [event for event in mixed.read(0, 100) if chosen.matches(event)]
        downwards: list[Event] = []
        found = mixed.search(chosen, None, limit, max_scan)
        downwards += found.events
        while not found.exhausted:
            found = mixed.search(chosen, found.scanned_to, limit, max_scan)
            downwards += found.events
        upwards: list[Event] = []
        found = mixed.search_forward(chosen, 0, limit, max_scan)
        upwards += found.events
        while not found.exhausted:
            found = mixed.search_forward(chosen, found.scanned_to, limit, max_scan)
            upwards += found.events
        assert upwards == expected == downwards[::-1]

    def test_letters_beyond_ascii_are_found_without_regard_to_case(self, journal: Journal) -> None:
        """A search over what is stored finds what the filter finds in live events."""
        Sender(journal).append([make_event(sender="shop.Größe"), make_event()])
        for text in ("sender:GRÖSSE", "größe"):
            assert ids(journal.search(parse(text), None, 5).events) == [1]

    def test_max_scan_bounds_how_many_events_are_looked_at(self, mixed: Journal) -> None:
        """A page may hold no match and still say how far it came."""
        assert mixed.search(parse("family:tasks"), None, 5, max_scan=10) == Found([], 21, False)
        assert mixed.search_forward(parse("family:tasks"), 0, 5, max_scan=10) == Found([], 13, False)

    def test_cursors_outside_of_what_is_retained_are_no_error(self, mixed: Journal) -> None:
        """Below everything there is nothing more downwards, above everything nothing more upwards."""
        assert mixed.search(parse(""), 2, 5) == Found([], 2, True)
        assert ids(mixed.search(parse(""), 999, 2).events) == [30, 29]
        assert mixed.search_forward(parse(""), 999, 5) == Found([], 999, True)
        assert ids(mixed.search_forward(parse(""), 1, 2).events) == [4, 5]


class TestCounting:
    """Events one second apart from 03:00:01, every third of auth, every fifth raised; the first three are gone."""

    BEGAN = 1_767_322_800_000_000  # 2026-01-02T03:00:00Z

    @pytest.fixture(params=[False, True], ids=["as it is", "indexed"])
    def timed(self, request: pytest.FixtureRequest, journal: Journal) -> Journal:
        sender = Sender(journal)
        for number in range(1, 31):
            cause = replace(make_event().cause or Cause(kind="", name="", id=""), name=f"GET /{number % 2}/")
            failed = Error(type="ValueError", message="no")
            event = make_event(
                ts=f"2026-01-02T03:00:{number:02d}.000000Z",
                family="model" if number % 3 else "auth",
                sender="shop.Order" if number % 4 else "shop.Größe",
                status="returned" if number % 5 else "raised",
                error=None if number % 5 else failed,
                cause=cause if number % 2 else None,
                receivers=[
                    ReceiverCall(name="shop.Twice", duration_us=1.0),
                    ReceiverCall(name="shop.Twice", duration_us=1.0, status="returned" if number % 7 else "raised"),
                ],
            )
            sender.append([event])
        journal.prune(keep_events=27)
        while request.param and journal.index(10):
            pass
        return journal

    def at(self, seconds: float) -> int:
        return self.BEGAN + int(seconds * 1e6)

    def test_a_histogram_counts_events_and_errors_by_time(self, timed: Journal) -> None:
        """Each event is in the one slice in which it began; both ends are in."""
        found = timed.histogram(parse(""), self.at(0), self.at(30), 3)
        assert found == Histogram(self.at(0), self.at(30), [6, 10, 11], [2, 3, 5])
        found = timed.histogram(parse("family:auth"), self.at(10), self.at(19.5), 2)
        assert (found.counts, found.errors) == ([1, 2], [0, 1])
        assert timed.histogram(parse(""), self.at(12), self.at(12), 2).counts == [1, 0]
        assert timed.histogram(parse("family:tasks"), self.at(0), self.at(30), 2).counts == [0, 0]

    def test_many_slices_hold_what_one_does(self, timed: Journal) -> None:
        """Whatever the number of slices, the sums are the same."""
        for slices in (1, 7, 29, 200):
            found = timed.histogram(parse("-family:auth"), self.at(0), self.at(31), slices)
            assert (len(found.counts), sum(found.counts)) == (slices, 18)

    def test_facets_count_the_values_of_matching_events(self, timed: Journal) -> None:
        """Most frequent first, as they are written; a receiver that ran twice in a send counts once."""
        found = timed.facets(parse("family:auth"), FACETS, 5)
        assert found.counts["sender"] == [("shop.Order", 7), ("shop.Größe", 2)]
        assert found.counts["receiver"] == [("shop.Twice", 9)]
        assert found.counts["cause"] == [("request GET /1/", 4)]
        assert found.counts["signal"] == [("django.db.models.signals.post_save", 9)]
        assert (found.scanned, found.exhausted) == (27, True)
        assert timed.facets(parse(""), ["sender"], 1).counts == {"sender": [("shop.Order", 20)]}
        assert timed.facets(parse("family:tasks"), ["sender"], 5).counts == {"sender": []}

    def test_the_id_at_a_time_is_the_first_from_then_on(self, timed: Journal) -> None:
        """Before everything it is the first retained, after everything the next that will be given."""
        assert timed.id_at(self.at(12)) == 12
        assert timed.id_at(self.at(12.5)) == 13
        assert timed.id_at(0) == 4
        assert timed.id_at(self.at(31)) == 31

    def test_what_is_not_indexed_yet_is_found_all_the_same(self, timed: Journal) -> None:
        """Events that came after the last look of the indexer are searched and counted with the others."""
        Sender(timed, "late").append([make_event(family="auth", ts="2026-01-02T03:00:30.500000Z")])
        assert ids(timed.search(parse("family:auth"), None, 2).events) == [31, 30]
        assert ids(timed.search_forward(parse("family:auth"), 28, 9).events) == [30, 31]
        assert timed.facets(parse("family:auth"), ["receiver"], 5).counts == {"receiver": [("shop.Twice", 9)]}
        assert timed.histogram(parse("family:auth"), self.at(30), self.at(31), 2).counts == [1, 1]

    def test_an_outcome_that_comes_after_an_event_was_indexed_is_found(self, timed: Journal) -> None:
        """A transaction's end changes what filters say of events long since stored."""
        Sender(timed, "late").append([make_event(transaction=pending("t")), make_event(transaction=pending("u"))])
        while timed.index(10):
            pass
        timed.resolve([Outcome("t", "rolled_back"), Outcome("u", "committed")])
        assert ids(timed.search(parse("is:rolledback"), None, 5).events) == [31]
        assert ids(timed.search(parse("-is:committed id>30"), None, 5).events) == [31]
        assert timed.facets(parse("is:committed"), ["sender"], 5).counts == {"sender": [("shop.Order", 1)]}


class TestRing:
    def test_the_newest_events_are_kept(self, make_journal: OpenJournal) -> None:
        """After each batch no more than RETAIN_EVENTS are retained, nor many fewer once it was full."""
        journal = make_journal(retain_events=100)
        sender = Sender(journal)
        for batch in range(1, 31):
            sender.append(make_events(10))
            retained = journal.counts().retained
            assert retained <= 100
            assert retained >= min(batch * 10, 95)
            assert_balanced(journal)
        assert journal.bounds().last == 300

    def test_a_ring_of_one_keeps_the_newest(self, make_journal: OpenJournal) -> None:
        """The smallest retention is not none."""
        journal = make_journal(retain_events=1)
        Sender(journal).append(make_events(5))
        assert ids(journal.read(0, 10)) == [5]

    def test_events_that_weigh_much_are_kept_by_their_bytes(self, make_journal: OpenJournal) -> None:
        """RETAIN_BYTES ends before RETAIN_EVENTS does, or the other way about."""
        journal = make_journal(retain_bytes=100_000)
        sender = Sender(journal)
        for _ in range(40):
            sender.append(make_events(5, kwargs={"note": "x" * 1_000}))
            assert journal.counts().bytes <= 100_000
            assert_balanced(journal)
        assert journal.counts().bytes > 90_000
        assert journal.counts().retained < 200

    def test_prune_evicts_down_to_what_is_to_be_kept(self, journal: Journal) -> None:
        """By number, by bytes, or to the retention when nothing is said."""
        Sender(journal).append(make_events(2_500))
        assert journal.prune() == 0
        assert journal.prune(keep_events=1_200) == 1_300
        half = journal.counts().bytes // 2
        assert journal.prune(keep_bytes=half) > 0
        assert journal.counts().bytes <= half
        assert journal.bounds().last == 2_500
        assert_balanced(journal)

    def test_clear_begins_a_new_epoch(self, journal: Journal) -> None:
        """Everything is gone, ids go on, and the figures of processes stay true."""
        sender = Sender(journal)
        sender.append(make_events(5))
        before = journal.bounds()
        journal.clear()
        after = journal.bounds()
        assert after == Bounds(after.epoch, 6, 5)
        assert after.epoch != before.epoch
        assert_balanced(journal)
        assert sender.append(make_events(1)) == Appended(after.epoch, 6, 6)
        assert journal.counts().stored == 6
        assert journal.counts().dropped == {}
        assert_balanced(journal)


class TestPins:
    @pytest.fixture
    def pinned(self, make_journal: OpenJournal) -> Journal:
        """Of 60 events, the first 40 of which were evicted, 11 to 15 and 14 to 18 and 39 to 42 are pinned."""
        journal = make_journal(retain_events=60)
        Sender(journal).append([make_event(sender="shop.Odd" if number % 2 else "shop.Even") for number in range(60)])
        for name, first, last in (("incident", 11, 15), ("after", 14, 18), ("seam", 39, 42)):
            journal.pin(name, first, last)
        journal.prune(keep_events=20)
        return journal

    KEPT = (*range(11, 19), *range(39, 61))

    def test_a_pinned_range_outlives_its_eviction(self, pinned: Journal) -> None:
        """It is read by id, in order with what is retained; what lies between is missing."""
        assert ids(pinned.read(0, 100)) == list(self.KEPT)
        assert ids(pinned.read(12, 8)) == [13, 14, 15, 16, 17, 18, 39, 40]
        assert ids(pinned.read(0, 100, until=14)) == [11, 12, 13, 14]
        assert [pinned.get(event_id) is not None for event_id in (10, 11, 18, 19, 38, 39, 40, 41)] == [
            *(False, True, True, False),
            *(False, True, True, True),
        ]
        assert ids(pinned.cause("request-1")) == list(self.KEPT)
        assert ids(pinned.tree(pinned.read(14, 1)[0].root)) == [15]

    def test_bounds_and_figures_tell_of_what_is_retained_alone(self, pinned: Journal) -> None:
        """A pinned event that was evicted counts as evicted."""
        bounds, counts = pinned.bounds(), pinned.counts()
        assert (bounds.first, bounds.last) == (41, 60)
        assert (counts.stored, counts.retained, counts.evicted) == (60, 20, 40)
        assert pinned.check() == []
        tail = pinned.tail(0, 100)
        assert (tail.after, tail.last, len(tail.lines)) == (40, 60, 20)

    @pytest.mark.parametrize("indexed", [False, True])
    @pytest.mark.parametrize("limit", [1, 3, 100])
    @pytest.mark.parametrize("max_scan", [None, 1, 7])
    def test_searches_go_on_into_pinned_ranges(
        self, pinned: Journal, limit: int, max_scan: int | None, indexed: bool
    ) -> None:
        """Every match is found once in both directions, whatever the size of the pages."""
        while indexed and pinned.index(100):
            pass
        chosen = parse("sender:shop.Odd")
        expected = [event_id for event_id in self.KEPT if event_id % 2 == 0]
        found = pinned.search(chosen, None, limit, max_scan)
        downwards = ids(found.events)
        while not found.exhausted:
            found = pinned.search(chosen, found.scanned_to, limit, max_scan)
            downwards += ids(found.events)
        found = pinned.search_forward(chosen, 0, limit, max_scan)
        upwards = ids(found.events)
        while not found.exhausted:
            found = pinned.search_forward(chosen, found.scanned_to, limit, max_scan)
            upwards += ids(found.events)
        assert upwards == expected == downwards[::-1]

    def test_pinned_events_are_counted_with_the_others(self, pinned: Journal) -> None:
        """In facets and histograms."""
        found = pinned.facets(parse(""), ["sender"], 5)
        assert (dict(found.counts["sender"]), found.scanned) == ({"shop.Odd": 15, "shop.Even": 15}, 30)
        assert sum(pinned.histogram(parse(""), 0, 2_000_000_000_000_000, 9).counts) == 30

    def test_a_range_can_be_let_go(self, pinned: Journal) -> None:
        """What another range holds too stays; what is retained stays anyway."""
        assert pinned.pins() == [Pin("incident", 11, 15), Pin("after", 14, 18), Pin("seam", 39, 42)]
        assert pinned.unpin("incident")
        assert not pinned.unpin("incident")
        assert ids(pinned.read(0, 100)) == [*range(14, 19), *range(39, 61)]
        assert pinned.unpin("after")
        assert pinned.unpin("seam")
        assert pinned.pins() == []
        assert ids(pinned.read(0, 100)) == list(range(41, 61))

    def test_pins_end_with_their_epoch(self, pinned: Journal) -> None:
        """A journal that is cleared holds nothing."""
        pinned.clear()
        assert pinned.pins() == []
        assert pinned.read(0, 100) == []
        Sender(pinned, "later").append(make_events(3))
        pinned.pin("incident", 61, 62)
        assert pinned.pins() == [Pin("incident", 61, 62)]

    def test_an_outcome_reaches_pinned_events(self, make_journal: OpenJournal) -> None:
        """However late the transaction ends."""
        journal = make_journal()
        Sender(journal).append([make_event(transaction=pending("t")), *make_events(5)])
        journal.pin("open", 1, 2)
        journal.prune(keep_events=2)
        assert journal.resolve([Outcome("t", "committed")]) == 1
        assert ids(journal.search(parse("is:committed"), None, 5).events) == [1]

    def test_what_can_be_pinned_is_bounded(self, make_journal: OpenJournal) -> None:
        """In number, events and bytes; only what is retained; each name once. The error says what would do."""
        journal = make_journal(retain_events=100, retain_bytes=100_000)
        Sender(journal).append(make_events(80))
        journal.pin("half", 1, 40)
        for name, first, last, told in (
            ("more", 41, 51, "half of RETAIN_EVENTS"),
            ("half", 1, 2, "another name"),
            ("", 1, 2, "name"),
            ("beyond", 80, 81, "1 to 80"),
            ("backwards", 5, 4, "1 to 80"),
        ):
            with pytest.raises(PinError) as error:
                journal.pin(name, first, last)
            assert told in f"{error.value} {error.value.hint}"
        for number in range(19):
            journal.pin(f"pin-{number}", 5, 10)
        with pytest.raises(PinError, match="20 ranges"):
            journal.pin("one more", 5, 10)
        heavy = make_journal(retain_bytes=journal.counts().bytes)
        if heavy.bounds().last == 0:
            Sender(heavy).append(make_events(80))
        for pin in heavy.pins():
            heavy.unpin(pin.name)
        with pytest.raises(PinError, match="bytes"):
            heavy.pin("heavy", 1, 60)


class TestFigures:
    def test_captured_is_stored_and_dropped_and_buffered(self, journal: Journal) -> None:
        """Over all processes, with the reasons for what was dropped."""
        one, two = Sender(journal, "one"), Sender(journal, "two")
        one.append(make_events(3, family="auth"))
        two.dropped = {"buffer full": 4}
        two.append(make_events(2))
        one.dropped, one.buffered = {"buffer full": 1, "cannot be described": 2}, 5
        one.append(make_events(1))
        counts = journal.counts()
        assert (counts.captured, counts.stored, counts.buffered) == (18, 6, 5)
        assert counts.dropped == {"buffer full": 5, "cannot be described": 2}
        assert counts.by_family == {"auth": 3, "model": 3}
        assert_balanced(journal)

    def test_what_a_process_stored_elsewhere_is_accounted_for(self, journal: Journal) -> None:
        """A process that comes from another journal brings figures that this one cannot show as stored."""
        sender = Sender(journal)
        sender.stored = 40  # in a journal that is gone
        sender.append(make_events(2))
        sender.append(make_events(3))
        counts = journal.counts()
        assert (counts.captured, counts.stored) == (45, 5)
        assert counts.dropped == {"stored in another journal": 40}
        assert_balanced(journal)

    def test_sends_that_were_counted_add_up(self, journal: Journal) -> None:
        """Those that the stored counts stand for, of each process and of all, whatever has been evicted since."""
        one, two = Sender(journal, "one", seen_ts=10), Sender(journal, "two", seen_ts=20)
        one.append([make_event(), make_count(5_000), make_count(7)])
        two.append([make_count(100)])
        one.append([make_count(1), make_event()])
        journal.prune(keep_events=1)
        two.append([])
        assert journal.counts().counted == 5_108
        assert {process.process: process.counted for process in journal.processes()} == {"one": 5_008, "two": 100}
        assert (journal.counts().captured, journal.counts().stored) == (6, 6)
        assert_balanced(journal)

    def test_a_count_comes_back_as_it_was_stored(self, journal: Journal) -> None:
        """In every way of reading, and it is found by what it is."""
        Sender(journal).append([make_event(), make_count(5_000, status="raised"), make_event()])
        (found,) = journal.search(parse("is:counted"), before=None, limit=10).events
        assert found == journal.get(2) == journal.read(1, 1)[0] == decode(journal.tail(1, 1).lines[0])
        assert found.counted == Counted(sends=5_000, duration_us=1_234.5, seconds=1.0)
        assert journal.search(parse("dur:* OR dur>=0 OR is:slow"), before=None, limit=10).events == [
            journal.get(3),
            journal.get(1),
        ]
        assert journal.search(parse("is:error"), before=None, limit=10).events == [found]

    def test_processes_are_listed_with_the_latest_first(self, journal: Journal) -> None:
        """Each with its own figures, and as stored what this journal got of it."""
        Sender(journal, "early", seen_ts=10).append(make_events(1))
        Sender(journal, "late", seen_ts=30).append(make_events(2))
        Sender(journal, "middle", seen_ts=20).append([])
        reports = journal.processes()
        assert [(report.process, report.stored) for report in reports] == [
            ("late", 2),
            ("middle", 0),
            ("early", 1),
        ]
        assert reports[0].role == "runserver"

    def test_a_journal_in_order_has_no_problems(self, journal: Journal) -> None:
        """Neither doctor nor reader is told anything."""
        Sender(journal).append(make_events(3))
        assert journal.check() == []
        assert journal.notice() == ""


class TestOutcomes:
    def test_an_outcome_is_written_into_the_pending_events_of_its_transaction(self, journal: Journal) -> None:
        """However the events are read afterwards; other transactions and finished ones stay as they are."""
        done = Transaction(db="default", state="rolled_back", id="tx-1")
        transactions = [pending("tx-1"), None, pending("tx-2"), done, pending("tx-1")]
        Sender(journal).append([make_event(transaction=transaction) for transaction in transactions])
        assert journal.resolve([Outcome("tx-1", "committed"), Outcome("tx-9", "committed")]) == 2
        events = journal.read(0, 10)
        states = [event.transaction and event.transaction.state for event in events]
        assert states == ["committed", None, "pending", "rolled_back", "committed"]
        assert [decode(line) for line in journal.tail(0, 10).lines] == events
        assert journal.search(parse(""), None, 10).events == events[::-1]
        assert journal.get(1) == events[0]
        assert_balanced(journal)

    def test_outcomes_can_be_followed(self, journal: Journal) -> None:
        """Those that changed an event are numbered without holes; the others are not worth telling."""
        Sender(journal).append([make_event(transaction=pending(f"tx-{number}")) for number in range(3)])
        assert journal.outcomes_after(0) == []
        assert journal.resolve([]) == 0
        journal.resolve([Outcome("tx-9", "committed"), Outcome("tx-1", "committed")])
        journal.resolve([Outcome("tx-0", "rolled_back"), Outcome("tx-1", "rolled_back")])
        assert journal.outcomes_after(0) == [(1, "tx-1", "committed"), (2, "tx-0", "rolled_back")]
        assert journal.outcomes_after(1) == [(2, "tx-0", "rolled_back")]
        assert journal.outcomes_after(2) == []

    def test_the_newest_ten_thousand_outcomes_are_kept(self, journal: Journal) -> None:
        """What is gone shows as a first number above the one that was expected."""
        names = [f"tx-{number}" for number in range(10_005)]
        Sender(journal).append([make_event(transaction=pending(name), kwargs={}) for name in names])
        assert journal.resolve([Outcome(name, "committed") for name in names]) == 10_005
        outcomes = journal.outcomes_after(0)
        assert len(outcomes) == 10_000
        assert outcomes[0] == (6, "tx-5", "committed")


class TestChanged:
    def test_every_write_is_noticed_once(self, journal: Journal) -> None:
        """Reading changes nothing."""
        sender = Sender(journal)
        assert journal.changed()
        assert not journal.changed()
        sender.append([make_event(transaction=pending("tx-1"))])
        assert journal.changed()
        journal.read(0, 10)
        journal.counts()
        assert not journal.changed()
        journal.resolve([Outcome("tx-1", "committed")])
        assert journal.changed()
        journal.prune(keep_events=0)
        assert journal.changed()
        journal.clear()
        assert journal.changed()
        assert not journal.changed()

    def test_a_closed_journal_goes_on_when_it_is_used(self, journal: Journal) -> None:
        """Closing lets go of files and connections, not of what is stored."""
        sender = Sender(journal)
        sender.append(make_events(2))
        journal.close()
        journal.close()
        assert sender.append(make_events(1)).first == 3
        assert_balanced(journal)
