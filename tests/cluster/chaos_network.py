"""A network of proxies between everybody and everybody, whose lines a test can disturb.

Each proxy stands before one server. The two ends of a connection have names, such as ``broker-2``,
``clients`` and ``zookeeper``, and rules say what becomes of the bytes that one end sends the other
(`weather.py`). Bytes that a cut keeps arrive when it is over, also those of requests that nobody
waits for any more, and an end of a connection is told no sooner than bytes would be.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.cluster.weather import FAIR, Matches, Rule, Weather

CHUNK_BYTES = 64 << 10
DRIPS_PER_SECOND = 20
STOP_SECONDS_MAX = 10

ResultT = TypeVar("ResultT")
NameSource = Callable[[bytes], str]
"""Tells who a client is, by the first bytes that it sends."""


@dataclass(eq=False)
class Line:
    """One connection, from whoever has made it to the server.

    Attributes:
        is_to_break: Whether it is reset in the middle of the next piece.
    """

    near: asyncio.StreamWriter
    source: str = ""
    target: str = ""
    far: asyncio.StreamWriter | None = None
    is_to_break: bool = False

    def abort(self) -> None:
        """Reset it on both sides."""
        for writer in filter(None, (self.near, self.far)):
            sock = writer.get_extra_info("socket")
            with suppress(OSError):  # it may be closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


@dataclass
class Figures:
    """What has passed."""

    lines: int = 0
    bytes: int = 0
    broken: int = 0


class ChaosNetwork:
    """All proxies, in a thread of their own."""

    def __init__(self, seed: int) -> None:
        self.figures = Figures()
        self._random = random.Random(seed)
        self._rules: list[Rule] = []
        self._lines: set[Line] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS_MAX)
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run something in the thread of the proxies, from another one."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS_MAX)

    def listen(self, target: str, upstream_port: int, source: str | NameSource) -> int:
        """Put a proxy before a server of this machine; return the port to connect to instead.

        Args:
            target: Name of the server.
            upstream_port: Its port.
            source: Name of those who connect, or what finds it out.
        """
        naming = (lambda _: source) if isinstance(source, str) else source
        return self.call(self._listen(target, upstream_port, naming))

    @contextmanager
    def disturbed(self, matches: Matches, weather: Weather) -> Iterator[None]:
        """Have another weather on some lines for a while."""
        rule = Rule(matches, weather)
        self.call(self._change(self._rules.append, rule))
        try:
            yield
        finally:
            self.call(self._change(self._rules.remove, rule))

    def break_lines(self, matches: Matches) -> int:
        """Reset some lines, each in the middle of what it carries next; return how many."""
        return self.call(self._break(matches))

    def weather(self, sender: str, receiver: str) -> Weather:
        """Return how bytes of one get to the other; the last rule counts, and any cut."""
        found = [rule.weather for rule in self._rules if rule.matches(sender, receiver)]
        return next((each for each in found if each.is_cut), found[-1] if found else FAIR)

    async def _change(self, change: Callable[[Rule], None], rule: Rule) -> None:
        change(rule)
        self._changed.set()
        self._changed = asyncio.Event()

    async def _break(self, matches: Matches) -> int:
        broken = [line for line in self._lines if matches(line.source, line.target)]
        for line in broken:
            line.is_to_break = True
        return len(broken)

    async def _listen(self, target: str, upstream_port: int, naming: NameSource) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, Line(near=writer, target=target), upstream_port, naming)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        self._rules.clear()
        self._changed.set()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for line in list(self._lines):
                line.abort()
            await asyncio.wait(tasks, timeout=0.01)
        await asyncio.sleep(0)  # in which the last lines are let go of

    async def _serve(
        self, reader: asyncio.StreamReader, line: Line, upstream_port: int, naming: NameSource
    ) -> None:
        self._lines.add(line)
        self.figures.lines += 1
        try:
            with suppress(OSError):
                first = await reader.read(CHUNK_BYTES)
                line.source = naming(first)
                # Whoever is cut off has a connection, and nobody at its other end.
                await self._passage(line.source, line.target)
                far_reader, line.far = await asyncio.open_connection("127.0.0.1", upstream_port)
                await asyncio.gather(
                    self._pump(line, line.source, line.target, reader, line.far, first),
                    self._pump(line, line.target, line.source, far_reader, line.near),
                )
        finally:
            for writer in filter(None, (line.near, line.far)):
                writer.transport.abort()
            self._lines.discard(line)

    async def _pump(
        self,
        line: Line,
        sender: str,
        receiver: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes = b"",
    ) -> None:
        with suppress(OSError):
            while data := data or await reader.read(CHUNK_BYTES):
                weather = await self._passage(sender, receiver)
                if line.is_to_break:
                    writer.write(data[: len(data) // 2])
                    self.figures.broken += 1
                    line.abort()
                    return
                await self._carry(writer, data, weather)
                self.figures.bytes += len(data)
                data = b""
        await self._passage(sender, receiver)
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _passage(self, sender: str, receiver: str) -> Weather:
        """Wait until bytes get from one to the other; return how."""
        while (weather := self.weather(sender, receiver)).is_cut:
            await self._changed.wait()
        return weather

    async def _carry(self, writer: asyncio.StreamWriter, data: bytes, weather: Weather) -> None:
        delay = weather.delay_seconds + weather.jitter_seconds * self._random.random()
        if delay:
            await asyncio.sleep(delay)
        size = CHUNK_BYTES
        if weather.bytes_per_second is not None:
            size = max(1, weather.bytes_per_second // DRIPS_PER_SECOND)
        for at in range(0, len(data), size):
            if weather.bytes_per_second is not None:
                await asyncio.sleep(1 / DRIPS_PER_SECOND)
            writer.write(data[at : at + size])
            await writer.drain()
