"""Which sends of a signal are kept where ``SAMPLE`` keeps one in N. On the project's thread.

Of every N sends in a row exactly one is kept, over all threads of the process, by one counter a signal: no lock, and
threads that live for a single request are treated as one that goes on. Which of the N it is moves with the golden
ratio from row to row: the places are spread evenly (Weyl's equidistribution), so whatever repeats in a project, with
any period, is kept in its true shares, where every N-th send would always be the same one of a loop. Each process
begins anywhere in that sequence, or many short ones would all keep their first send.
"""

import itertools
import os
from collections.abc import Callable

_GOLDEN = 0x9E3779B97F4A7C15  # 2 ** 64 divided by the golden ratio
_MASK = 2**64 - 1


def one_in(n: int) -> Callable[[], bool]:
    """Whether the send that asks is the one that is kept."""
    count = itertools.count(int.from_bytes(os.urandom(5), "big")).__next__  # atomic in CPython

    def is_chosen() -> bool:
        row, place = divmod(count(), n)
        return place == (row * _GOLDEN & _MASK) * n >> 64

    return is_chosen
