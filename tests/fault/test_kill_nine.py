"""A broker that is killed again and again keeps its promises (``make fault``: 100 times)."""

import asyncio
import os
import random
import time
from pathlib import Path
from statistics import median

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.fault.broker_process import BrokerProcess
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.tier_audit import TierAudit, audit, make_older
from tests.waiting import wait_until

KILLS = int(os.environ.get("EVERLOG_TEST_KILLS", "5"))
SEED = int(os.environ.get("EVERLOG_TEST_SEED", "1"))
PAUSE_S = 0.0002 if KILLS >= 50 else 0.0005
"""Between two records of a partition: as fast as it goes, or some segments a second."""
PARTITIONS = 3
TOPIC = "survivor"
UP_SECONDS = (0.0, 0.6)
"""Between the first acknowledgement after a start and the next kill."""

SMALL_OBJECTS = {
    "segment.bytes": str(32 << 10),
    "remote.object.bytes": str(32 << 10),
    "local.retention.bytes": str(256 << 10),
    "remote.copy.lag.max.ms": "200",
}
"""So that there are uploads, merges and commits all the time, and most of the log is in the store
only."""

ORPHANS_GO = {
    "archive.orphan.grace.ms": str(3_600_000),
    "log.retention.check.interval.ms": "50",
}


def _create(bootstrap: str, config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(TOPIC, PARTITIONS, 1, config=config)
    for created in admin.create_topics([new]).values():
        created.result()


@pytest.mark.timeout(60 + 30 * KILLS)
@pytest.mark.rule("REL-D1")
@pytest.mark.rule("REL-Y6")
@pytest.mark.rule("TIER-9")
def test_kill_nine_loses_doubles_and_moves_no_acknowledged_record_and_leaves_no_object_unexplained(
    tmp_path: Path,
) -> None:
    rng = random.Random(SEED)
    starts: list[float] = []
    with BrokerProcess(tmp_path) as broker:
        _create(broker.bootstrap, SMALL_OBJECTS)
        load = IdempotentLoad(broker.bootstrap, TOPIC, PARTITIONS, pause_s=PAUSE_S)
        load.start()
        for _ in range(KILLS):
            load.wait_for_progress()
            time.sleep(rng.uniform(*UP_SECONDS))
            broker.kill()
            began = time.monotonic()
            broker.start()
            starts.append(time.monotonic() - began)
        load.wait_for_progress()
        load.stop()
        assert not load.acknowledged.refused, load.acknowledged.refused[:5]
        assert min(_local_starts(broker.data_dir)) > 0, "nothing was read from the store"
        for partition, promised in load.acknowledged.offsets.items():
            found = read_numbers(broker.bootstrap, TOPIC, partition)
            assert violations(promised, found) == []
            assert len(found) >= len(promised) > 0
        broker.kill()
    broker.wait_for_helpers()
    after = asyncio.run(audit(broker.data_dir))
    print(
        f"\nseed {SEED}: {KILLS} kills, {len(load.acknowledged)} records acknowledged, "
        f"serving again after {max(starts):.2f} s at most, {median(starts):.2f} s in the median"
        f"\n{after}"
    )
    assert after.problems == []
    assert after.commits > KILLS, "the kills fell between uploads"
    _remove_orphans(tmp_path, after)
    _spoil(broker.data_dir)


def _remove_orphans(directory: Path, before: TierAudit) -> None:
    """Let the product remove what the kills left, and see that it removes nothing else."""
    broker = BrokerProcess(directory, ORPHANS_GO)
    make_older(broker.data_dir, before.orphans, seconds=7200)
    names = [broker.data_dir / "store" / each.key for each in before.orphans]
    with broker:
        wait_until(lambda: not any(name.exists() for name in names), "orphans are still there")
        broker.stop()
    broker.wait_for_helpers()
    after = asyncio.run(audit(broker.data_dir))
    print(f"after a sweep: {after}")
    assert after.problems == []
    assert not set(names) & {broker.data_dir / "store" / each.key for each in after.orphans}
    assert all(after.ends[number] >= end for number, end in before.ends.items())


def _spoil(data_dir: Path) -> None:
    """See that the audit would have told what is missing, damaged or unexplained."""
    store = data_dir / "store"
    first, second, third, *_ = (store / each for each in asyncio.run(audit(data_dir)).live)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    content = bytearray(third.read_bytes())
    content[100] ^= 1
    third.write_bytes(content)
    (first.parent / "notes.txt").write_text("what is this?")
    (store / "notes.txt").write_text("and this?")
    told = asyncio.run(audit(data_dir)).problems
    for name in (first.name, second.name, third.name, "seg/notes.txt", "notes.txt is no object"):
        assert any(name in each for each in told), (name, told)


def _local_starts(data_dir: Path) -> list[int]:
    """Return where the local log of each partition of the topic begins."""
    logs = [each.parent for each in (data_dir / "logs").rglob("leader-epochs")]
    assert len(logs) == PARTITIONS
    return [min(int(each.stem) for each in log.glob("*.log")) for log in logs]


def test_the_checker_sees_every_kind_of_violation() -> None:
    promised = {0: 0, 1: 1, 2: 2}
    good = [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert violations(promised, good) == []
    assert "lost" in violations(promised, good[:2])[0]
    assert "again" in violations(promised, [*good, (4, 1)])[0]
    assert "promised" in violations(promised, [(0, 1), (1, 0), (2, 2)])[0]
    assert any("order" in each for each in violations({}, [(0, 1), (1, 0)]))
    assert any("gaps" in each for each in violations({}, [(0, 0), (2, 1)]))
