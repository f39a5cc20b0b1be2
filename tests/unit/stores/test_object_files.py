import errno
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.stores.body import FilePart
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.errors import StoreDeniedError, StoreUnavailableError
from everlog.stores.object_files import ObjectFiles
from everlog.stores.object_files import _translated as translated
from everlog.stores.object_key import object_key

KEY = object_key("a/seg")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, StoreDeniedError),
        (errno.EROFS, StoreDeniedError),
        (errno.EPERM, StoreDeniedError),
        (errno.ENOSPC, StoreUnavailableError),
        (errno.EIO, StoreUnavailableError),
        (errno.ESTALE, StoreUnavailableError),
    ],
)
def test_file_errors_are_told_apart_by_what_helps(
    number: int, expected: type[StoreDeniedError | StoreUnavailableError]
) -> None:
    error = translated("create", KEY, OSError(number, "why", "/store/a/seg"))
    assert type(error) is expected
    assert "why" in str(error)


def test_a_call_that_nobody_wants_stops_and_leaves_nothing(tmp_path: Path) -> None:
    files = ObjectFiles(str(tmp_path))
    stop = threading.Event()
    stop.set()
    with pytest.raises(CallStoppedError):
        files.create(KEY, [b"x"], crc32c=crc32c(b"x"), stop=stop)
    assert files.list("", None, 10) == []

    files.overwrite(KEY, bytes(3 << 20))
    stop.clear()
    chunks: Generator[bytes, None, None] = files.chunks(KEY, 0, 3 << 20, stop)
    assert len(next(chunks)) == 1 << 20
    stop.set()
    with pytest.raises(CallStoppedError):
        next(chunks)


def test_an_object_that_is_read_outlives_its_deletion(tmp_path: Path) -> None:
    files = ObjectFiles(str(tmp_path))
    files.overwrite(KEY, b"a" * (2 << 20))
    chunks = files.chunks(KEY, 0, 2 << 20, threading.Event())
    next(chunks)
    files.delete([KEY])
    assert next(chunks) == b"a" * (1 << 20)


def test_a_source_and_a_target_may_be_the_same_file_system(tmp_path: Path) -> None:
    files = ObjectFiles(str(tmp_path / "store"))
    (tmp_path / "log").write_bytes(b"0123456789")
    part = FilePart(str(tmp_path / "log"), 2, 5)
    files.create(KEY, [part], crc32c=crc32c(b"23456"), stop=threading.Event())
    (tmp_path / "log").write_bytes(b"changed")
    assert files.read_all(KEY, 10) == b"23456"
