"""The filter language: text to a predicate for live events and to SQL for the journal, which always agree."""

from livesignals.exceptions import FilterError
from livesignals.filters.editing import Completion, complete, narrow, up_to
from livesignals.filters.fields import FIELDS
from livesignals.filters.nodes import Filter
from livesignals.filters.parser import parse
from livesignals.filters.sql import register
from livesignals.filters.text import event_text

__all__ = [
    "FIELDS",
    "Completion",
    "Filter",
    "FilterError",
    "complete",
    "event_text",
    "narrow",
    "parse",
    "register",
    "up_to",
]
