"""The forms in which events are taken away, in one table."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from livesignals.events import Event
from livesignals.exchange import chrome_trace, csv_table, jsonl


class Format(NamedTuple):
    """One form."""

    name: str  # on the command line and in addresses
    suffix: str
    content_type: str
    write: Callable[[Iterable[Event]], Iterator[str]]  # pieces of text, each a few events at the most


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("jsonl", ".jsonl", "application/x-ndjson", jsonl.write),
        Format("csv", ".csv", "text/csv; charset=utf-8", csv_table.write),
        Format("trace", ".trace.json", "application/json", chrome_trace.write),
    )
}
