"""Where the bytes of an object go as they arrive: a buffer, or a file."""

import os
from collections.abc import Generator
from contextlib import closing

from crc32c import crc32c as crc32c_of

Chunks = Generator[bytes, None, None]
"""Bytes in order, none empty; closing it lets go of the file or connection behind it."""


def into_buffer(chunks: Chunks, buffer: bytearray | memoryview) -> None:
    """Copy chunks, which have exactly the bytes that the buffer takes."""
    target = memoryview(buffer).cast("B")
    at = 0
    with closing(chunks):
        for chunk in chunks:
            target[at : at + len(chunk)] = chunk
            at += len(chunk)
    assert at == len(target), f"{at} bytes arrived for a buffer of {len(target)}"


def into_file(chunks: Chunks, path: str) -> int:
    """Write chunks to a new or emptied file and return their CRC32C.

    After an error no file is left.

    Raises:
        OSError: The file cannot be written.
    """
    crc32c = 0
    with closing(chunks), open(path, "wb", buffering=0) as file:
        try:
            for chunk in chunks:
                crc32c = crc32c_of(chunk, crc32c)
                write_all(file.fileno(), chunk)
        except BaseException:
            os.unlink(path)
            raise
    return crc32c


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write a chunk at the current position, however many calls that takes."""
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]
