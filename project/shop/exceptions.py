"""What can go wrong in the shop."""

import logging


class EmptyCart(Exception):
    """There is nothing to order."""


class OutOfStock(Exception):
    """An order asks for more than there is; nothing of it was placed."""


class AlreadySent(Exception):
    """An order cannot be called back any more; nothing of it was changed."""


class NotPayable(Exception):
    """An order is paid or cancelled already."""


class DemoFailure(Exception):
    """Fails on purpose, for everyone to see what a failure looks like in livesignals."""


class BrokenPage(DemoFailure):
    """A view fails."""


class WarehouseUnavailable(DemoFailure):
    """A receiver fails: the warehouse did not answer."""


def is_unexpected(record: logging.LogRecord) -> bool:
    """Whether a log record is about anything but a failure on purpose. A logging filter, see the settings."""
    failure = record.exc_info[0] if record.exc_info else None
    return failure is None or not issubclass(failure, DemoFailure)
