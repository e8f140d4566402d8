"""``python -m tests.benchmarks.inside.readers URL COOKIE READERS STALLED``: many open dashboards in one process.

Reader *n* has the filter ``sender:n`` of its own. It runs until its input ends, and then prints a JSON object: of each
id the time (seconds since 1970) at which a frame with its row arrived, how many frames there were, and the sends that
rows "+n more" stand for. STALLED readers have the same filters, say hello and never read.
"""

import asyncio
import json
import re
import sys
import time
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

ROW = re.compile(r'<li[^>]* data-id="(\d+)"')
MORE = re.compile(r'data-count="(\d+)"')


class Readers:
    def __init__(self, url: str, cookie: str) -> None:
        self.url = url
        self.headers = {"Cookie": cookie}
        self.origin = f"http://{urlsplit(url).netloc}"
        self.arrived: dict[int, float] = {}
        self.frames = self.more = 0
        self.greeted = asyncio.Semaphore(0)

    async def run(self, readers: int, stalled: int) -> None:
        connections = [await self.connect(number) for number in range(readers)]
        # With a queue of one message nothing more is read from the socket once nobody takes it.
        idle = [await self.connect(number, max_queue=1) for number in range(stalled)]
        reading = [asyncio.create_task(self.read(connection)) for connection in connections]
        for _ in reading:
            await self.greeted.acquire()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        told = {"arrived": self.arrived, "frames": self.frames, "more": self.more, "stalled": len(idle)}
        print(json.dumps(told), flush=True)

    async def connect(self, number: int, max_queue: int = 64) -> ClientConnection:
        connection = await connect(
            self.url,
            additional_headers=self.headers,
            origin=self.origin,  # type: ignore[arg-type]
            max_queue=max_queue,
            max_size=None,
            compression=None,
            ping_interval=None,
        )
        await connection.send(json.dumps({"type": "hello", "filter": f"sender:{number}"}))
        return connection

    async def read(self, connection: ClientConnection) -> None:
        is_first = True
        async for text in connection:
            message = json.loads(text)
            if message["type"] != "rows":
                continue
            now = time.time()
            await connection.send(json.dumps({"type": "ack", "frame": message["frame"]}))
            if is_first:
                is_first = False
                self.greeted.release()
                continue
            self.frames += 1
            content = message["content"]
            for found in ROW.findall(content):
                self.arrived[int(found)] = now
            self.more += sum(map(int, MORE.findall(content)))


def main(url: str, cookie: str, readers: str, stalled: str) -> None:
    asyncio.run(Readers(url, cookie).run(int(readers), int(stalled)))


if __name__ == "__main__":
    main(*sys.argv[1:])
