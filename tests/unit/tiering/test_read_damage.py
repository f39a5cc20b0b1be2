"""What readers have found damaged is said once for each object, and known until it is sound."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import structlog

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.object_keys import SegmentKey, parse_key
from everlog.model.errors import CorruptionError
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.app.readiness import readiness
from service.app.tier_metrics import tier_metrics
from service.partition.disk_pressure import DiskLevel
from service.partition.partition import Partition
from service.tiering.object_verification import Fault
from service.tiering.read_damage import FORGET_SECONDS, OBJECTS_MAX, WHOLE, ReadDamage
from tests.contract.object_stores import SteadyClock
from tests.unit.tiering.site import HastyClock, Site, metadata_tree, read_all, read_some, site
from tests.unit.tiering.test_cold_log import SETTINGS, cold_partition

WRONG = CorruptObjectError("key", "a bit")
UNREADABLE = "archive_object_unreadable"
AGAIN = "archive_object_readable_again"


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore(clock=HastyClock())


@pytest.fixture
async def running(tmp_path: Path, objects: MemoryObjectStore) -> AsyncIterator[Site]:
    async with (
        metadata_tree() as metadata,
        site(tmp_path, metadata, store=objects, settings=SETTINGS) as running,
    ):
        yield running


@contextmanager
def told() -> Iterator[list[tuple[str, str]]]:
    """Collect what is logged of damaged objects, and of which."""
    found: list[tuple[str, str]] = []
    with structlog.testing.capture_logs() as logs:
        yield found
    found += [(each["event"], each["object"]) for each in logs if "object" in each]


def first_object(objects: MemoryObjectStore) -> str:
    return min(each for each in objects._objects if "/seg/" in each)


@contextmanager
def damaged(objects: MemoryObjectStore, key: str, at: int) -> Iterator[None]:
    """Flip a bit of an object behind everybody's back."""
    stored = objects._objects[key]
    body = bytearray(stored.body)
    body[at] ^= 1
    objects._objects[key] = type(stored)(bytes(body), stored.crc32c, stored.modified_ms)
    yield
    objects._objects[key] = stored


@contextmanager
def missing(objects: MemoryObjectStore, key: str) -> Iterator[None]:
    stored = objects._objects.pop(key)
    yield
    objects._objects[key] = stored


async def refused(partition: Partition, times: int) -> None:
    for _ in range(times):
        with pytest.raises(CorruptionError):
            await read_some(partition, 0)


def page(running: Site) -> dict[str, float]:
    metrics = tier_metrics(running.cold, running.table, running.clock)
    return {each.name: value for each in metrics for value in each.values.values()}


def ready(running: Site) -> str:
    answer = readiness(
        is_ready=True,
        table=running.table,
        home=None,
        archives=running.cold.archiver.archives,
        disk=DiskLevel.CALM,
        now=running.clock.monotonic(),
        damaged=running.cold.damaged,
    )
    assert answer.status == 200
    return answer.body.decode()


def forget(running: Site, key: str) -> None:
    """Let the next read of an object go to the store."""
    reading, name = running.cold.reading, parse_key(key)
    assert isinstance(name, SegmentKey)
    found = reading.objects.at_hand(name.uid)
    if found is not None:
        for chunk in range(found.index.chunk_count):
            for each in (found.range_of(chunk), found.alone(chunk)):
                reading.ranges.drop(found, each)
    reading.objects.forget(name.uid)


def harmed(objects: MemoryObjectStore, key: str, harm: str) -> AbstractContextManager[None]:
    match harm:
        case "missing":
            return missing(objects, key)
        case "index":
            return damaged(objects, key, -20)
        case _:
            return damaged(objects, key, 1000)


