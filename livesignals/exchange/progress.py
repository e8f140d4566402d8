"""How far a long export or import has come, for a person at a terminal."""

import time
from typing import TextIO

TOLD_SECONDS = 0.25
QUIET_SECONDS = 1.0  # what is over so soon says nothing


class Progress:
    """A line that is written over again. Says nothing to what is no terminal."""

    def __init__(self, stream: TextIO, what: str, whole: int | None = None) -> None:
        """*what* is counted, such as "events"; *whole* is what 100 % is of `tell`'s second argument."""
        self._stream = stream
        self._what = what
        self.whole = whole
        self._is_on = stream.isatty()
        self._due = time.monotonic() + QUIET_SECONDS
        self._width = 0

    def tell(self, count: int, done: int) -> None:
        """*count* things were written or read, and *done* of the whole."""
        now = time.monotonic()
        if not self._is_on or now < self._due:
            return
        self._due = now + TOLD_SECONDS
        share = f" ({min(done / self.whole, 1.0):.0%})" if self.whole else ""
        self._write(f"{count:,} {self._what}{share}")

    def clear(self) -> None:
        """Take the line away, so that what is written next has one to itself."""
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
            self._width = 0

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)
