"""What a send carried, as JSON-safe data: no query, none of the project's code run, no object of it kept.

Two steps on two threads. :func:`freeze` runs on the project's thread, at the send: it copies plain values and
leaves everything else behind as a name. :func:`render` runs on the flusher's thread: it masks, and makes JSON of it.
"""

from livesignals.snapshot.freeze import freeze
from livesignals.snapshot.masking import MASK, MaskFunctionFailed, Masking
from livesignals.snapshot.render import Renderer, render, valid_text, without_last_run

__all__ = ["MASK", "MaskFunctionFailed", "Masking", "Renderer", "freeze", "render", "valid_text", "without_last_run"]
