import asyncio
import os
import tracemalloc
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.errors import RejectedError
from everlog.stores.body import FilePart
from everlog.stores.errors import ObjectExistsError, ObjectMissingError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.temporary_folder import TEMPORARY_FOLDER

KEY = object_key("a/seg/1")


async def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(bytes(20 << 20))
    crc = crc32c(bytes(20 << 20))
    store = FilesystemObjectStore(str(tmp_path / "store"))
    tracemalloc.start()
    try:
        await store.create_from_file(KEY, [FilePart(str(log), 0, 20 << 20)], crc32c=crc)
        await store.read_into_file(KEY, 0, 20 << 20, str(tmp_path / "copy"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await store.close()
    assert peak < 5 << 20


async def test_unfinished_objects_are_not_seen(tmp_path: Path) -> None:
    store = FilesystemObjectStore(str(tmp_path))
    await store.create(KEY, b"whole")
    (tmp_path / TEMPORARY_FOLDER / "1").write_bytes(b"half")
    assert [info.key for info in await store.list("")] == [KEY]
    await store.close()


async def test_opening_makes_nothing_and_removes_leftovers(tmp_path: Path) -> None:
    root = tmp_path / "store"
    await FilesystemObjectStore(str(root)).close()
    assert not root.exists()
    (root / TEMPORARY_FOLDER).mkdir(parents=True)
    (root / TEMPORARY_FOLDER / "1").write_bytes(b"half")
    await FilesystemObjectStore(str(root)).close()
    assert os.listdir(root / TEMPORARY_FOLDER) == []


async def test_a_key_cannot_be_the_folder_of_another(tmp_path: Path) -> None:
    store = FilesystemObjectStore(str(tmp_path))
    await store.create(KEY, b"")
    with pytest.raises(RejectedError, match="the folder of another"):
        await store.create(object_key(f"{KEY}/x"), b"")
    with pytest.raises(ObjectExistsError):
        await store.create(object_key("a/seg"), b"")
    with pytest.raises(RejectedError, match="the folder of another"):
        await store.overwrite(object_key("a/seg"), b"")
    with pytest.raises(ObjectMissingError):
        await store.head(object_key(f"{KEY}/x"))
    await store.close()


async def test_empty_folders_do_not_pile_up(tmp_path: Path) -> None:
    store = FilesystemObjectStore(str(tmp_path))
    keys = [object_key(f"{n}/seg/{n}") for n in range(5)]
    await asyncio.gather(*(store.create(key, b"") for key in keys))
    await store.delete(keys[1:])
    assert sorted(os.listdir(tmp_path)) == ["0", TEMPORARY_FOLDER]
    await store.close()


async def test_creators_and_deleters_of_one_folder_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    store = FilesystemObjectStore(str(tmp_path))

    async def come_and_go(name: str) -> None:
        key = object_key(f"topic/0/seg/{name}")
        for _ in range(20):
            await store.create(key, name.encode())
            assert await store.read_all(key, size_max=1) == name.encode()
            await store.delete([key])

    async with asyncio.TaskGroup() as group:
        for name in "abcdef":
            group.create_task(come_and_go(name))
    assert os.listdir(tmp_path) == [TEMPORARY_FOLDER]
    await store.close()


async def test_two_stores_on_one_directory_see_each_other(tmp_path: Path) -> None:
    one, two = FilesystemObjectStore(str(tmp_path)), FilesystemObjectStore(str(tmp_path))
    await one.create(KEY, b"one")
    with pytest.raises(ObjectExistsError):
        await two.create(KEY, b"two")
    assert await two.read_all(KEY, size_max=3) == b"one"
    await one.close()
    await two.close()


async def test_a_directory_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store = FilesystemObjectStore(str(tmp_path / "link"))
    await store.create(KEY, b"x")
    assert store.local_path(KEY) == str(tmp_path / "real" / KEY)
    assert [info.key for info in await store.list("")] == [KEY]
    await store.close()
