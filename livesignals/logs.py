"""The log "livesignals": what is wrong is in it, and once a minute however often it happens.

A fault of the journal, or of ours, may come with every send, and a project's handlers may write each to a disk that is
full, or send a mail. Hence a filter on the logger, which all modules share: they say what happens when it happens.
"""

import logging
import time

EVERY_SECONDS = 60.0
#: Kinds of messages that are told apart.
MAX_KINDS = 200


class Calm(logging.Filter):
    """Lets one message of a kind through in a minute, and says with the next how many there were in between.

    Errors are of a kind by what failed and the type of the exception, others by their text. On any thread, without a
    lock: at worst two get through at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[tuple[str, type | None], tuple[float, int]] = {}  # until when, and how many were left out

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[0] if record.exc_info else None
        try:
            kind = (record.getMessage() if error is None else str(record.msg), error)
        except Exception:
            return True  # a handler says what is wrong with it; a filter that raises would reach who logs
        now = time.monotonic()
        until, left_out = self.kinds.get(kind, (now, 0))
        if now < until:
            self.kinds[kind] = until, left_out + 1
            return False
        if len(self.kinds) >= MAX_KINDS:
            self.kinds.clear()
        self.kinds[kind] = now + EVERY_SECONDS, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out:,} more like it before)", None
        return True


calm = Calm()
