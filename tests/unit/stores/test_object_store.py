from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import list_all
from tests.contract.object_stores import FailingStore, SteadyClock


async def test_listing_all_asks_for_no_more_pages_than_there_are() -> None:
    store = FailingStore(MemoryObjectStore(clock=SteadyClock()), plan=lambda: (None, None))
    for n in range(6):
        await store.create(object_key(f"p/{n}"), b"")
    for page, requests in [(2, 4), (3, 3), (4, 2), (7, 1)]:
        store.calls.clear()
        listed = [info.key async for info in list_all(store, "p/", page_objects_max=page)]
        assert listed == [f"p/{n}" for n in range(6)]
        assert store.calls == ["list"] * requests
