"""A line between a phone and the server that carries so many bits a second each way, and counts them: a proxy that paces what it passes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PIECE = 4096
_AHEAD_S = 0.05
"""What a buffer on the way takes in at once, so that who was late catches up: so long a piece of the line."""


class Pace:
    """When what comes next may be passed on, so that no more than ``bits_s`` go by in a second. Pure: it is told the time."""

    def __init__(self, bits_s: float) -> None:
        self._bits_s = bits_s
        self._free_at = 0.0

    def wait_s(self, size: int, now: float) -> float:
        """How long to wait behind ``size`` bytes that go now, before more may go."""
        self._free_at = max(self._free_at, now - _AHEAD_S) + size * 8 / self._bits_s
        return max(0.0, self._free_at - now)


@dataclass(slots=True)
class SlowLine:
    """Where to connect, and the bytes that have gone up to the server and down from it; with HTTP, without TCP's own headers."""

    port: int = 0
    up: int = 0
    down: int = 0


@contextmanager
def slow_line(host: str, port: int, bits_s: float) -> Iterator[SlowLine]:
    """A line to a server. All connections share it, each direction has its own; ended with the block."""
    line, ready, loop = SlowLine(), threading.Event(), asyncio.new_event_loop()
    paces = {"up": Pace(bits_s), "down": Pace(bits_s)}

    async def carry(way: str, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(_PIECE):
                setattr(line, way, getattr(line, way) + len(piece))
                target.write(piece)
                await target.drain()
                await asyncio.sleep(paces[way].wait_s(len(piece), loop.time()))
        with suppress(ConnectionError):
            target.close()

    async def connected(near: asyncio.StreamReader, phone: asyncio.StreamWriter) -> None:
        far, server = await asyncio.open_connection(host, port)
        await asyncio.gather(carry("up", near, server), carry("down", far, phone))

    async def listen() -> None:
        listening = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_PIECE)
        line.port = listening.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(listen())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the slow line did not begin")
        yield line
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
