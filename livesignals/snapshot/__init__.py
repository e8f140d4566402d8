"""What a send carried, as JSON-safe data: no query, none of the project's code run, no object of it kept.

Two steps on two threads. :func:`freeze` runs on the project's thread, at the send: it copies plain values and
leaves everything else behind as a name. :func:`.render.render` runs on the flusher's thread: it masks, and makes JSON
of it. A project's start-up imports the first only.
"""

from livesignals.snapshot.freeze import freeze

__all__ = ["freeze"]
