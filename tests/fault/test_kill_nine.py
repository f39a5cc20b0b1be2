"""A broker that is killed again and again keeps its promises (``make fault``: 100 times)."""

import os
import random
import time
from pathlib import Path
from statistics import median

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.fault.broker_process import BrokerProcess
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations

KILLS = int(os.environ.get("EVERLOG_TEST_KILLS", "5"))
SEED = int(os.environ.get("EVERLOG_TEST_SEED", "1"))
PARTITIONS = 3
TOPIC = "survivor"
UP_SECONDS = (0.3, 1.5)


def _create(bootstrap: str, config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(TOPIC, PARTITIONS, 1, config=config)
    for created in admin.create_topics([new]).values():
        created.result()


@pytest.mark.timeout(60 + 30 * KILLS)
@pytest.mark.rule("REL-D1")
@pytest.mark.rule("REL-Y6")
def test_no_acknowledged_record_is_lost_doubled_or_moved_by_kill_nine(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    starts: list[float] = []
    with BrokerProcess(tmp_path) as broker:
        _create(broker.bootstrap, {"segment.bytes": str(1 << 20)})
        load = IdempotentLoad(broker.bootstrap, TOPIC, PARTITIONS)
        load.start()
        for _ in range(KILLS):
            time.sleep(rng.uniform(*UP_SECONDS))
            broker.kill()
            began = time.monotonic()
            broker.start()
            starts.append(time.monotonic() - began)
        time.sleep(UP_SECONDS[1])
        load.stop()
        assert not load.acknowledged.refused, load.acknowledged.refused[:5]
        for partition, promised in load.acknowledged.offsets.items():
            found = read_numbers(broker.bootstrap, TOPIC, partition)
            assert violations(promised, found) == []
            assert len(found) >= len(promised) > 0
    print(
        f"\nseed {SEED}: {KILLS} kills, {len(load.acknowledged)} records acknowledged, "
        f"serving again after {max(starts):.2f} s at most, {median(starts):.2f} s in the median"
    )


def test_the_checker_sees_every_kind_of_violation() -> None:
    promised = {0: 0, 1: 1, 2: 2}
    good = [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert violations(promised, good) == []
    assert "lost" in violations(promised, good[:2])[0]
    assert "again" in violations(promised, [*good, (4, 1)])[0]
    assert "promised" in violations(promised, [(0, 1), (1, 0), (2, 2)])[0]
    assert any("order" in each for each in violations({}, [(0, 1), (1, 0)]))
    assert any("gaps" in each for each in violations({}, [(0, 0), (2, 1)]))
