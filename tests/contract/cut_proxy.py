"""Stands between a client and ZooKeeper, and cuts the line at the worst moment."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class CutProxy:
    """Passes bytes on. Armed, it cuts the line when it sees a request with a certain word.

    Attributes:
        port: To connect to.
        cut_at: Bytes in a request that the line is cut at; once.
        passes_on: Whether the server gets that request before.
        swallows: Connections that are taken next and never answered.
    """

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
        self.cut_at: bytes | None = None
        self.passes_on = False
        self.swallows = 0
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._lines: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Close every line."""
        for writer in self._lines:
            writer.close()
        self._lines.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.swallows > 0:
            self.swallows -= 1
            await reader.read()
            writer.close()
            return
        upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        self._lines += [writer, upstream[1]]
        back = asyncio.ensure_future(self._answers(upstream[0], writer))
        with suppress(ConnectionError):
            while chunk := await reader.read(1 << 20):
                if self.cut_at is not None and self.cut_at in chunk:
                    self.cut_at = None
                    back.cancel()
                    if self.passes_on:
                        upstream[1].write(chunk)
                        # The answer shows that it was done; the client never gets it.
                        await upstream[0].read(1 << 20)
                    break
                upstream[1].write(chunk)
        for line in (writer, upstream[1]):
            line.close()
        with suppress(asyncio.CancelledError):
            await back

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(1 << 20):
                writer.write(chunk)
        writer.close()
