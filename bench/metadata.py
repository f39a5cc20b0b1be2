"""One question on Kafka's wire: what brokers and leaders are there? Without a client's timers.

Metadata version 1, the oldest that says "all topics" by null: every broker since 0.10 answers it.
"""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.errors import BenchError

_METADATA_KEY = 3
_VERSION = 1
_CLIENT_ID = b"bench"
_RETRY_S = 0.003
_ANSWER_LIMIT_S = 60.0
"""A broker that accepts before it can answer is waited for on that one connection."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who is there, and how many partitions of each topic have a leader."""

    brokers: int
    led: dict[str, int]


class _Reader:
    """Fields off a response, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return int(value)

    def text(self) -> str:
        size = self.number(">h")
        if size < 0:
            return ""
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def skip_numbers(self) -> None:
        count = self.number(">i")
        self._at += 4 * count


def encode_request(topics: Sequence[str] | None) -> bytes:
    """Write a whole frame; None asks for all topics."""
    names = b"" if topics is None else b"".join(_text(topic.encode()) for topic in topics)
    count = -1 if topics is None else len(topics)
    header = struct.pack(">hhi", _METADATA_KEY, _VERSION, 0) + _text(_CLIENT_ID)
    body = header + struct.pack(">i", count) + names
    return struct.pack(">i", len(body)) + body


def decode_response(body: bytes) -> Metadata:
    """Read a frame's content."""
    reader = _Reader(body)
    reader.number(">i")  # correlation id: there is one question only
    brokers = reader.number(">i")
    for _ in range(brokers):
        reader.number(">i")
        reader.text()
        reader.number(">i")
        reader.text()
    reader.number(">i")  # controller
    return Metadata(brokers, dict(_topic(reader) for _ in range(reader.number(">i"))))


def wait_until(
    port: int,
    holds: Callable[[Metadata], bool],
    *,
    topics: Sequence[str] | None,
    limit_s: float,
    check_alive: Callable[[], None],
) -> None:
    """Ask again and again until an answer of the broker on that port satisfies `holds`.

    Raises:
        BenchError: It did not within `limit_s`, or `check_alive` says that it never will.
    """
    deadline = time.perf_counter() + limit_s
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_LIMIT_S) as link:
                while time.perf_counter() < deadline:
                    if holds(_ask(link, topics)):
                        return
                    time.sleep(_RETRY_S)
        except OSError:
            check_alive()
            time.sleep(_RETRY_S)
    raise BenchError(f"no satisfying metadata from port {port} within {limit_s:g} s")


def _ask(link: socket.socket, topics: Sequence[str] | None) -> Metadata:
    link.sendall(encode_request(topics))
    (size,) = struct.unpack(">i", _exactly(link, 4))
    return decode_response(_exactly(link, size))


def _exactly(link: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = link.recv(size - len(received))
        if not part:
            raise ConnectionResetError("closed before its answer")
        received += part
    return bytes(received)


def _text(raw: bytes) -> bytes:
    return struct.pack(">h", len(raw)) + raw


def _topic(reader: _Reader) -> tuple[str, int]:
    reader.number(">h")
    name = reader.text()
    reader.number(">b")
    return name, sum(_partition_is_led(reader) for _ in range(reader.number(">i")))


def _partition_is_led(reader: _Reader) -> bool:
    error = reader.number(">h")
    reader.number(">i")
    leader = reader.number(">i")
    reader.skip_numbers()
    reader.skip_numbers()
    return error == 0 and leader >= 0
