import pytest

from everlog.stores.errors import ObjectExistsError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from tests.contract.object_stores import SteadyClock

KEY = object_key("a/seg")


async def test_objects_have_the_time_of_the_clock() -> None:
    clock = SteadyClock()
    store = MemoryObjectStore(clock=clock)
    await store.create(KEY, b"x")
    clock.now_ms += 5000
    await store.create(object_key("b"), b"y")
    times = [info.modified_ms for info in await store.list("")]
    assert times == [clock.now_ms - 5000, clock.now_ms]


async def test_objects_stay_when_their_source_changes_or_the_store_is_closed() -> None:
    store = MemoryObjectStore(clock=SteadyClock())
    body = bytearray(b"before")
    await store.create(KEY, body)
    body[:] = b"after!"
    await store.close()
    assert await store.read_all(KEY, size_max=6) == b"before"
    with pytest.raises(ObjectExistsError):
        await store.create(KEY, b"")
