"""Paths of keys into what a send carried, as a person writes them in a filter."""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple


class Steps(NamedTuple):
    """Keys into what a send carried, as a filter has them."""

    keys: tuple[str, ...]
    is_short: bool = False  # it left out the "fields" of an instance, which a path may do once

    def into(self, key: str) -> "Steps":
        return Steps((*self.keys, key), self.is_short)

    def into_field(self, instance: dict[str, Any], name: str) -> "Steps":
        """To a field of the model instance that is here."""
        if self.is_short or name in instance:
            return Steps((*self.keys, "fields", name), self.is_short)
        return Steps((*self.keys, name), True)


def is_instance(value: dict[str, Any]) -> bool:
    """Whether this is a model instance with its fields."""
    return type(value.get("model")) is str and "pk" in value and type(value.get("fields")) is dict


def scalars(kwargs: dict[str, Any], limit: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    """At most *limit* scalars that a send carried, each with the path of keys that finds it, the topmost first."""
    waiting = deque((Steps((key,)), value) for key, value in kwargs.items())
    while waiting and limit > 0:
        path, value = waiting.popleft()
        if type(value) is dict:
            fields = value["fields"] if is_instance(value) else {}
            waiting.extend((path.into(key), item) for key, item in value.items() if item is not fields)
            waiting.extend((path.into_field(value, name), item) for name, item in fields.items())
            continue
        for item in value if type(value) is list else (value,):
            if type(item) not in (dict, list) and limit > 0:
                limit -= 1
                yield path.keys, item
