"""CSV: no spreadsheet takes a value for a formula or chokes on it, and each row has the same columns."""

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livesignals.events import Error, Event, encode
from livesignals.exchange import csv_table
from livesignals.exchange.csv_table import COLUMNS, FORMULA_BEGINNINGS, harmless
from tests.exchange import building
from tests.journal.building import make_count, make_event

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def rows_of(events: list[Event]) -> list[dict[str, str]]:
    text = "".join(csv_table.write(events))
    assert not CONTROL.search(text)
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == list(COLUMNS)
    assert all(len(row) == len(COLUMNS) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


@settings(deadline=None)
@given(st.lists(building.events, max_size=3))
def test_no_cell_is_a_formula_and_none_is_lost(events: list[Event]) -> None:
    """Whatever a project sends; but for apostrophe and escapes each text is what it was, and what is nested is JSON."""
    rows = rows_of(events)
    assert len(rows) == len(events)
    for row, event in zip(rows, events, strict=True):
        assert not [cell for cell in row.values() if cell.startswith(FORMULA_BEGINNINGS)]
        for name in ("signal", "sender", "thread"):
            text = CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", getattr(event, name))
            assert row[name] in (text, f"'{text}")
        assert json.loads(row["kwargs"]) == json.loads(encode(event))["kwargs"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")']
)
def test_texts_that_begin_like_formulas_have_an_apostrophe_before_them(text: str) -> None:
    """In every column, in front of the text, inside its quotes."""
    [row] = rows_of([make_event(sender=text, thread=text, error=Error(text, text), status="raised")])
    assert row["sender"] == row["thread"] == row["error_type"] == row["error_message"] == f"'{text}"


def test_control_characters_are_written_as_json_has_them() -> None:
    """Other than tabs and ends of lines, which a cell may have."""
    control = "".join(map(chr, range(0x20)))
    [row] = rows_of([make_event(sender=f"a{control}z", thread="\x1b[2J", kwargs={"text": control})])
    kept = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\b": "\\u0008", "\\f": "\\u000c"}
    expected = json.dumps(control).strip('"')
    for escape, text in kept.items():
        expected = expected.replace(escape, text)
    assert row["sender"] == f"a{expected}z"
    assert row["thread"] == "\\u001b[2J"
    assert json.loads(row["kwargs"]) == {"text": control}


@pytest.mark.parametrize("cell", [-1.5, 0, None, "", "a=b", "1-1", "'quoted"])
def test_other_cells_stay_as_they_are(cell: Any) -> None:
    """Numbers too, which no spreadsheet reckons with anew."""
    assert harmless(cell) == cell


def test_the_columns_are_those_that_other_programs_know() -> None:
    """In this order; new ones come last."""
    assert ",".join(COLUMNS) == (
        "v,epoch,id,uid,parent,root,ts,signal,family,sender,method,duration_us,status,error_type,error_message,"
        "receiver_count,receivers_raised,receivers,kwargs,changes,cause_kind,cause_name,cause_id,cause_route,"
        "cause_status,cause_user,where,transaction_db,transaction_state,transaction_id,process_host,process_pid,"
        "process_seq,thread,flags,counted_sends,counted_duration_us,counted_seconds"
    )


def test_a_count_has_its_figures() -> None:
    """In columns of its own, empty for single sends."""
    one, count = rows_of([make_event(), make_count(5_000)])
    assert (one["counted_sends"], count["counted_sends"], count["duration_us"]) == ("", "5000", "")
