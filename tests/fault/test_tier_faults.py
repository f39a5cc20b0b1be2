"""A store that fails in every way, and brokers and workers that are killed, lose nothing.

``make fault SUITE=tier`` injects 500 faults; ``make test`` some tens.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY, s3_store
from tests.fault.broker_process import BrokerProcess
from tests.fault.cold_reader import ColdReader
from tests.fault.fault_plan import FaultPlan
from tests.fault.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.fault.idempotent_load import IdempotentLoad, read_numbers, violations
from tests.fault.tier_audit import TierAudit, audit_store
from tests.waiting import wait_until

FAULTS = int(os.environ.get("EVERLOG_TEST_STORE_FAULTS", "8"))
SEED = int(os.environ.get("EVERLOG_TEST_SEED", "1"))
IS_LONG = FAULTS >= 200
SHARE = 0.06 if IS_LONG else 0.12
REQUESTS = (50, 700) if IS_LONG else (20, 100)
"""Of the store, between two kills."""
SECONDS_MAX = 60 + 3 * FAULTS
DRAIN_SECONDS_MAX = 180
TIMEOUT_S = 2 if IS_LONG else 1
PREFIX = "tier-faults"

MANY, LARGE = "many", "large"
PARTITIONS = {MANY: 3, LARGE: 1}
PAYLOAD_BYTES = {MANY: 400, LARGE: 100_000}
PAUSE_S = {MANY: 0.005, LARGE: 0.08} if IS_LONG else {MANY: 0.01, LARGE: 0.01}
NUMBERS_MAX = {MANY: 1 << 60, LARGE: 3000 if IS_LONG else 130}
"""Of large records, those that fill some objects and no more."""
TOPICS = {
    # Objects of one request each, all the time, and most of the log in the store only.
    MANY: {
        "segment.bytes": str(32 << 10),
        "remote.object.bytes": str(32 << 10),
        "local.retention.bytes": str(64 << 10),
    },
    # Objects in three parts.
    LARGE: {
        "segment.bytes": str(11 << 20),
        "remote.object.bytes": str(12 << 20),
        "local.retention.bytes": str(1 << 20),
    },
}
SETTINGS = {
    "log.retention.check.interval.ms": "500",
    "archive.reader.grace.ms": "500",
    "remote.cache.bytes": str(8 << 20),
    "remote.fetch.range.bytes": str(64 << 10),
}


@pytest.mark.timeout(SECONDS_MAX + DRAIN_SECONDS_MAX + 120)
@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-9")
@pytest.mark.rule("TIER-22")
@pytest.mark.rule("TIER-26")
@pytest.mark.rule("TIER-27")
def test_no_fault_of_the_store_and_no_kill_loses_spoils_or_leaks_anything(
    tmp_path: Path, seaweedfs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The worker finds them where every S3 client does.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    plan: FaultPlan[Fault] = FaultPlan(SEED, share=SHARE)
    with (
        fault_proxy(seaweedfs, plan) as proxy,
        BrokerProcess(tmp_path, SETTINGS, store=_url(proxy.endpoint)) as broker,
    ):
        _create_topics(broker.bootstrap)
        loads = {topic: _load(broker.bootstrap, topic) for topic in TOPICS}
        reader = ColdReader(broker.bootstrap, PARTITIONS, PAYLOAD_BYTES)
        for each in (*loads.values(), reader):
            each.start()
        kills = _torment(broker, proxy, loads[MANY])
        plan.is_on = False
        for load in loads.values():
            load.stop()
        wait_until(
            lambda: broker.metric("everlog_tier_lag_bytes") == 0,
            "it does not drain",
            seconds_max=DRAIN_SECONDS_MAX,
        )
        reader.stop()
        records = {topic: _check(broker.bootstrap, topic, load) for topic, load in loads.items()}
        broker.kill()
        broker.wait_for_helpers()
    after = asyncio.run(_audit(broker.data_dir, seaweedfs))
    print(
        f"\nseed {SEED}: {plan}; {proxy.throttled} requests throttled of "
        f"{proxy.requests.total()}\nkilled: {kills['broker']} brokers, {kills['worker']} workers; "
        f"acknowledged: {records[MANY]} records and {records[LARGE]} large ones; "
        f"read meanwhile: {reader.records} in {reader.passes} passes\n{after}"
    )
    assert after.problems == []
    assert reader.problems == []
    assert after.segments > FAULTS // 2, "there was hardly an object to lose"
    if IS_LONG:
        assert min(plan.injected[kind] for kind in Fault) >= FAULTS // 100
        assert reader.passes > 0


def _url(endpoint: str) -> str:
    return (
        f"s3://{BUCKET}/{PREFIX}?endpoint={endpoint}&region=us-east-1"
        f"&timeout_s={TIMEOUT_S}&part_bytes={5 << 20}"
    )


def _create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [
        NewTopic(topic, PARTITIONS[topic], 1, config=config) for topic, config in TOPICS.items()
    ]
    for created in admin.create_topics(wanted).values():
        created.result()


def _load(bootstrap: str, topic: str) -> IdempotentLoad:
    return IdempotentLoad(
        bootstrap,
        topic,
        PARTITIONS[topic],
        payload_bytes=PAYLOAD_BYTES[topic],
        pause_s=PAUSE_S[topic],
        numbers_max=NUMBERS_MAX[topic],
    )


def _torment(broker: BrokerProcess, proxy: FaultProxy, load: IdempotentLoad) -> Counter[str]:
    """Kill now the broker, now its worker, until there were faults enough."""
    rng = random.Random(SEED)
    kills: Counter[str] = Counter()
    deadline = time.monotonic() + SECONDS_MAX
    while not _is_enough(proxy.plan):
        assert time.monotonic() < deadline, f"too few faults: {proxy.plan}"
        if IS_LONG:
            print(f"\r{proxy.plan.injected.total()} faults", end="", flush=True)
        load.wait_for_progress()
        enough = proxy.requests.total() + rng.randint(*REQUESTS)
        wait_until(
            lambda enough=enough: proxy.requests.total() >= enough,
            "nobody asks the store",
            seconds_max=DRAIN_SECONDS_MAX,
        )
        if kills["broker"] <= kills["worker"]:
            broker.kill()
            broker.start()
            kills["broker"] += 1
        elif (pid := broker.worker_pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills["worker"] += 1
    return kills


def _is_enough(plan: FaultPlan[Fault]) -> bool:
    each = FAULTS // 100
    return plan.injected.total() >= FAULTS and all(plan.injected[kind] >= each for kind in Fault)


def _check(bootstrap: str, topic: str, load: IdempotentLoad) -> int:
    """Read everything back; return how many records were acknowledged."""
    assert not load.acknowledged.refused, load.acknowledged.refused[:5]
    for partition, promised in load.acknowledged.offsets.items():
        found = read_numbers(bootstrap, topic, partition, payload_bytes=PAYLOAD_BYTES[topic])
        assert violations(promised, found) == []
        assert len(found) >= len(promised) > 0
    return len(load.acknowledged)


async def _audit(data_dir: Path, endpoint: str) -> TierAudit:
    store = s3_store(endpoint, prefix=f"{PREFIX}/")
    try:
        return await audit_store(data_dir, store)
    finally:
        await store.close()
