"""A store that this process only reads."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from everlog.stores.errors import StoreDeniedError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, list_all
from everlog.stores.read_only import ReadOnlyObjectStore
from everlog.stores.url import open_store
from tests.contract.object_stores import SteadyClock

KEY = object_key("there")


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.create(object_key("new"), b"body"),
        lambda store: store.create_from_file(object_key("new"), [b"body"], crc32c=0),
        lambda store: store.overwrite(KEY, b"other"),
        lambda store: store.delete([KEY]),
        lambda store: store.probe(object_key("new")),
    ],
)
async def test_every_call_that_would_change_the_store_is_refused(
    call: Callable[[ObjectStore], Awaitable[object]],
) -> None:
    inner = MemoryObjectStore(clock=SteadyClock())
    await inner.create(KEY, b"body")
    with pytest.raises(StoreDeniedError, match="only reads"):
        await call(ReadOnlyObjectStore(inner))
    assert [info.key async for info in list_all(inner, "")] == [KEY]
    assert await inner.read_all(KEY, size_max=10) == b"body"


async def test_everything_is_read_as_it_is() -> None:
    inner = MemoryObjectStore(clock=SteadyClock())
    await inner.create(KEY, b"body")
    store = ReadOnlyObjectStore(inner)
    assert await store.read(KEY, 1, 2) == b"od"
    assert await store.read_all(KEY, size_max=10) == b"body"
    assert (await store.head(KEY)).size == 4
    assert [info.key async for info in list_all(store, "th")] == [KEY]


async def test_a_directory_that_is_only_read_keeps_what_writers_are_still_at(
    tmp_path: Path,
) -> None:
    url = f"file://{tmp_path}/store"
    store = open_store(url, clock=SteadyClock())
    await store.create(KEY, b"body")
    await store.close()
    half = [path for path in (tmp_path / "store").iterdir() if path.is_dir()]
    (half[0] / "upload").write_bytes(b"half")
    store = open_store(url, clock=SteadyClock(), is_read_only=True)
    assert await store.read_all(KEY, size_max=10) == b"body"
    await store.close()
    assert (half[0] / "upload").exists()
    await open_store(url, clock=SteadyClock()).close()
    assert not (half[0] / "upload").exists()
