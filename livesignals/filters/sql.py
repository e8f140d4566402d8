"""Pieces of SQL over the journal's ``events`` table that say exactly what the Python predicates say."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from livesignals.filters.text import body_says, fold

if TYPE_CHECKING:
    import apsw


class Sql(NamedTuple):
    """An expression and the values of its ``?``, in order. NULL counts as false."""

    text: str
    params: tuple[Any, ...] = ()


def register(connection: "apsw.Connection") -> None:
    """Give *connection* the functions of ours that the expressions call. Needed before a filter runs."""
    connection.create_scalar_function("livesignals_fold", _fold, 1, deterministic=True)
    connection.create_scalar_function("livesignals_says", _says, 3, deterministic=True)


def _says(*values: Any) -> bool:
    body, needle, hint = values
    return body_says(body, needle, hint)


def _fold(*values: Any) -> str | None:
    (value,) = values
    return fold(value) if isinstance(value, str) else None


def folded(column: str) -> str:
    """*column*, an expression without parameters, as ``text.fold`` gives it.

    SQLite's own ``lower`` knows ASCII only, and costs half of a call into Python. Fewer characters than bytes
    means that there is more than ASCII, or a NUL, where ``length`` stops counting.
    """
    return f"iif(length({column}) <> octet_length({column}), livesignals_fold({column}), lower({column}))"


def last_part(x: str) -> str:
    """What follows the last dot of *x*, the whole of it without one."""
    return f"substr({x}, length(rtrim({x}, replace({x}, '.', ''))) + 1)"


def number(x: str) -> str:
    """The number that the folded text *x* spells in JSON, else NULL."""
    value = f"iif(json_type({x}) IN ('integer', 'real'), {x} ->> '$', NULL)"
    return f"CASE WHEN {x} GLOB '[-0-9]*' AND json_valid({x}) THEN {value} END"


def json_path(steps: Sequence[str]) -> str:
    """The JSON path of a key inside ``kwargs``."""
    return "$.kwargs" + "".join(f".{json.dumps(step, ensure_ascii=False)}" for step in steps)


def joined(word: str, parts: Iterable[Sql]) -> Sql:
    """*parts* with AND or OR between them."""
    parts = list(parts)
    text = f" {word} ".join(part.text for part in parts)
    return Sql(f"({text})", tuple(value for part in parts for value in part.params))
