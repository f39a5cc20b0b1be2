"""A store that copies by itself is held against the manifest, and done without if it refuses."""

from pathlib import Path

from everlog.model.storage_class import StorageClass
from everlog.stores.errors import StoreDeniedError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_server_copy import S3ServerCopy
from service.tiering.archive_copying import ArchiveCopier, CopyScope
from service.tiering.object_copying import SpooledCopier, StoreSideCopier
from service.tiering.partition_tier import PartitionTier
from tests.contract.object_stores import FailingStore, s3_session, s3_settings, s3_store
from tests.simulation.clock import SeededIds
from tests.unit.tiering.archives import made_archive, names
from tests.unit.tiering.copies import (
    keys,
    problems,
)
from tests.unit.tiering.site import HastyClock


class Uncopying:
    """A server that lets nobody copy."""

    calls = 0

    async def copy(self, key: ObjectKey, *, storage_class: StorageClass) -> None:
        self.calls += 1
        raise StoreDeniedError("copy", key, "AccessDenied")


async def test_a_bucket_is_copied_by_its_server_and_held_against_the_manifest(
    tmp_path: Path, moto: str
) -> None:
    archive = await made_archive(tmp_path / "data")
    ours, theirs = s3_store(moto, prefix="server/a/"), s3_store(moto, prefix="server/b/")
    for key, stored in archive._objects.items():
        await ours.create(key, stored.body)
    bad = names(archive, ".seg")[1]
    await ours.delete([bad])
    await ours.create(bad, b"?" * len(archive._objects[bad].body))
    client = s3_client(s3_settings(moto), session=s3_session())
    server = S3ServerCopy(
        s3_settings(moto, prefix="server/a/"), s3_settings(moto, prefix="server/b/"), client=client
    )
    read = FailingStore(ours, lambda: (None, None))
    objects = StoreSideCopier(
        server,
        theirs,
        otherwise=SpooledCopier(read, theirs, folder=str(tmp_path), ids=SeededIds(1)),
    )
    done = await ArchiveCopier(
        ours, theirs, objects=objects, scope=CopyScope(), clock=HastyClock()
    ).round()
    assert problems(done) == [bad]
    assert await keys(theirs) == await keys(ours) - {bad}, "what is damaged was removed again"
    assert "read" not in read.calls, "nothing came by here"
    for each in (server, ours, theirs):
        await each.close()


async def test_a_server_that_refuses_to_copy_is_asked_once(
    source: MemoryObjectStore, tier: PartitionTier, tmp_path: Path
) -> None:
    target = MemoryObjectStore(clock=HastyClock())
    server = Uncopying()
    otherwise = SpooledCopier(source, target, folder=str(tmp_path), ids=SeededIds(1))
    objects = StoreSideCopier(server, target, otherwise=otherwise)
    for key in names(source, ".seg")[:3]:
        await objects.copy(key, size=len(source._objects[key].body), crc32c=None)
    assert server.calls == 0, "without a checksum the copy cannot be held against anything"
    archive = ArchiveCopier(source, target, objects=objects, scope=CopyScope(), clock=HastyClock())
    assert problems(await archive.round()) == []
    assert 1 <= server.calls <= 8, "those under way at the first refusal"
    assert await keys(target) == await keys(source)
