"""What a Redis tells of itself, and what of it is not good for a journal."""

import time
from typing import Any

from livesignals.journal.base import Problem

OLDEST = (6, 2)  # the first whose streams are trimmed by id
CLOCK_SECONDS = 2.0


def problems(info: dict[str, Any]) -> list[Problem]:
    """*info* is what `Server.info` gives."""
    found = []
    version = str(info["redis_version"])
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        found.append(Problem("error", f"this is Redis {version}", "It has to be 6.2 or newer."))
    ahead = time.time() - info["clock_us"] / 1e6
    if abs(ahead) > CLOCK_SECONDS:
        found.append(
            Problem(
                "warning",
                f"the clock of this host is {abs(ahead):,.0f} s {'before' if ahead > 0 else 'behind'} that of Redis",
                "Times of events from several hosts cannot be compared: let each host follow a time server.",
            )
        )
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys") and info.get("maxmemory"):
        found.append(
            Problem(
                "warning",
                f"Redis throws away keys, those of the journal too, when its memory is full ({policy})",
                "Set maxmemory-policy to noeviction or to one of volatile-*, or use another Redis.",
            )
        )
    return found


def described(info: dict[str, Any]) -> str:
    """The version, and what a restart would leave of the journal."""
    if info.get("aof_enabled"):
        saves = "which writes all to its disk (AOF)"
    elif info.get("rdb_saves"):
        saves = "which saves from time to time (RDB): a crash loses what came after"
    else:
        saves = "which has saved nothing so far: a restart forgets what is retained"
    return f"Redis {info['redis_version']}, {saves}"
