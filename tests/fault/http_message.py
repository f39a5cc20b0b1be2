"""HTTP/1.1 messages as a proxy needs them: read whole, changed, and sent on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from typing_extensions import override

_NO_BODY = {"204", "304"}
_FRAMING = {"content-length", "transfer-encoding"}


class CutOffError(Exception):
    """The other side hung up in the middle of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessage:
    """A request or a response.

    Attributes:
        start: The first line, without its end.
        headers: In their order; those that frame the body are made anew when it is sent.
    """

    start: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def with_body(self, body: bytes) -> Self:
        return replace(self, body=body)

    @property
    def head(self) -> bytes:
        """First line and headers, with the length of the body as it is."""
        kept = [f"{k}: {v}" for k, v in self.headers if k.lower() not in _FRAMING]
        lines = [self.start, *kept, f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @override
    def __bytes__(self) -> bytes:
        return self.head + self.body


async def read_head(reader: asyncio.StreamReader) -> HttpMessage | None:
    """Read first line and headers; None when the other side has hung up before."""
    try:
        text = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *lines = text[:-4].decode("latin-1").split("\r\n")
    headers = [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines)]
    return HttpMessage(start=start, headers=headers)


def body_length(head: HttpMessage) -> int:
    return int(head.header("content-length") or 0)


async def read_body(reader: asyncio.StreamReader, length: int) -> bytes:
    """Read a body of known length, or what is left of it.

    Raises:
        CutOffError: It ends too early.
    """
    try:
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise CutOffError from error


async def read_response(reader: asyncio.StreamReader, *, method: str) -> HttpMessage:
    """Read a response, whatever way its body is framed.

    Raises:
        CutOffError: It ends too early.
    """
    head = await read_head(reader)
    if head is None:
        raise CutOffError
    if method == "HEAD" or head.start.split()[1] in _NO_BODY:
        return head
    if (head.header("transfer-encoding") or "").lower() == "chunked":
        return head.with_body(await _read_chunks(reader))
    if head.header("content-length") is None:
        return head.with_body(await reader.read())
    return head.with_body(await read_body(reader, body_length(head)))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while True:
        size = int((await reader.readline()).split(b";")[0] or b"0", 16)
        pieces.append((await read_body(reader, size + 2))[:-2])
        if not size:
            return b"".join(pieces)
