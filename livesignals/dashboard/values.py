"""Values in the page that can be clicked to filter by them, in rows and in the pane: values.js acts on them."""

from math import floor, log10

from livesignals.dashboard.markup import text


def value_attributes(field: str, value: object, operator: str = ":") -> str:
    """Attributes that make of an element a value of a filter's *field*; *value* as the filter writes it."""
    compared = "" if operator == ":" else f' data-operator="{text(operator)}"'
    return f' data-field="{text(field)}" data-value="{text(value)}"{compared}'


def duration_attributes(duration_us: float | None) -> str:
    """The same for "as long as this one, or longer": three digits, rounded down, so that it is itself among them."""
    if duration_us is None or duration_us <= 0:
        return ""
    step = 10.0 ** max(floor(log10(duration_us)) - 2, -3)
    rounded = floor(duration_us / step) * step
    words = f"{rounded / 1e3:.6g}ms" if rounded >= 1e3 else f"{rounded:.6g}us"
    return value_attributes("dur", words, ">=")
