"""A copy keeps each object in the storage class that the source has it in, or in one for all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typing_extensions import override

from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import StoreDeniedError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import CreatedObject
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_server_copy import S3ServerCopy
from service.app.cli.copy_report import RoundReport, print_round, round_facts
from service.app.cli.prices import Prices
from service.tiering.archive_copying import ArchiveCopier, CopyRound, CopyScope
from service.tiering.copy_classes import CopyClasses
from service.tiering.object_copying import ObjectCopier, SpooledCopier, StoreSideCopier
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.uploader import Uploaded
from tests.contract.object_stores import class_of, s3_session, s3_settings, s3_store
from tests.simulation.clock import SeededIds
from tests.unit.partition.classed_store import ClassedStore
from tests.unit.tiering.archives import BODY, grow
from tests.unit.tiering.copies import keys, made_source, problems
from tests.unit.tiering.site import HastyClock, Metadata
from tests.unit.tiering.test_partition_tier import claimed

COLD, OLD, USUAL = StorageClass.GLACIER_IR, StorageClass.STANDARD_IA, StorageClass.STANDARD
NEWER_EVERLOGS = 200


class PoorStore(ClassedStore):
    """Does not have every class, and says so as it does of everything that it refuses."""

    lacks: frozenset[StorageClass] = frozenset({COLD})

    @override
    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> CreatedObject:
        if storage_class in self.lacks:
            self.calls.append("refused")
            raise StoreDeniedError("create", key, "InvalidStorageClass")
        return await super().create_from_file(
            key, parts, crc32c=crc32c, storage_class=storage_class
        )


@pytest.fixture
async def source(metadata: Metadata, clock: HastyClock) -> MemoryObjectStore:
    """An archive of two objects in each of some classes, one of which nobody here knows."""
    store = await made_source(clock)
    tier = await claimed(metadata, store, clock)
    for number in (USUAL, OLD, COLD, NEWER_EVERLOGS):
        await extended(tier, store, number)
    return store


async def extended(tier: PartitionTier, store: MemoryObjectStore, number: int) -> None:
    uploaded = [
        Uploaded(entry=replace(each.entry, class_number=number), end_epoch=each.end_epoch)
        for each in await grow(tier, store, 2)
    ]
    await tier.commit(TierChange(uploaded=uploaded))


async def copied(
    source: MemoryObjectStore,
    target: ClassedStore,
    folder: Path,
    classes: CopyClasses | None = None,
) -> CopyRound:
    objects = SpooledCopier(source, target, folder=str(folder), ids=SeededIds(1))
    return await rounded(source, target, objects, classes)


async def rounded(
    source: MemoryObjectStore,
    target: ClassedStore,
    objects: ObjectCopier,
    classes: CopyClasses | None = None,
) -> CopyRound:
    archive = ArchiveCopier(
        source, target, objects=objects, scope=CopyScope(), clock=HastyClock(), classes=classes
    )
    done = await archive.round()
    assert problems(done) == []
    return done


def segment_classes(target: ClassedStore) -> Counter[StorageClass]:
    return Counter(found for key, found in target.classes.items() if key.endswith(".seg"))


def report_of(done: CopyRound) -> RoundReport:
    return RoundReport(
        done=done, verified=(), whole_as_of_ms=1, follow_seconds=None, is_trial=False
    )


async def test_objects_keep_the_class_that_the_manifest_says(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ClassedStore(MemoryObjectStore(clock=clock))
    done = await copied(source, target, tmp_path)
    assert segment_classes(target) == {USUAL: 4, OLD: 2, COLD: 2}
    others = {found for key, found in target.classes.items() if not key.endswith(".seg")}
    assert others <= {USUAL}
    facts = round_facts(report_of(done), Prices(), now_ms=1)
    size = len(BODY)
    assert facts["bytes_by_class"] == {
        "STANDARD": 4 * size,
        "STANDARD_IA": 2 * size,
        "GLACIER_IR": 2 * size,
    }
    gib = 1 << 30
    month = (4 * 0.023 + 2 * 0.0125 + 2 * 0.004) * size / gib
    assert facts["cost"]["month"] == pytest.approx(month)
    print_round(report_of(done), Prices(), now_ms=1)
    assert "\nClasses  GLACIER_IR " in capsys.readouterr().out


@pytest.mark.parametrize("wanted", [COLD, USUAL])
async def test_one_class_for_all_is_what_all_get(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path, wanted: StorageClass
) -> None:
    target = ClassedStore(MemoryObjectStore(clock=clock))
    await copied(source, target, tmp_path, CopyClasses(wanted))
    assert segment_classes(target) == {wanted: 8}


async def test_a_store_without_a_class_has_its_objects_as_standard_and_that_is_told(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = PoorStore(MemoryObjectStore(clock=clock))
    classes = CopyClasses()
    done = await copied(source, target, tmp_path, classes)
    assert segment_classes(target) == {USUAL: 6, OLD: 2}
    assert await keys(target) == await keys(source)
    facts = round_facts(report_of(done), Prices(), now_ms=1)
    assert facts["classes_refused"] == ["GLACIER_IR"]
    assert facts["bytes_by_class"].keys() == {"STANDARD", "STANDARD_IA"}
    print_round(report_of(done), Prices(), now_ms=1)
    assert "does not have GLACIER_IR: that is STANDARD there" in capsys.readouterr().out


async def test_a_class_that_was_asked_for_and_is_not_there_ends_the_copy(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path
) -> None:
    target = PoorStore(MemoryObjectStore(clock=clock))
    with pytest.raises(ExceptionGroup) as caught:
        await copied(source, target, tmp_path, CopyClasses(COLD))
    assert caught.group_contains(StoreDeniedError)
    assert segment_classes(target) == {}


async def test_a_store_that_refuses_everything_is_no_store_without_a_class(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path
) -> None:
    target, classes = PoorStore(MemoryObjectStore(clock=clock)), CopyClasses()
    target.lacks = frozenset(StorageClass)
    with pytest.raises(ExceptionGroup) as caught:
        await copied(source, target, tmp_path, classes)
    assert caught.group_contains(StoreDeniedError)
    assert classes.refused == set()


async def test_a_directory_has_no_classes_and_is_not_asked_for_any(
    source: MemoryObjectStore, clock: HastyClock, tmp_path: Path
) -> None:
    target = PoorStore(MemoryObjectStore(clock=clock))
    target.lacks = frozenset(StorageClass) - {USUAL}
    await copied(source, target, tmp_path, CopyClasses(has_any=False))
    assert segment_classes(target) == {USUAL: 8}
    assert "refused" not in target.calls


async def test_a_server_that_copies_by_itself_keeps_the_class_too(
    tmp_path: Path, moto: str
) -> None:
    ours, theirs = (s3_settings(moto, prefix=f"classes/{name}/") for name in "ab")
    source, target = (s3_store(moto, prefix=f"classes/{name}/") for name in "ab")
    key = object_key("any.seg")
    await source.create(key, BODY)
    server = S3ServerCopy(ours, theirs, client=s3_client(ours, session=s3_session()))
    otherwise = SpooledCopier(source, target, folder=str(tmp_path), ids=SeededIds(1))
    copier = StoreSideCopier(server, target, otherwise=otherwise)
    info = await source.head(key)
    await copier.copy(
        key, size=info.size, crc32c=info.checksum_crc32c, storage_class=StorageClass.STANDARD_IA
    )
    assert await class_of(moto, f"classes/b/{key}") == "STANDARD_IA"
    for each in (server, source, target):
        await each.close()
