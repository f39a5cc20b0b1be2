import os
import threading
from pathlib import Path

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from everlog.stores.body import BodyPart, BodyReader, FilePart, body_range, body_size
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.errors import StoreCorruptionError
from everlog.stores.object_key import object_key

KEY = object_key("a/seg")
CONTENT = bytes(range(200))


def reader(*parts: BodyPart, crc: int, stop: threading.Event | None = None) -> BodyReader:
    return BodyReader(KEY, parts, crc32c=crc, stop=stop or threading.Event())


def bytes_of(parts: list[BodyPart]) -> bytes:
    return b"".join(
        CONTENT[part.position : part.position + part.length]
        if isinstance(part, FilePart)
        else bytes(part)
        for part in parts
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("body") / "log"
    path.write_bytes(CONTENT)
    return path


@st.composite
def bodies(draw: st.DrawFn) -> list[tuple[bool, int, int]]:
    ranges = st.tuples(st.booleans(), st.integers(0, 199), st.integers(0, 60))
    return [
        (in_file, start, min(length, 200 - start))
        for in_file, start, length in draw(st.lists(ranges, max_size=6))
    ]


def made(log: Path, ranges: list[tuple[bool, int, int]]) -> list[BodyPart]:
    return [
        FilePart(str(log), start, length)
        if in_file
        else memoryview(CONTENT)[start : start + length]
        for in_file, start, length in ranges
    ]


@given(bodies(), st.integers(1, 100))
def test_a_body_reads_as_its_parts_one_after_the_other(
    log: Path, ranges: list[tuple[bool, int, int]], size: int
) -> None:
    parts = made(log, ranges)
    whole = bytes_of(parts)
    with reader(*parts, crc=crc32c(whole)) as body:
        assert len(body) == len(whole) == body_size(parts)
        for _again in range(2):
            read = []
            while chunk := body.read(size):
                assert len(chunk) <= size
                read.append(chunk)
                assert body.tell() == sum(map(len, read))
            assert b"".join(read) == whole
            assert body.seek(0) == 0


@given(bodies(), st.integers(0, 400), st.integers(0, 400))
def test_a_range_of_a_body_is_a_body(
    log: Path, ranges: list[tuple[bool, int, int]], start: int, length: int
) -> None:
    parts = made(log, ranges)
    assert bytes_of(body_range(parts, start, length)) == bytes_of(parts)[start : start + length]


@pytest.mark.rule("TIER-7")
def test_the_last_bytes_of_a_changed_body_are_held_back(log: Path) -> None:
    with reader(FilePart(str(log), 0, 100), b"footer", crc=1) as body:
        assert len(body.read()) == 100
        with pytest.raises(StoreCorruptionError, match="not the promised 00000001") as caught:
            body.read()
        assert body.failure is caught.value


@pytest.mark.rule("TIER-7")
def test_an_empty_body_has_a_checksum_too() -> None:
    assert reader(b"", crc=0).read() == b""
    with pytest.raises(StoreCorruptionError):
        reader(b"", crc=1)


@pytest.mark.rule("TIER-1")
def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(CONTENT)
    with reader(FilePart(str(path), 50, 150), crc=crc32c(CONTENT[50:])) as body:
        body.read(10)
        os.truncate(path, 100)
        assert len(body.read()) == 40
        with pytest.raises(StoreCorruptionError, match="ends at 100, 100 bytes too early"):
            body.read()


def test_a_body_that_nobody_wants_stops(log: Path) -> None:
    stop = threading.Event()
    with reader(FilePart(str(log), 0, 200), crc=crc32c(CONTENT), stop=stop) as body:
        body.read(10)
        stop.set()
        with pytest.raises(CallStoppedError):
            body.read(10)
        assert isinstance(body.failure, CallStoppedError)


def test_a_body_goes_back_to_its_start_only(log: Path) -> None:
    with (
        reader(FilePart(str(log), 0, 200), crc=crc32c(CONTENT)) as body,
        pytest.raises(OSError, match="only be read from its start"),
    ):
        body.seek(1)


def test_a_file_of_the_caller_stays_open_and_ours_is_closed(log: Path) -> None:
    theirs = os.open(log, os.O_RDONLY)
    before = set(os.listdir("/proc/self/fd"))
    with reader(
        FilePart(theirs, 0, 100), FilePart(str(log), 100, 100), crc=crc32c(CONTENT)
    ) as body:
        while body.read():
            pass
        assert len(set(os.listdir("/proc/self/fd"))) > len(before)
    assert len(set(os.listdir("/proc/self/fd"))) == len(before)
    os.close(theirs)
