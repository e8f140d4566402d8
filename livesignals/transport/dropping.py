"""What was dropped before it was stored, as far as one page knows of it."""

from collections.abc import Mapping


class Dropping:
    """Finds out what a page is to be told."""

    def __init__(self) -> None:
        self.told: dict[str, int] | None = None  # how many by reason; None: whatever it was before the page came

    def news(self, dropped: Mapping[str, int]) -> dict[str, int]:
        """How many more there are of each reason since the last time; *dropped* is all, over all processes."""
        before, self.told = self.told, dict(dropped)
        if before is None:
            return {}
        return {why: count - before.get(why, 0) for why, count in dropped.items() if count > before.get(why, 0)}
