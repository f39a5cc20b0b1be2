"""A log that was written before anybody opened it is one like any other."""

import random

from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.builder import Record, build_batch
from service.hot.first_segment import write_first_segment
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import PARTITION, append, config, opened, written


def batches() -> list[bytearray]:
    record = Record(key=b"k", value=b"v", timestamp_ms=1)
    return [build_batch([record] * 3), build_batch([record] * 2)]


async def test_a_leader_goes_on_behind_it_even_after_a_power_cut() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    write_first_segment(disk, "/data", PARTITION, batches(), leader_epoch=LeaderEpoch(2))
    after = disk.after_crash(random.Random(1))
    store, log = await opened(after, config())
    assert (log.log_start, log.log_end) == (0, 5)
    assert list(log.epochs) == [(2, 0)]
    assert append(log, 10) == 5
    await written(log)
    assert log.epochs.epoch_of(Offset(5)) == 3
    await store.close()
