"""A Celery application for the shop, as Celery's documentation has it for Django, with a witness."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, worker_process_shutdown

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def watch(**kwargs: Any) -> None:
    """Django is set up by now, and nothing forked."""
    from tests.servers import witness

    witness.watch()
    witness.numbered.send(sender="before the pool")


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def send_last(**kwargs: Any) -> None:
    from tests.servers import witness

    witness.numbered.send(sender="a worker ends")


@app.task(name="shop.count", bind=True)  # type: ignore[untyped-decorator]
def count(self: Any, first: int, fails: bool = False) -> int:
    """Makes three sends, the second of them in a task that it runs at once."""
    from tests.servers import witness

    witness.numbered.send(sender="in a task", n=first)
    if self.request.called_directly or not self.request.is_eager:
        count.apply((first + 1,))
        witness.numbered.send(sender="in a task", n=first + 2)
    if fails:
        raise ValueError(first)
    return os.getpid()
