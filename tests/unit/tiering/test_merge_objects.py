"""One object of several, in the store: nothing missing, nothing damaged, nothing left behind."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.segment_index import SegmentIndex, open_segment
from everlog.format.segment_sections import EpochStart
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.records.batch import stamp
from everlog.records.builder import Record, build_batch
from everlog.stores.body import FilePart
from everlog.stores.errors import ObjectMissingError, StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from service.tiering.object_index import read_index, read_producers
from service.tiering.worker.merging import (
    MergeInput,
    MergeOrder,
    merge_fields,
    merge_objects,
    merge_order,
    reconcile,
)
from service.tiering.worker.sealing import SealOrder
from service.tiering.worker.storing import upload_object
from tests.contract.object_stores import FailingStore, SteadyClock

PATH = PartitionPath(cluster_id="c", topic_id=TopicId(b"0123456789abcdef"), partition=3)
LINEAGE = [EpochStart(LeaderEpoch(1), Offset(0)), EpochStart(LeaderEpoch(2), Offset(7))]


def key_of(start: int, end: int, number: int) -> SegmentKey:
    return SegmentKey(
        path=PATH,
        offsets=OffsetRange(Offset(start), Offset(end)),
        stamp=Stamp(LeaderEpoch(2), 1, 4),
        uid=Uid(bytes([number]) * 16),
    )


def batches(start: int, end: int) -> bytes:
    """Batches of two records, and one where that does not fit."""
    made = bytearray()
    for base in range(start, end, 2):
        records = [
            Record(key=None, value=b"%06d" % offset * 50, timestamp_ms=1000 + offset)
            for offset in range(base, min(base + 2, end))
        ]
        batch = build_batch(records)
        stamp(batch, base_offset=base, leader_epoch=LeaderEpoch(1 if base < 7 else 2))
        made += batch
    return bytes(made)


class Bench:
    """A store with objects that lie side by side."""

    def __init__(self, tmp_path: Path) -> None:
        self.objects = MemoryObjectStore(clock=SteadyClock())
        self.store = FailingStore(self.objects, lambda: (None, None))
        self.directory = tmp_path / "cache"
        self.directory.mkdir()
        self.tmp_path = tmp_path
        self.content = b""

    async def put(self, bounds: Sequence[int]) -> list[MergeInput]:
        made = []
        for number, (start, end) in enumerate(pairwise(bounds)):
            key, content = key_of(start, end, number), batches(start, end)
            path = self.tmp_path / f"{number}.log"
            path.write_bytes(content)
            producers = self.tmp_path / f"{number}.producers"
            producers.write_bytes(b"producers %d" % number)
            sealed = await upload_object(
                self.store,
                SealOrder(
                    key=key,
                    parts=[FilePart(str(path), 0, len(content))],
                    lineage=LINEAGE,
                    producers_path=str(producers),
                    created_ms=10 + number,
                ),
            )
            self.content += content
            made.append(
                MergeInput(
                    key=key,
                    size_bytes=sealed.object_bytes,
                    data_bytes=sealed.meta.data_bytes,
                    records=sealed.meta.records,
                    crc32c=sealed.crc32c,
                )
            )
        return made

    def order(self, inputs: Sequence[MergeInput]) -> MergeOrder:
        start, end = inputs[0].key.offsets.start, inputs[-1].key.offsets.end
        return MergeOrder(
            key=key_of(start, end, 99),
            inputs=inputs,
            path=str(self.directory / "m"),
            created_ms=10,
        )

    @property
    def left_behind(self) -> list[str]:
        return os.listdir(self.directory)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.rule("TIER-6")
async def test_a_merged_object_holds_every_byte_and_ends_like_the_last(bench: Bench) -> None:
    inputs = await bench.put([0, 4, 7, 12, 13])
    order = merge_order(merge_fields(bench.order(inputs)))
    sealed = await merge_objects(bench.store, order)
    body = await bench.store.read_all(object_key(order.key.text), size_max=1 << 20)
    index = open_segment(body, object_bytes=len(body), key=order.key)
    assert isinstance(index, SegmentIndex)
    assert body[: index.meta.data_bytes] == bench.content
    assert index.entry() == sealed.entry
    assert (index.meta.records, index.meta.created_ms, index.lineage()) == (13, 10, LINEAGE)
    found = await read_index(
        bench.store, order.key, size_bytes=len(body), data_bytes=index.meta.data_bytes
    )
    producers = await read_producers(bench.store, object_key(order.key.text), found)
    assert producers == b"producers 3"
    assert not bench.left_behind


async def test_the_same_order_twice_makes_the_same_object(bench: Bench) -> None:
    order = bench.order(await bench.put([0, 4, 7]))
    first = await merge_objects(bench.store, order)
    assert await merge_objects(bench.store, order) == first


def failing_once(call: int) -> Callable[[], tuple[Exception | None, None]]:
    calls = iter(range(1, 1000))
    down = StoreUnavailableError("read", "-", "down")
    return lambda: (down if next(calls) == call else None, None)


@pytest.mark.rule("TIER-6")
async def test_no_failed_read_is_passed_over(bench: Bench) -> None:
    inputs = await bench.put([0, 4, 7, 12])
    order = bench.order(inputs)
    for fails_at in range(1, 8):
        bench.store.plan = failing_once(fails_at)
        with pytest.raises(StoreUnavailableError):
            await merge_objects(bench.store, order)
        assert object_key(order.key.text) not in bench.objects._objects
        assert not bench.left_behind


@pytest.mark.rule("TIER-6")
async def test_a_missing_input_ends_the_merge(bench: Bench) -> None:
    inputs = await bench.put([0, 4, 7])
    await bench.store.delete([object_key(inputs[1].key.text)])
    with pytest.raises(ObjectMissingError):
        await merge_objects(bench.store, bench.order(inputs))
    assert not bench.left_behind


@pytest.mark.rule("TIER-6")
@pytest.mark.parametrize("at", [100, -100], ids=["a batch", "the index"])
async def test_a_damaged_input_ends_the_merge(bench: Bench, at: int) -> None:
    inputs = await bench.put([0, 4, 7])
    key = object_key(inputs[0].key.text)
    body = bytearray(await bench.store.read_all(key, size_max=1 << 20))
    body[at] ^= 1
    await bench.store.delete([key])
    await bench.store.create(key, bytes(body))
    with pytest.raises(CorruptObjectError):
        await merge_objects(bench.store, bench.order(inputs))
    assert not bench.left_behind


@pytest.mark.rule("TIER-5")
@pytest.mark.parametrize("wrong", [{"records": 3}, {"crc32c": 1}])
async def test_an_input_that_is_not_what_the_manifest_says_ends_the_merge(
    bench: Bench, wrong: dict[str, int]
) -> None:
    inputs = await bench.put([0, 4, 7])
    inputs[0] = replace(inputs[0], **wrong)
    with pytest.raises(CorruptObjectError):
        await merge_objects(bench.store, bench.order(inputs))


@pytest.mark.rule("TIER-5")
async def test_an_input_that_is_there_twice_ends_the_merge(bench: Bench) -> None:
    inputs = await bench.put([0, 4, 7])
    order = replace(bench.order(inputs), inputs=[inputs[0], inputs[0], inputs[1]])
    with pytest.raises(CorruptObjectError):
        await merge_objects(bench.store, order)


@pytest.mark.rule("TIER-6")
async def test_the_sums_of_what_is_made_have_to_be_those_of_what_it_is_made_of(
    bench: Bench,
) -> None:
    inputs = await bench.put([0, 4, 7, 9])
    sealed = await merge_objects(bench.store, bench.order(inputs[:2]))
    reconcile(inputs[:2], sealed)
    for others in (inputs, inputs[:1]):
        with pytest.raises(CorruptObjectError, match="7 records"):
            reconcile(others, sealed)
