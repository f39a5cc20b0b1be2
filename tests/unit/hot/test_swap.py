"""The swap of segments, with a power cut at every step of it."""

import asyncio
import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from everlog.records.batch import BatchHeader, read_header
from everlog.records.builder import Producer, Record, build_batch
from service.hot.cleaning import Cleaned
from service.hot.swap import (
    Intent,
    decode_intent,
    encode_cleaned,
    encode_intent,
    read_cleaned,
    settle_swap,
)
from tests.simulation.cut_disk import CutDisk
from tests.simulation.disk import SimDisk
from tests.unit.hot.keyed_log import (
    PARTITION,
    append,
    cleaned,
    config,
    latest,
    settled,
    store_on,
    stored,
)


async def _check(disk: SimDisk, wanted: object, next_offset: int) -> None:
    store = store_on(disk)
    await store.start([PARTITION])
    log = await store.open(PARTITION, config())
    assert log.next_offset == next_offset
    found = await stored(log)
    assert latest(found) == wanted
    for start in range(0, next_offset, 5):
        assert await stored(log, start) == [each for each in found if each.offset >= start]
    names = [name for name, _ in disk.list_dir(log.directory)]
    assert not [name for name in names if "clean" in name and name != "cleaned"]
    segments = {name[:20] for name in names if name.endswith(".log")}
    assert {name[:20] for name in names if name.endswith(".index")} <= segments
    await cleaned(store)
    assert latest(await stored(log)) == wanted
    sequence = log.producers.check(_header_of_next())
    assert sequence is None
    await store.close()


def _header_of_next() -> BatchHeader:
    who = Producer(producer_id=9, epoch=0, base_sequence=30)
    made = build_batch([Record(key=b"k", value=b"v", timestamp_ms=0)], producer=who)
    return read_header(made)


def test_a_power_cut_at_any_step_of_a_cleaning_loses_nothing() -> None:
    async def life() -> None:
        disk = CutDisk()
        disk.make_dirs("/data")
        store = store_on(disk)
        await store.start([])
        log = await store.open(PARTITION, config(segment_bytes=700))
        for number in range(30):
            who = Producer(producer_id=9, epoch=0, base_sequence=number)
            value = None if number % 13 == 0 else b"value-%d" % number
            append(log, [(b"key-%d" % (number % 5), value)], producer=who)
        await settled(log)
        wanted, next_offset = latest(await stored(log)), log.next_offset
        disk.is_recording = True
        await cleaned(store)
        disk.is_recording = False
        assert len({operation for operation, _ in disk.cuts}) > 20
        for _, cut in disk.cuts:
            await _check(cut, wanted, next_offset)
        await store.close()

    asyncio.run(life())


def test_a_rest_without_an_intent_is_removed() -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    path = f"/log/{5:020d}.log.cleaned"
    disk.open(path, create=True)
    assert settle_swap(disk, "/log", [f"{5:020d}.log.cleaned"])
    assert disk.list_dir("/log") == []


def test_a_damaged_intent_is_never_guessed_at() -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    intent = Intent(size=5, crc=6, bases=(1, 2))
    disk.write_file_atomically("/log/cleaning", encode_intent(intent))
    disk.flip_bit("/log/cleaning", 20)
    with pytest.raises(CorruptionError):
        settle_swap(disk, "/log", ["cleaning"])


def test_an_intent_whose_file_is_damaged_is_dropped_while_the_old_segments_are_there() -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    intent = Intent(size=3, crc=6, bases=(1, 2))
    disk.write_file_atomically("/log/cleaning", encode_intent(intent))
    names = [f"{1:020d}.log", f"{2:020d}.log"]
    for name in [*names, f"{1:020d}.log.cleaned"]:
        disk.open(f"/log/{name}", create=True).write_at(0, [b"abc"])
    settle_swap(disk, "/log", [name for name, _ in disk.list_dir("/log")])
    assert [name for name, _ in disk.list_dir("/log")] == names


OFFSETS = st.integers(0, 2**63 - 1)


@given(
    size=OFFSETS,
    crc=st.integers(0, 2**32 - 1),
    bases=st.lists(OFFSETS, min_size=1, max_size=9).map(tuple),
)
def test_an_intent_survives_its_file(size: int, crc: int, bases: tuple[int, ...]) -> None:
    intent = Intent(size=size, crc=crc, bases=bases)
    assert decode_intent(encode_intent(intent)) == intent


@given(end=OFFSETS, until=st.none() | OFFSETS)
def test_how_far_a_log_is_clean_survives_its_file(end: int, until: int | None) -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    assert read_cleaned(disk, "/log") == Cleaned()
    state = Cleaned(end=end, tombstones_until=until)
    disk.write_file_atomically("/log/cleaned", encode_cleaned(state))
    assert read_cleaned(disk, "/log") == state
    disk.flip_bit("/log/cleaned", 9)
    assert read_cleaned(disk, "/log") == Cleaned()


def test_the_small_files_of_compaction_are_as_their_page_says() -> None:
    cleaned_file = encode_cleaned(Cleaned(end=7, tombstones_until=None))
    assert struct.unpack("<4sHHqqI", cleaned_file)[:5] == (b"EVLD", 1, 0, 7, -1)
    intent = encode_intent(Intent(size=5, crc=6, bases=(1, 9)))
    assert struct.unpack("<4sHHqIIqqI", intent)[:8] == (b"EVLC", 1, 0, 5, 6, 2, 1, 9)
    for content in (cleaned_file, intent):
        assert struct.unpack("<I", content[-4:]) == (crc32c(content[:-4]),)
