"""A log that begins anew survives a crash at any step: all of it is there, or it is too short."""

import random
from dataclasses import replace

import pytest

from everlog.model.offsets import Offset
from service.hot.leader_epochs import LeaderEpochs
from service.hot.producer_state import ProducerStates
from service.hot.recovery import recover_log
from service.hot.restart import LogRestart, write_restart
from service.model.disk import DiskError
from tests.simulation.cut_disk import CutDisk
from tests.simulation.disk import SimDisk
from tests.unit.hot.plain_log import DIRECTORY, PARTITION, append, config, opened, written

RESTART = LogRestart(
    offset=Offset(100),
    log_start=Offset(7),
    epochs=LeaderEpochs([(1, 0), (3, 50)]),
    producers=ProducerStates(),
)


class StoppingDisk(SimDisk):
    """Refuses everything after so many operations."""

    def __init__(self) -> None:
        super().__init__()
        self.steps_left = 1 << 30

    def check(self, operation: str, path: str) -> None:
        if self.steps_left == 0:
            raise DiskError(operation, path, "the power is off")
        self.steps_left -= 1
        super().check(operation, path)


async def test_the_new_log_is_empty_and_knows_what_came_before() -> None:
    disk = SimDisk()
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=400))
    await written(log, *[100] * 8)
    again = await store.restart(log, RESTART)
    assert (again.local_start, again.log_end, again.log_start) == (100, 100, 7)
    assert list(again.epochs) == [(1, 0), (3, 50)]
    assert append(again, 10) == 100
    await written(again)
    await store.close()
    _, later = await opened(disk, config())
    assert (later.local_start, later.log_end, later.log_start) == (100, 101, 7)


@pytest.mark.rule("TIER-12")
async def test_a_crash_at_any_step_leaves_a_shorter_log_or_the_new_one() -> None:
    outcomes = set()
    for steps in range(60):
        disk = StoppingDisk()
        disk.make_dirs("/data")
        _, log = await opened(disk, config(segment_bytes=400))
        await written(log, *[100] * 8)
        disk.steps_left = steps
        try:
            write_restart(disk, DIRECTORY, RESTART)
        except DiskError:
            pass
        else:
            outcomes.add("done")
        found = recover_log(disk.after_crash(random.Random(steps)), PARTITION, DIRECTORY, now_ms=0)
        end = found.segments[-1].next_offset if found.segments else found.log_start
        if end < 100:
            outcomes.add("shorter")
            continue
        outcomes.add("new")
        assert (end, found.log_start, list(found.epochs)) == (100, 7, [(1, 0), (3, 50)])
    assert outcomes == {"done", "shorter", "new"}


@pytest.mark.rule("TIER-12")
@pytest.mark.parametrize("start", [0, 3])
async def test_a_log_starts_where_it_did_whenever_the_power_goes_and_begins_anew_later(
    start: int,
) -> None:
    disk, restart = CutDisk(), replace(RESTART, log_start=Offset(start))
    disk.make_dirs("/data")
    store, log = await opened(disk, config(segment_bytes=400))
    await written(log, *[100] * 8)
    if start:
        await store.set_log_start(log, Offset(start))
    await store._marks.save(store.logs)
    disk.is_recording = True
    await store.restart(log, restart)
    disk.is_recording = False
    assert len(disk.cuts) > 30
    for operation, left in disk.cuts:
        store, again = await opened(left, config())
        assert again.log_start == start, f"before {operation}: the archive would seem to be deleted"
        assert again.log_end <= 8 or (again.log_end, list(again.epochs)) == (100, [(1, 0), (3, 50)])
        if again.log_end < 100:
            again = await store.restart(again, restart)
        assert (again.local_start, again.log_end, again.log_start) == (100, 100, start)
        assert list(again.epochs) == [(1, 0), (3, 50)]
        store.check_promise(again)
