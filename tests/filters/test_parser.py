"""Text becomes a filter, or an error that says where and what was expected."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livesignals.filters import Filter, FilterError, parse
from livesignals.filters.parser import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS
from tests.filters.building import agrees, event, filter_texts


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_blank_text_lets_everything_through(text: str) -> None:
    """The empty filter is a filter."""
    chosen = parse(text)
    assert chosen.is_empty
    assert chosen.source == ""
    assert chosen.sql() == ("1", [])
    assert agrees(chosen, event()) == [True]


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("a b", "a AND b"),
        ("a b OR c", "(a AND b) OR c"),
        ("a OR b c", "a OR (b AND c)"),
        ("-a b", "(NOT a) b"),
        ("NOT a OR b", "(NOT a) OR b"),
        ("signal=x", "signal:x"),
        ("signal!=x", "-signal:x"),
        ("SIGNAL:x", "signal:x"),
        ('"two words"x', '"two words" x'),
        ("a\nb", "a b"),
    ],
)
def test_operators_bind_as_people_expect(text: str, same_as: str) -> None:
    """NOT before AND before OR; AND need not be said."""
    assert parse(text).root == parse(same_as).root


@pytest.mark.parametrize("text", ["ORDER", "OR-mapper", "ANDROID", "NOTE", "a-b", "shop/views.py", "kwargs.x", "50%"])
def test_what_looks_like_an_operator_is_a_word_when_it_is_one(text: str) -> None:
    """Only OR, AND and NOT by themselves, in capitals, are operators."""
    assert parse(text).english() == f'it says "{text}"'


@pytest.mark.parametrize(
    ("text", "column", "message", "expected"),
    [
        ("signl:x", 1, "did you mean signal?", "a field: signal, family"),
        ("a http://x", 3, "put them in quotes", "a field"),
        ("12:30", 1, "put them in quotes", "a field"),
        (":x", 1, "put them in quotes", "a word or a field"),
        ("signal:", 8, "no value touches the :", "a value"),
        ("signal: sender:x", 8, "no value touches the :", "a value"),
        ("dur>", 5, "no value touches the >", "a value"),
        ("signal:a,", 10, "no value touches the comma", "a value"),
        ("(a", 3, "ends too early", '")"'),
        ("a)", 2, '")" does not fit', "the end"),
        ("()", 2, '")" does not fit', "a word or a field"),
        ("a OR", 5, "ends too early", "a word or a field"),
        ("OR a", 1, '"OR" does not fit', "a word or a field"),
        ("a AND OR b", 7, '"OR" does not fit', "a word or a field"),
        ("-", 2, "ends too early", "a word or a field"),
        ('a "bc', 3, "never closed", 'a closing "'),
        ('""', 1, "nothing between", "words in quotes"),
        ("is:eror", 4, "did you mean error?", "one of error, slow"),
        ("family:zoo", 8, "model, request, auth", "one of model"),
        ('family:""', 8, "model, request, auth", "one of model"),
        ("n:abc", 3, '"abc" is not a number', "a number"),
        ("n:1..x", 6, '"x" is not a number', "a number"),
        ("n:5ms", 3, '"5ms" is not a number', "a number"),
        ("n:1e999", 3, "too large", "a number"),
        ("dur>5x", 5, '"5x" is not a duration', "units us, ms, s, m, h"),
        ("ts:soon", 4, '"soon" is not a time', "2026-01-02"),
        ("ts:2026-02-30", 4, "there is no time", "2026-01-02"),
        ("ts<0001", 4, "is not a time", "2026-01-02"),
        ("sender>5", 7, "only numbers and times", ":"),
        ("kwargs.x>abc", 10, "is not a number", "a number"),
        ("kwargs:x", 1, "needs 1 to 16 keys", "kwargs.instance.status:paid"),
        ("kwargs" + ".a" * 17 + ":x", 1, "needs 1 to 16 keys", "kwargs."),
        ("a \ud800", 3, "surrogate", "whole characters"),
    ],
)
def test_an_error_names_the_column_and_what_was_expected(text: str, column: int, message: str, expected: str) -> None:
    """In words of a person, never in names of the grammar."""
    with pytest.raises(FilterError) as raised:
        parse(text)
    assert raised.value.column == column
    assert message in raised.value.message
    assert expected in raised.value.expected


@pytest.mark.parametrize(
    ("fitting", "beyond", "column"),
    [
        ("x" * MAX_CHARACTERS, "  " + "x" * (MAX_CHARACTERS + 1), MAX_CHARACTERS + 3),
        ("a " * MAX_TERMS, "a " * MAX_TERMS + "b", 2 * MAX_TERMS + 1),
        ("n:" + ",".join("1" * MAX_TERMS), "n:" + ",".join("1" * (MAX_TERMS + 1)), 2 * MAX_TERMS + 3),
        ("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), 1),
        ("-" * MAX_DEPTH + "a", "NOT " * (MAX_DEPTH + 1) + "a", 1),
    ],
    ids=["characters", "terms", "values", "parentheses", "negations"],
)
def test_a_filter_has_limits(fitting: str, beyond: str, column: int) -> None:
    """What just fits runs in the journal; one more is an error with its column."""
    agrees(parse(fitting), event())
    with pytest.raises(FilterError) as raised:
        parse(beyond)
    assert raised.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2048,
        "-" * 2048,
        "NOT " * 512,
        '"' * 2047,
        "a OR " * 409,
        "sender:" + "*a" * 1000,
        "kwargs" + ".a" * 1000 + ":x",
        "n:" + "9" * 2040,
        "signal:" + "a," * 1000 + "a",
        "\\" * 2048,
        '"' + "\\" * 2046,
        "a.a" * 680,
        "ts:" + "2" * 2000,
        ":" * 2048,
        "<>" * 1024,
    ],
)
def test_a_hostile_filter_is_refused_or_quick(text: str) -> None:
    """Deep, long or broken text ends in a filter or a FilterError; nothing recurses, nothing backtracks."""
    long = event(sender="a" * 4_000 + "b", kwargs={"x": "a" * 4_000})
    chosen = _parsed(text)
    if isinstance(chosen, Filter):
        agrees(chosen, long)
    else:
        assert 1 <= chosen.column <= len(text) + 1


@given(st.text(max_size=40) | st.text('ab:"()-,.*<>=! \\kwargs', max_size=30) | filter_texts)
@example("kwargs.\\:x")
@example('kwargs."":""')
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    """And a filter's own source is a filter that means the same, with an English reading."""
    chosen = _parsed(text)
    if isinstance(chosen, Filter):
        assert parse(chosen.source) == chosen
        assert chosen.english()
    else:
        assert 1 <= chosen.column <= len(text) + 1
        assert chosen.expected


def _parsed(text: str) -> Filter | FilterError:
    try:
        return parse(text)
    except FilterError as error:
        return error


def test_a_filter_reads_as_a_sentence() -> None:
    """The page shows below the field what the filter means."""
    text = "signal:post_save sender:shop.* -receiver:*cache* dur>5 (is:error OR -cause:request)"
    assert parse(f"{text} kwargs.instance.status:paid,open").english() == (
        "the signal is post_save and the sender matches shop.* and no receiver matches *cache*"
        " and the duration is over 5 ms and (something raised or the cause is not a request)"
        " and instance.status is paid or open"
    )
