"""An object gets into the store under one name or another, whatever the store does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.format.object_keys import PartitionPath, Stamp
from everlog.format.segment_sections import EpochStart
from everlog.model.errors import EverlogError
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.records.batch import stamp
from everlog.records.builder import Record, build_batch
from everlog.stores.errors import StoreDeniedError, StoreThrottledError, StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.planner import FileRange, UploadPlan
from service.tiering.upload_gate import UploadGate
from service.tiering.upload_queue import UploadLimits
from service.tiering.uploader import Uploaded, Uploader, in_process
from service.tiering.worker.channel import Fields
from service.tiering.worker.sealing import SealOrder
from tests.fault.fault_plan import Once
from tests.fault.faulty_store import FaultyStore, StoreFault
from tests.simulation.clock import SeededIds
from tests.simulation.hurried_loop import run_hurried
from tests.unit.tiering.site import HastyClock

PATH = PartitionPath(cluster_id="c", topic_id=TopicId(b"0123456789abcdef"), partition=0)
EPOCH = LeaderEpoch(1)


class Attempt:
    """The upload of one object over a store that fails once, or first in the ways it is told."""

    def __init__(
        self,
        directory: Path,
        kind: StoreFault,
        *,
        first: Sequence[EverlogError] = (),
    ) -> None:
        self.objects = MemoryObjectStore(clock=HastyClock())
        self.plan = Once(kind)
        self.waits: list[float] = []
        self._first = list(first)
        self.failures: list[type[EverlogError]] = []
        self._path = directory / "segment"
        self._batch = build_batch([Record(key=None, value=b"everlog", timestamp_ms=1)])
        stamp(self._batch, base_offset=0, leader_epoch=EPOCH)

    async def run(self) -> Uploaded:
        await asyncio.to_thread(self._path.write_bytes, self._batch)
        seal_and_put = in_process(FaultyStore(self.objects, self.plan))

        async def watched(order: SealOrder) -> Fields:
            try:
                if self._first:
                    raise self._first.pop(0)
                return await seal_and_put(order)
            except EverlogError as error:
                self.failures.append(type(error))
                raise

        uploader = Uploader(
            watched,
            gate=UploadGate(UploadLimits(), clock=HastyClock()),
            clock=HastyClock(),
            ids=SeededIds(),
        )
        return await uploader.upload(
            UploadPlan(
                offsets=OffsetRange(Offset(0), Offset(1)),
                ranges=(FileRange(str(self._path), 0, len(self._batch)),),
                producers_path=str(self._path.with_name("none")),
            ),
            path=PATH,
            stamp=Stamp(EPOCH, 1, 1),
            lineage=[EpochStart(EPOCH, Offset(0))],
            since_ms=0,
            back_off=self._back_off,
        )

    async def _back_off(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.rule("TIER-7")
@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-9")
@pytest.mark.parametrize(
    "kind",
    [
        StoreFault.THROTTLED,
        StoreFault.UNAVAILABLE,
        StoreFault.LOST,
        StoreFault.EXISTS,
        StoreFault.MISSING,
        StoreFault.SPOILED,
    ],
    ids=lambda kind: kind.name.lower(),
)
def test_an_upload_that_meets_a_fault_is_repeated_until_the_object_is_there(
    tmp_path: Path, kind: StoreFault
) -> None:
    attempt = Attempt(tmp_path, kind)
    entry = run_hurried(attempt.run).entry
    stored = attempt.objects._objects[object_key(entry.key(PATH).text)]
    assert (stored.crc32c, len(stored.body)) == (entry.crc32c, entry.size_bytes)
    assert attempt.plan.injected.total() == 1
    assert attempt.failures


@pytest.mark.rule("TIER-26")
def test_a_name_under_which_other_bytes_are_stored_is_never_used_again(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, StoreFault.SPOILED)
    entry = run_hurried(attempt.run).entry
    spoiled, good = attempt.objects._objects
    assert spoiled != good == entry.key(PATH).text


@pytest.mark.rule("TIER-9")
def test_a_new_object_that_is_not_shown_yet_keeps_its_name_and_needs_no_person(
    tmp_path: Path,
) -> None:
    attempt = Attempt(tmp_path, StoreFault.MISSING)
    entry = run_hurried(attempt.run).entry
    assert list(attempt.objects._objects) == [entry.key(PATH).text]
    assert set(attempt.failures) == {StoreUnavailableError}


@pytest.mark.rule("TIER-27")
def test_after_a_long_outage_a_store_that_throttles_is_asked_again_within_a_second(
    tmp_path: Path,
) -> None:
    away = StoreUnavailableError("upload", "k", "away")
    slow = StoreThrottledError("upload", "k", "SlowDown")
    attempt = Attempt(tmp_path, StoreFault.LOST, first=[away] * 20 + [slow])
    run_hurried(attempt.run)
    assert attempt.waits[19] >= 2.5
    assert attempt.waits[20] <= 1


def test_a_refusal_is_tried_again_ever_more_slowly_and_keeps_the_waits_of_others_short(
    tmp_path: Path,
) -> None:
    refused = StoreDeniedError("upload", "k", "AccessDenied")
    away = StoreUnavailableError("upload", "k", "away")
    attempt = Attempt(tmp_path, StoreFault.LOST, first=[refused] * 8 + [away])
    run_hurried(attempt.run)
    assert attempt.waits[7] >= 15
    assert attempt.waits[8] <= 0.01
