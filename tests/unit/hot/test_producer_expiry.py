"""Silent producers are forgotten; then any sequence of theirs is accepted again."""

import asyncio

from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from service.hot.store import HotStore
from tests.simulation.disk import SimDisk
from tests.simulation.loop import LoopClock, SimLoop, run_simulated
from tests.unit.hot.test_log import PARTITION, append, config, settled, store_on

DAY_MS = 24 * 60 * 60 * 1000


def _batch(producer_id: int, sequence: int) -> bytearray:
    who = Producer(producer_id=producer_id, epoch=0, base_sequence=sequence)
    return build_batch([Record(key=None, value=b"v", timestamp_ms=1)], producer=who)


def test_a_producer_that_was_silent_for_a_day_is_forgotten_and_another_is_not() -> None:
    async def life(loop: SimLoop) -> None:
        disk = SimDisk()
        disk.make_dirs("/data")
        store: HotStore = store_on(disk, LoopClock(loop))
        await store.start([])
        log = await store.open(PARTITION, config())
        expiring = loop.create_task(store.expire_producers(expiration_ms=DAY_MS, check_ms=600_000))
        append(log, _batch(7, 0))
        await settled(log)
        await asyncio.sleep(0.9 * DAY_MS / 1000)
        append(log, _batch(8, 0))
        await settled(log)
        assert log.producers.check(read_header(_batch(7, 0))) == 0
        await asyncio.sleep(0.2 * DAY_MS / 1000)
        assert log.producers.check(read_header(_batch(7, 99))) is None
        assert log.producers.check(read_header(_batch(8, 0))) == 1
        expiring.cancel()

    run_simulated(1, life)
