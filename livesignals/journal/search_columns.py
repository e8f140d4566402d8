"""The columns of a search index: for each value of a field, the events of a segment that have it.

A set of events is an int, see `livesignals.filters.candidates`. Kept, a set is 2 bytes for each event in it, or one
bit for each event of the segment, whichever is shorter.
"""

import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, compress
from math import inf
from operator import sub
from typing import Any, NamedTuple

from livesignals.filters.candidates import Number
from livesignals.filters.matchers import spelt_number

#: Events of one segment: those with ids from a multiple of this, plus one.
SEGMENT_EVENTS = 16_384
_SET_BYTES = SEGMENT_EVENTS // 8
_SET_WORDS = _SET_BYTES // 2
#: Up to here a float says exactly which integer it is.
_EXACT = 2.0**53
#: What JSON can say; higher numbers than this there are not but the infinite ones.
_LARGEST = sys.float_info.max
_FEW = 32
_MANY_HITS = 256

Check = Callable[[Any], bool]


def set_of(places: Sequence[int]) -> int:
    """The set of the events at *places*."""
    if len(places) <= _FEW:
        found = 0
        for place in places:
            found |= 1 << place
        return found
    digits = bytearray(b"0") * SEGMENT_EVENTS
    for place in places:
        digits[~place] = 49  # "1"
    return int(digits, 2)


def digits_of(events: int) -> bytes:
    """For each place of a segment a digit, ``b"1"`` for the events in the set."""
    return f"{events:0{SEGMENT_EVENTS}b}".encode()[::-1]


def places_of(events: int) -> list[int]:
    """The places of the events in a set, ascending."""
    if events.bit_count() <= _FEW:
        places = []
        while events:
            place = events.bit_length() - 1
            places.append(place)
            events ^= 1 << place
        return places[::-1]
    return [found.start() for found in re.finditer(b"1", digits_of(events))]


class OpenColumn:
    """The values of events that are still being added."""

    def __init__(self) -> None:
        self.places: dict[str, list[int]] = {}

    @property
    def any(self) -> int:
        return _all_of(self.places.values())

    def equal(self, text: str) -> int:
        return set_of(self.places.get(text, ()))

    def holding(self, literal: str, check: Check) -> int:
        return _all_of(places for text, places in self.places.items() if literal in text and check(text))

    def between(self, low: Number, high: Number, *, above: bool = False, below: bool = False) -> int:
        check = _between(low, high, above, below)
        return _all_of(places for text, places in self.places.items() if check(text))

    def saying(self, needle: str) -> int:
        return self.holding("", lambda text: needle in text.replace("\n", " "))

    def counts(self, events: int) -> Iterator[tuple[str, int]]:
        """Each value, and how many of the events in a set have it."""
        digits = digits_of(events)
        for text, places in self.places.items():
            yield text, _count(digits, places)

    def close(self) -> "Stored":
        """The same, to be kept."""
        numbers, texts = [], []
        for text, places in self.places.items():
            if not places:  # the event that brought it turned out to be loose
                continue
            number = spelt_number(text) if text[:1] in _FIRST_OF_NUMBER else None
            if number is None:
                texts.append(text)
            else:
                numbers.append((number, text))
        numbers.sort()
        ordered = [text for _, text in numbers] + sorted(texts)
        starts, sets = array("I", [0]), array("H")
        for text in ordered:
            places = self.places[text]
            if len(places) == 1:
                sets.append(places[0])
            elif len(places) < _SET_WORDS:
                sets.extend(places)
            else:
                sets.frombytes(set_of(places).to_bytes(_SET_BYTES, "little"))
            starts.append(len(sets))
        return Stored(
            self.any.to_bytes(_SET_BYTES, "little"),
            array("d", [float(number) for number, _ in numbers]).tobytes(),
            "\0".join(ordered).encode(),
            starts.tobytes(),
            sets.tobytes(),
        )


def _all_of(lists: Iterable[list[int]]) -> int:
    return set_of(list(chain.from_iterable(lists)))


_FIRST_OF_NUMBER = tuple("-0123456789")


#: The lowest and the highest number that values of a column spell.
Ends = tuple[float, float]


class Stored(NamedTuple):
    """A column in bytes. Values that spell numbers come first, in their order; sets lie one behind the other."""

    any_value: bytes
    numbers: bytes  # floats
    texts: bytes  # with NUL between
    starts: bytes  # of each set in ``sets``, and the end; unsigned, 4 bytes
    sets: bytes  # unsigned, 2 bytes: places, or as many as make a bit for each event

    @property
    def ends(self) -> Ends | None:
        numbers = array("d", self.numbers)
        return (max(numbers[0], -_LARGEST), min(numbers[-1], _LARGEST)) if numbers else None


