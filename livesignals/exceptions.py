"""Every error that livesignals raises on purpose. A message says what was wrong and what would be right."""


class LiveSignalsError(Exception):
    """Base of all errors of livesignals."""


class ConfigurationError(LiveSignalsError):
    """A setting in ``LIVESIGNALS`` is misspelt or has the wrong type or value."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class FilterError(LiveSignalsError):
    """A filter cannot be understood.

    ``column`` counts characters from 1 and points at the first one that does not fit;
    ``expected`` says in words what would have fitted there.
    """

    def __init__(self, message: str, column: int, expected: str = "") -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column
        self.expected = expected


class JournalError(LiveSignalsError):
    """The journal cannot be used. ``hint`` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class JournalUnavailable(JournalError):
    """The journal cannot be used at the moment; what was to be written may be tried again."""


class JournalBusy(JournalUnavailable):
    """Others have been writing to the journal all the time that was waited."""


class JournalBroken(JournalError):
    """What is stored cannot be read as a journal; it has to be set aside and a new one started."""


class RecordingError(LiveSignalsError):
    """A recording cannot be made, opened or deleted. ``hint`` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class JournalForeign(JournalError):
    """The journal belongs to another project."""


class PinError(LiveSignalsError):
    """A range cannot be pinned. ``hint`` says what can."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
