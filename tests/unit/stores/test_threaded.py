import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import CreatedObject, ObjectInfo, StoreCapabilities
from everlog.stores.received import Chunks
from everlog.stores.threaded import ThreadedObjectStore

KEY = object_key("a/seg")


class SlowObjects:
    """Blocking calls that take as long as the test wants, and say when they end."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended = False
        self.closed = False

    def _wait(self, stop: threading.Event) -> None:
        self.started.set()
        stop.wait()
        self.ended = True
        raise CallStoppedError

    def create(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
        stop: threading.Event,
    ) -> CreatedObject:
        if key == "quick":
            return CreatedObject(key=key, size=len(parts[0]), crc32c=crc32c)
        self._wait(stop)
        raise AssertionError

    def chunks(self, key: ObjectKey, start: int, length: int, stop: threading.Event) -> Chunks:
        yield bytes(length - 1)
        self._wait(stop)

    def overwrite(self, key: ObjectKey, content: bytes) -> None:
        raise NotImplementedError

    def read_all(self, key: ObjectKey, size_max: int) -> bytes:
        raise NotImplementedError

    def head(self, key: ObjectKey) -> ObjectInfo:
        raise NotImplementedError

    def list(self, prefix: str, start_after: str | None, limit: int) -> Sequence[ObjectInfo]:
        raise NotImplementedError

    def delete(self, keys: Sequence[ObjectKey]) -> None:
        raise NotImplementedError

    def probe(self, key: ObjectKey) -> StoreCapabilities:
        raise NotImplementedError

    def can_lock(self) -> bool:
        raise NotImplementedError

    def local_path(self, key: ObjectKey) -> str | None:
        return None

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("call", ["create", "read_into", "read_into_file"])
async def test_a_cancelled_call_lets_go_of_what_it_was_lent_first(
    call: str, tmp_path: object
) -> None:
    objects = SlowObjects()
    store = ThreadedObjectStore(objects, name="test", threads_max=2, reads_max=2)
    calls: dict[str, Callable[[], Coroutine[None, None, object]]] = {
        "create": lambda: store.create_from_file(KEY, [b"x"], crc32c=0),
        "read_into": lambda: store.read_into(KEY, 0, bytearray(10)),
        "read_into_file": lambda: store.read_into_file(KEY, 0, 10, f"{tmp_path}/chunk"),
    }
    async with asyncio.TaskGroup() as group:
        task: asyncio.Task[object] = group.create_task(calls[call]())
        await asyncio.to_thread(objects.started.wait)
        task.cancel()
        await asyncio.wait([task])
        assert objects.ended
    await store.close()
    assert objects.closed


async def test_a_checksum_is_made_when_none_is_given() -> None:
    store = ThreadedObjectStore(SlowObjects(), name="test", threads_max=1, reads_max=1)
    quick = object_key("quick")
    assert (await store.create(quick, b"body")).crc32c == crc32c(b"body")
    assert (await store.create(quick, b"body", crc32c=7)).crc32c == 7
    await store.close()


@pytest.mark.rule("TIER-35")
async def test_however_many_read_an_upload_finds_a_thread(tmp_path: Path) -> None:
    objects = SlowObjects()
    store = ThreadedObjectStore(objects, name="test", threads_max=1, reads_max=1)
    async with asyncio.TaskGroup() as group:
        readers = [
            group.create_task(store.read_into_file(KEY, 0, 10, f"{tmp_path}/{number}"))
            for number in range(5)
        ]
        await asyncio.to_thread(objects.started.wait)
        assert (await store.create(object_key("quick"), b"body")).size == 4
        for each in readers:
            each.cancel()
        await asyncio.wait(readers)
    await store.close()
