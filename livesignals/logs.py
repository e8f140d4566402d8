"""The log "livesignals": what is wrong is in it, and once a minute however often it happens.

A fault of the journal, or of ours, may come with every send, and a project's handlers may write each to a disk that is
full, or send a mail. Hence a filter on the logger, which all modules share: they say what happens when it happens.
"""

import logging
import os
import time

logger = logging.getLogger("livesignals")

EVERY_SECONDS = 60.0
#: Kinds of messages that are told apart.
MAX_KINDS = 200


Kind = tuple[str, type | None]


class Calm(logging.Filter):
    """Lets one message of a kind through in a minute, and says with the next how many there were in between.

    Errors are of a kind by what failed and the type of the exception, others by their text. On any thread, without a
    lock: at worst two get through at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[Kind, tuple[float, int]] = {}  # until when, and how many were left out

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or getattr(record, "is_admitted", False):
            return True
        error = record.exc_info[0] if record.exc_info else None
        try:
            kind = (record.getMessage() if error is None else str(record.msg), error)
        except Exception:
            return True  # a handler says what is wrong with it; a filter that raises would reach who logs
        left_out = self.admit(kind)
        if left_out is None:
            self.leave_out(kind)
            return False
        if left_out:
            record.msg, record.args = record.getMessage() + _more(left_out), None
        return True

    def admit(self, kind: Kind) -> int | None:
        """Take one as told now: how many like it were left out before. None, and it is not, within the minute."""
        now = time.monotonic()
        until, left_out = self.kinds.get(kind, (now, 0))
        if now < until:
            return None
        if len(self.kinds) >= MAX_KINDS:
            self.kinds.clear()
        self.kinds[kind] = now + EVERY_SECONDS, 0
        return left_out

    def leave_out(self, kind: Kind) -> None:
        """Count one that is not told."""
        until, left_out = self.kinds.get(kind, (0.0, 0))
        self.kinds[kind] = until, left_out + 1


calm = Calm()


class Trouble:
    """What is wrong for a while, of which the log has the beginning and the end.

    Whoever meets it says so each time, and when it is over for them. It is told once a minute at most, as all is; its
    end always when it was told itself. One that was not, since it came again too soon, is told when the minute is over
    if it lasts until then: whoever reads only the last line knows how it is.
    """

    def __init__(self, end: str) -> None:
        self.end = end
        self._told: set[str] = set()  # what is wrong as the log has it
        self._untold: set[str] = set()  # what came again too soon

    def met(self, text: str, *, is_fault: bool = False) -> None:
        """*is_fault*: of ours, in an ``except`` block, told as an error with its traceback."""
        if text in self._told:
            return
        left_out = calm.admit((text, None))
        if left_out is None:
            self._untold.add(text)
            return
        self._untold.discard(text)
        self._told.add(text)
        level = logging.ERROR if is_fault else logging.WARNING
        self._log(level, text + _more(left_out), exc_info=is_fault)

    def over(self) -> None:
        while self._untold:
            calm.leave_out((self._untold.pop(), None))
        if self._told:
            self._told.clear()
            self._log(logging.WARNING, self.end)

    def forget(self) -> None:
        """As though nothing had been told."""
        self._told.clear()
        self._untold.clear()

    def _log(self, level: int, text: str, *, exc_info: bool = False) -> None:
        logger.log(level, "%s", text, exc_info=exc_info, extra={"is_admitted": True})


def _more(left_out: int) -> str:
    return f" (and {left_out:,} more like it before)" if left_out else ""


journal_trouble = Trouble("livesignals: the journal can be used again")
os.register_at_fork(after_in_child=journal_trouble.forget)  # what it tells later is news, whatever the parent told
