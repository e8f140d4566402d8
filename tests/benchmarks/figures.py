"""One measured figure beside what it should be."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A row of the table."""

    what: str
    value: float
    unit: str
    compared: str  # what it is to be read beside
    at_most: float | None = None
    at_least: float | None = None
    holds: bool = True  # what else the target demands, such as that nothing was lost

    @property
    def is_reached(self) -> bool | None:
        """None without a target."""
        if self.at_most is not None:
            return self.holds and self.value <= self.at_most
        if self.at_least is not None:
            return self.holds and self.value >= self.at_least
        return None

    def __str__(self) -> str:
        target = ""
        if self.at_most is not None:
            target = f"≤ {number(self.at_most)} {self.unit}"
        elif self.at_least is not None:
            target = f"≥ {number(self.at_least)} {self.unit}"
        mark = {True: "reached", False: "MISSED", None: ""}[self.is_reached]
        return f"{self.what:<66} {number(self.value) + ' ' + self.unit:>14} {target:>16} {mark:<8} {self.compared}"


HEADING = f"{'what':<66} {'measured':>14} {'target':>16} {'':<8} compared with"


def number(value: float) -> str:
    """Three digits that say something, or all of a large one."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
