"""A data directory read with nothing but what docs/formats.md says."""

import struct

import pytest
from crc32c import crc32c

from everlog.model.offsets import Offset
from everlog.records.builder import Producer
from service.hot.store import HotStore
from tests.simulation.disk import SimDisk
from tests.unit.hot.test_log import PARTITION, append, batch, config, settled, store_on


@pytest.fixture
async def directory(disk: SimDisk) -> str:
    store: HotStore = store_on(disk)
    await store.start([])
    log = await store.open(PARTITION, config(segment_bytes=700))
    for sequence in range(30):
        append(log, batch("v", producer=Producer(producer_id=5, epoch=1, base_sequence=sequence)))
    await settled(log)
    await store.set_log_start(log, Offset(log.segments[1].next_offset))
    return log.directory


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


def checked(content: bytes) -> bytes:
    (stored,) = struct.unpack_from("<I", content, len(content) - 4)
    assert crc32c(content[:-4]) == stored
    return content[:-4]


def names(disk: SimDisk, directory: str, suffix: str) -> list[str]:
    return [name for name, _ in disk.list_dir(directory) if name.endswith(suffix)]


async def test_an_index_file_says_what_its_segment_holds(disk: SimDisk, directory: str) -> None:
    name = names(disk, directory, ".index")[0]
    segment = disk.read_file(f"{directory}/{name.removesuffix('.index')}.log")
    body = checked(disk.read_file(f"{directory}/{name}"))
    magic, version, _, size, next_offset, newest, _, rows, _ = struct.unpack_from(
        "<4sHHqqqqII", body
    )
    assert (magic, version, size) == (b"EVLX", 1, len(segment))
    offsets = struct.unpack_from(f"<{rows}I", body, 48)
    positions = struct.unpack_from(f"<{rows}I", body, 48 + 4 * rows)
    times = struct.unpack_from(f"<{rows}q", body, 48 + 8 * rows)
    assert len(body) == 48 + 16 * rows
    base = int(name[:20])
    for offset, position in zip(offsets, positions, strict=True):
        assert struct.unpack_from(">q", segment, position) == (base + offset,)
    assert times[0] == -1
    assert newest == 1000
    assert next_offset > base + offsets[-1]


async def test_the_small_files_say_who_wrote_and_where_the_log_begins(
    disk: SimDisk, directory: str
) -> None:
    epochs = checked(disk.read_file(f"{directory}/leader-epochs"))
    assert epochs[:4] == b"EVLE"
    assert struct.unpack_from("<Iq", epochs, 4) == (3, 0)
    start = checked(disk.read_file(f"{directory}/log-start"))
    assert start[:4] == b"EVLS"
    name = names(disk, directory, ".producers")[-1]
    producers = checked(disk.read_file(f"{directory}/{name}"))
    magic, version, _, offset, count = struct.unpack_from("<4sHHqI", producers)
    assert (magic, version, offset, count) == (b"EVLP", 1, int(name[:20]), 1)
    producer_id, epoch, batches, _ = struct.unpack_from("<qhHq", producers, 20)
    assert (producer_id, epoch, batches) == (5, 1, 5)
    last = struct.unpack_from("<iiq", producers, 40 + 4 * 16)
    assert last == (offset - 1, offset - 1, offset - 1)
