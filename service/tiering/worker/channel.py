"""The channel between broker and transfer process: calls with ids, several under way at a time.

A message is two lengths, a JSON object and raw bytes, over a Unix socket pair::

    0 length of the JSON u32 | 4 length of the bytes u32 | 8 JSON | bytes

A call is ``{"id", "op", ...}``, its answer ``{"id", "ok"}`` or ``{"id", "fault"}``; ``cancel``
has no answer of its own. Segment bytes never pass here: the worker reads and writes files.
"""

import asyncio
import json
from struct import Struct
from typing import Any

from everlog.model.errors import CorruptionError, EverlogError
from everlog.stores.errors import StoreUnavailableError
from service.tiering.worker.faults import decode_fault

FRAME_BYTES_MAX = 64 << 20
"""Roots, pages and indexes are far below; more is damage."""

_HEAD = Struct("<II")

Fields = dict[str, Any]
Answer = tuple[Fields, bytes]


async def read_message(reader: asyncio.StreamReader) -> Answer | None:
    """Return the next message; None when the other side has closed the channel.

    Raises:
        CorruptionError: It is no message.
    """
    try:
        fields_bytes, body_bytes = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        size = fields_bytes + body_bytes
        if size > FRAME_BYTES_MAX:
            raise CorruptionError(f"a message of {size} bytes")
        fields: Fields = json.loads(await reader.readexactly(fields_bytes))
        return fields, await reader.readexactly(body_bytes)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def write_message(writer: asyncio.StreamWriter, fields: Fields, body: bytes = b"") -> None:
    """Queue a message; messages of a few MiB at most are under way, so nobody waits here."""
    text = json.dumps(fields, separators=(",", ":")).encode()
    writer.write(b"".join((_HEAD.pack(len(text), len(body)), text, body)))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the channel; the other side reads its end."""
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        # The other side was faster.
        return


class Channel:
    """The broker's end: calls, and the futures of their answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._next_id = 0
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._is_open = True

    async def run(self) -> None:
        """Deliver answers until the other side is gone; then every call under way fails.

        Raises:
            CorruptionError: The other side has sent something that is no message.
        """
        try:
            while (message := await read_message(self._reader)) is not None:
                self._deliver(*message)
        finally:
            self._is_open = False
            pending, self._pending = self._pending, {}
            for future in pending.values():
                if not future.done():
                    future.set_exception(worker_gone("call"))
            await hang_up(self._writer)

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make a call; one that is cancelled is cancelled over there, too.

        Raises:
            EverlogError: Whatever the call raised over there.
            StoreUnavailableError: The worker went away; the outcome is unknown.
        """
        if not self._is_open:
            raise worker_gone(op)
        self._next_id += 1
        number = self._next_id
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        write_message(self._writer, {"id": number, "op": op, **fields}, body)
        try:
            return await future
        except asyncio.CancelledError:
            if self._is_open:
                write_message(self._writer, {"id": number, "op": "cancel"})
            raise
        finally:
            self._pending.pop(number, None)

    def close(self) -> None:
        """Hang up; the worker ends by itself."""
        self._writer.close()

    def _deliver(self, fields: Fields, body: bytes) -> None:
        future = self._pending.get(fields["id"])
        if future is None or future.done():
            return
        if "fault" in fields:
            future.set_exception(decode_fault(fields["fault"]))
        else:
            future.set_result((fields["ok"], body))


def worker_gone(op: str) -> EverlogError:
    """Return the error of a call that nobody has answered."""
    return StoreUnavailableError(op, "", "the transfer worker is not running")
