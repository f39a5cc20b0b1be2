from collections.abc import Generator
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.stores.received import into_buffer, into_file


def chunks(*given: bytes, fail: bool = False) -> Generator[bytes, None, None]:
    yield from given
    if fail:
        raise ConnectionError


def test_chunks_fill_a_buffer() -> None:
    buffer = bytearray(b"......")
    into_buffer(chunks(b"ab", b"c", b"def"), buffer)
    assert buffer == b"abcdef"


def test_chunks_fill_a_file_and_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "chunk"
    path.write_bytes(b"something longer than what comes")
    assert into_file(chunks(b"ab", b"c" * 100_000), str(path)) == crc32c(b"ab" + b"c" * 100_000)
    assert path.read_bytes() == b"ab" + b"c" * 100_000


def test_a_broken_source_leaves_no_file_and_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "chunk"
    source = chunks(b"ab", fail=True)
    with pytest.raises(ConnectionError):
        into_file(source, str(path))
    assert not path.exists()
    assert getgeneratorstate(source) == GEN_CLOSED


def test_a_target_that_cannot_be_written_closes_the_source(tmp_path: Path) -> None:
    source = chunks(b"ab")
    with pytest.raises(FileNotFoundError):
        into_file(source, str(tmp_path / "none" / "chunk"))
    assert getgeneratorstate(source) == GEN_CLOSED
