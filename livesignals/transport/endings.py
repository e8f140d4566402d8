"""How a process learns that it ends.

``atexit`` tells it, but not in children that leave by ``os._exit``, as those of :mod:`multiprocessing` (before Python
3.13 all, then those that had registered before the fork) and of Celery's pools do: each has its own way to be told.
"""

import sys
from collections.abc import Callable
from typing import Any

#: Among the finalizers of multiprocessing: after those of the project.
LAST = -1_000


def at_end_of_child(close: Callable[[], None]) -> None:
    """Have *close* called before this process leaves, if it is such a child or about to become one."""
    if "multiprocessing.util" in sys.modules:
        from multiprocessing.process import parent_process
        from multiprocessing.util import Finalize, register_after_fork

        if parent_process() is not None:
            Finalize(None, close, exitpriority=LAST)
        # A child begins by forgetting its finalizers: those too that a spawned one got while it imported the project.
        register_after_fork(at_end_of_child, lambda _: Finalize(None, close, exitpriority=LAST))
    celery_signals: Any = sys.modules.get("celery.signals")
    if hasattr(celery_signals, "worker_process_shutdown"):
        celery_signals.worker_process_shutdown.connect(lambda **kwargs: close(), weak=False, dispatch_uid="livesignals")