class ClosedColumn:
    """A column that was kept. Each part of it is read when it is needed."""

    def __init__(self, load: Callable[[str], bytes], ends: Ends | None) -> None:
        self._load = load  # one of `Stored`, by its name
        self._ends = ends

    @cached_property
    def any(self) -> int:
        return int.from_bytes(self._load("any_value"), "little")

    @cached_property
    def texts(self) -> bytes:
        return self._load("texts")

    @cached_property
    def _numbers(self) -> "array[float]":
        return array("d", self._load("numbers"))

    @cached_property
    def _places(self) -> "tuple[array[int], array[int]]":
        return array("I", self._load("starts")), array("H", self._load("sets"))

    def equal(self, text: str) -> int:
        wanted, texts = text.encode(), self.texts
        if b"\0" in wanted:
            return 0
        if texts == wanted or texts.startswith(wanted + b"\0"):
            return self._sets([0])
        start = texts.find(b"\0" + wanted + b"\0")
        if start < 0:
            if not texts.endswith(b"\0" + wanted):
                return 0
            start = len(texts) - len(wanted) - 1
        return self._sets([texts.count(b"\0", 0, start + 1)])

    def holding(self, literal: str, check: Check) -> int:
        return self._holding(self.texts, literal, check)

    def saying(self, needle: str) -> int:
        """With a text that holds *needle*, line ends being spaces."""
        return self._holding(self.texts.replace(b"\n", b" "), needle, None)

    def _holding(self, texts: bytes, literal: str, check: Check | None) -> int:
        wanted = literal.encode()
        if b"\0" in wanted or wanted not in texts:
            return 0
        if not wanted or texts.count(wanted) > _MANY_HITS:
            values = texts.split(b"\0")
            hits = [index for index, value in enumerate(values) if wanted in value]
            if check is not None:
                hits = [index for index in hits if check(values[index].decode())]
            return self._sets(hits)
        hits, index, end = [], 0, -1
        while (at := texts.find(wanted, end + 1)) >= 0:
            start = texts.rfind(b"\0", 0, at) + 1
            index += texts.count(b"\0", max(end, 0), start)
            end = texts.find(b"\0", at)
            end = len(texts) if end < 0 else end
            if check is None or check(texts[start:end].decode()):
                hits.append(index)
        return self._sets(hits)

    def between(self, low: Number, high: Number, *, above: bool = False, below: bool = False) -> int:
        if self._ends is None or self._ends[1] < low or self._ends[0] > high:
            return 0
        numbers = self._numbers
        if not all(abs(end) < _EXACT or abs(end) == inf for end in (low, high, numbers[0], numbers[-1])):
            return self.holding("", _between(low, high, above, below))
        first = (bisect_right if above else bisect_left)(numbers, low)
        last = (bisect_left if below else bisect_right)(numbers, high)
        return self._sets(range(first, last))

    def counts(self, events: int) -> Iterator[tuple[str, int]]:
        """Each value, and how many of the events in a set have it."""
        starts, sets = self._places
        lengths = list(map(sub, starts[1:], starts))
        counts = lengths
        if self.any & ~events and any(length != _SET_WORDS for length in lengths):
            # How many of the places before each are in the set; what is no place is no matter.
            before = list(accumulate(map(_padded(events).__getitem__, sets), initial=0))
            at_starts = list(map(before.__getitem__, starts))
            counts = list(map(sub, at_starts[1:], at_starts))
        for index, length in enumerate(lengths):
            if length == _SET_WORDS:
                kept = sets[starts[index] : starts[index + 1]].tobytes()
                counts[index] = (int.from_bytes(kept, "little") & events).bit_count()
        return zip(self.texts.decode().split("\0"), counts, strict=True)

    def _sets(self, indexes: Sequence[int]) -> int:
        """The events with any of these values."""
        if not indexes:
            return 0
        starts, sets = self._places
        if len(sets) == len(starts) - 1:  # each value in one event
            if isinstance(indexes, range):
                return set_of(sets[indexes.start : indexes.stop])
            return set_of([sets[index] for index in indexes])
        found, places = 0, array("H")
        for index in indexes:
            kept = sets[starts[index] : starts[index + 1]]
            if len(kept) == _SET_WORDS:
                found |= int.from_bytes(kept.tobytes(), "little")
            else:
                places += kept
        return found | set_of(places)


def _padded(events: int) -> bytes:
    """1 for each place that is in the set, 0 for all other numbers of two bytes."""
    return digits_of(events).translate(_AS_NUMBERS).ljust(2**16, b"\0")


_AS_NUMBERS = bytes.maketrans(b"01", b"\0\1")


def _count(digits: bytes, places: Sequence[int]) -> int:
    return sum(map(digits.__getitem__, places)) - 48 * len(places)


def _between(low: Number, high: Number, above: bool, below: bool) -> Check:
    def check(text: str) -> bool:
        number = spelt_number(text) if text[:1] in _FIRST_OF_NUMBER else None
        if number is None:
            return False
        return (low < number if above else low <= number) and (number < high if below else number <= high)

    return check


class Ordered:
    """A column of one number for each event, in the order of the events or nearly."""

    def __init__(self, numbers: Sequence[int], everything: int, *, sorted: bool) -> None:
        self.numbers = numbers
        self.any = everything
        self.sorted = sorted

    def equal(self, text: str) -> int:
        return 0

    def holding(self, literal: str, check: Check) -> int:
        """Numbers hold no text: all that can be asked is whether there is one."""
        return 0 if literal else self.any

    def between(self, low: Number, high: Number, *, above: bool = False, below: bool = False) -> int:
        numbers = self.numbers
        if self.sorted:
            first = (bisect_right if above else bisect_left)(numbers, low)
            last = (bisect_left if below else bisect_right)(numbers, high)
            return ((1 << last) - 1 & ~((1 << first) - 1)) & self.any if first < last else 0
        hits = [
            (low < number if above else low <= number) and (number < high if below else number <= high)
            for number in numbers
        ]
        return set_of(list(compress(range(len(hits)), hits))) & self.any


Column = OpenColumn | ClosedColumn | Ordered
