"""The shop's settings, as tests want them.

Django tests SQLite in memory, and the journal is there too: nothing is written into the checkout.
"""

from project.settings import *  # noqa: F403 - the shop's settings are the point

LIVESIGNALS = {"JOURNAL": "memory:"}
