"""The live predicate and the journal's SQL say the same of every event."""

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from livesignals.events import Event, decode, encode
from livesignals.filters import Filter, FilterError, parse
from tests.filters import building


def _parsed(text: str) -> Filter | None:
    try:
        return parse(text)
    except FilterError:
        return None


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(building.events, min_size=10, max_size=10), st.lists(building.filter_texts, min_size=5, max_size=5))
def test_a_filter_finds_in_the_journal_what_it_lets_through_live(batch: list[Event], texts: list[str]) -> None:
    """Ten random events and five random filters at a time, 12,500 pairs in a run."""
    # A live event may come from its process or off the wire.
    events = [decode(encode(one)) for one in building.numbered(batch)]
    database = building.database(events)
    filters = [chosen for chosen in map(_parsed, texts) if chosen is not None]
    assume(filters)
    for chosen in filters:
        live = [one.id for one in events if chosen.matches(one)]
        assert building.found(database, chosen) == live, chosen.source