@pytest.mark.parametrize("harm", ["batches", "index", "missing"])
async def test_an_object_that_cannot_be_read_is_told_once_until_it_can(
    running: Site, objects: MemoryObjectStore, harm: str
) -> None:
    partition, appended = await cold_partition(running)
    key = first_object(objects)
    with told() as logged:
        for _ in range(2):
            forget(running, key)
            with harmed(objects, key, harm):
                await refused(partition, 3)
                assert page(running)["everlog_tier_damaged_objects"] == 1
                assert ready(running).startswith("ok\ndegraded: 1 archived object is damaged")
                assert key in ready(running)
            assert await read_all(partition) == appended
            assert page(running)["everlog_tier_damaged_objects"] == 0
            assert ready(running) == "ok\n"
    assert [each for each in logged if each[0] != "object_missing"] == [
        (UNREADABLE, key),
        (AGAIN, key),
    ] * 2
    assert [each[0] for each in logged].count("object_missing") <= 2
    assert page(running)["everlog_tier_damaged_reads"] == 6


async def test_a_manifest_that_cannot_be_read_is_told_once_until_it_can(
    running: Site, objects: MemoryObjectStore
) -> None:
    partition, appended = await cold_partition(running)
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    tier = archive.tiered.tier
    assert tier.pointer.root is not None
    key = tier.pointer.root.key(tier.path).text
    with told() as logged:
        with damaged(objects, key, 10):
            for _ in range(3):
                tier.forget_root()
                await refused(partition, 1)
            assert running.cold.damaged == [key]
        assert await read_all(partition) == appended
    assert logged == [(UNREADABLE, key), (AGAIN, key)]
    assert running.cold.damaged == []


def test_an_object_is_sound_again_once_all_of_it_has_been_read_that_was_not() -> None:
    damage = ReadDamage(clock=SteadyClock())
    with pytest.raises(CorruptObjectError), reading(damage, range(4)):
        raise WRONG
    for chunk in (0, 1, 3):
        with reading(damage, [chunk]):
            pass
        assert list(damage.names) == ["key"]
    with reading(damage, range(2, 4)):
        pass
    assert list(damage.names) == []


def test_a_store_that_does_not_answer_says_nothing_of_its_objects() -> None:
    damage = ReadDamage(clock=SteadyClock())
    down = StoreUnavailableError("read", object_key("key"), "down")
    with pytest.raises(StoreUnavailableError), reading(damage, [0]):
        raise down
    assert list(damage.names) == []
    damage.note("key", WRONG, fault=Fault.DAMAGED)
    with pytest.raises(StoreUnavailableError), reading(damage, [WHOLE]):
        raise down
    assert list(damage.names) == ["key"]


def test_what_nobody_has_met_for_a_day_is_forgotten() -> None:
    clock = SteadyClock()
    damage = ReadDamage(clock=clock)
    for name in ("retired", "wanted"):
        damage.note(name, WRONG, fault=Fault.DAMAGED)
    clock.now_s += FORGET_SECONDS - 1
    damage.note("wanted", WRONG, fault=Fault.DAMAGED)
    clock.now_s += 2
    assert list(damage.names) == ["wanted"]


def test_no_more_than_so_many_objects_are_remembered_and_all_reads_are_counted() -> None:
    damage = ReadDamage(clock=SteadyClock())
    with told() as logged:
        for number in range(OBJECTS_MAX + 5):
            damage.note(f"{number}", WRONG, fault=Fault.DAMAGED)
    assert len(logged) == len(damage.names) == OBJECTS_MAX
    assert damage.times == OBJECTS_MAX + 5


def test_what_a_newer_everlog_wrote_is_not_to_be_replaced() -> None:
    damage = ReadDamage(clock=SteadyClock())
    with structlog.testing.capture_logs() as logs:
        damage.note("key", UnsupportedFormatError("key", 9, 1), fault=Fault.DAMAGED)
    assert logs[0]["fault"] == "newer"


def reading(damage: ReadDamage, parts: Iterable[int]) -> AbstractContextManager[None]:
    return damage.reading("key", fault=Fault.DAMAGED, parts=parts)
