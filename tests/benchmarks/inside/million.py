"""The shop's settings with room for a million events."""

from project.settings import *  # noqa: F403 - the shop's settings are the point

LIVESIGNALS |= {"RETAIN_EVENTS": 1_000_000, "RETAIN_BYTES": 2**33}  # noqa: F405
