"""The live predicate, the journal's SQL and its search index say the same of every event."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from livesignals.events import Event, decode, encode
from livesignals.filters import Filter, FilterError, parse
from tests.filters import building


def _parsed(text: str) -> Filter | None:
    try:
        return parse(text)
    except FilterError:
        return None


# Nothing is shrunk: the assertion names the one filter and the one event, and shrinking takes minutes.
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate],
    print_blob=True,
)
@given(
    st.lists(building.events, min_size=10, max_size=10),
    st.lists(building.filter_texts.map(_parsed).filter(bool), min_size=10, max_size=10),
)
def test_a_filter_finds_in_the_journal_what_it_lets_through_live(
    tmp_path_factory: pytest.TempPathFactory, batch: list[Event], filters: list[Filter]
) -> None:
    """Ten random events and ten random filters at a time: 10,000 pairs in an ordinary run.

    An index may leave open what it cannot know, but says nothing wrong.
    """
    events = [decode(encode(one)) for one in building.numbered(batch)]
    database = building.database(events)
    indexed = building.segments(events, tmp_path_factory.getbasetemp())
    for chosen in filters:
        stored = building.found(database, chosen)
        for one in events:
            assert bool(chosen.matches(one)) == (one.id in stored), (chosen.source, one)
        for segment in indexed:
            sure, maybe = chosen.candidates(segment)
            for one in events:
                place = 1 << (one.id - segment.first)
                is_found = one.id in stored
                assert is_found or not sure & place, (chosen.source, one, segment)
                assert maybe & place or not is_found, (chosen.source, one, segment)
