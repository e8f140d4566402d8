"""A response that is made while it is sent: piece after piece on a worker thread, until the client has it or leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.http.response import HttpResponseBase

#: Pieces are sent together until they have so many characters.
PIECE_CHARS = 65_536


def in_pieces(texts: Iterable[str]) -> Generator[bytes]:
    """Small texts joined to pieces that are worth being sent."""
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= PIECE_CHARS:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


class StreamedResponse(HttpResponseBase):
    """A response whose *pieces* are made while they are sent. They must not raise: what was sent cannot be taken back.

    *over* is called once, when the response was sent, or its client left. (Django's own streaming response sends
    ``request_finished`` when it is closed.)
    """

    streaming = True

    def __init__(self, pieces: Generator[bytes], *, over: Callable[[], None], **more: Any) -> None:
        super().__init__(**more)
        self.pieces = pieces
        self.over = over


async def send_streamed(
    response: StreamedResponse,
    start: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
    *,
    is_head: bool,
) -> None:
    """Send the message *start*, then the body, for as long as there is somebody who wants it."""
    leaving = asyncio.ensure_future(_client_leaves(receive))
    next_piece = sync_to_async(lambda: next(response.pieces, None), thread_sensitive=False)
    try:
        await send(start)
        while not is_head and not leaving.done():
            piece = await next_piece()
            if piece is None:
                break
            sending = asyncio.ensure_future(send({"type": "http.response.body", "body": piece, "more_body": True}))
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                sending.cancel()
                return
            sending.result()
        await send({"type": "http.response.body", "body": b""})
    finally:
        leaving.cancel()
        with suppress(ValueError):  # it is being made, on its thread, while the server ends
            response.pieces.close()
        response.over()


async def _client_leaves(receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
