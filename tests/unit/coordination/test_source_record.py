"""A data directory reads the archive of one cluster, or writes its own; never both."""

import pytest

from service.coordination.archive_record import ArchiveRecord, create_archive_record
from service.coordination.embedded.store import EmbeddedStore
from service.coordination.identity import StartRefusedError
from service.coordination.source_record import keep_source, read_source, refuse_follower
from tests.unit.coordination.stage import open_server


async def test_a_directory_keeps_to_the_cluster_that_it_has_followed_first() -> None:
    store = await EmbeddedStore.connect(await open_server())
    assert await read_source(store) is None
    await keep_source(store, "first")
    await keep_source(store, "first")
    with pytest.raises(StartRefusedError, match=r"first.*archive of second"):
        await keep_source(store, "second")
    assert await read_source(store) == "first"


async def test_a_directory_that_follows_never_becomes_one_that_writes() -> None:
    store = await EmbeddedStore.connect(await open_server())
    await refuse_follower(store)
    await keep_source(store, "first")
    with pytest.raises(StartRefusedError, match="start with everlog broker --read-only"):
        await refuse_follower(store)


async def test_a_directory_with_an_archive_of_its_own_follows_nobody() -> None:
    store = await EmbeddedStore.connect(await open_server())
    await create_archive_record(store, ArchiveRecord(store_id="s", url="file:///s"))
    with pytest.raises(StartRefusedError, match="archive of its own"):
        await keep_source(store, "first")
