"""How long a restart takes after many commits; run by hand.

    python -m tests.fault.offsets_restart --commits 10000000

A broker makes ``__consumer_offsets``. Then the commits are written in this process, through the
same store and cleaner that a broker runs (ten million requests over a socket would take an hour),
each as a batch of its own. Then the broker is started again, and asked for the offsets of a group
of each partition until all are answered. At last the offsets of every group are compared.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from everlog.model.ids import PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header
from everlog.records.builder import Record, build_batch
from service.app.system import SystemClock
from service.app.system_disk import SystemDisk
from service.groups.offset_record import CommittedOffset, encode_offset_key, encode_offset_value
from service.groups.partitioning import group_partition
from service.hot.log import HotLog
from service.hot.store import HotStore
from service.model.topic_config import TopicConfig
from service.partition.topic_rules import hot_config
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.find_coordinator import FindCoordinatorRequest
from service.protocol.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from tests.fault.broker_process import BrokerProcess
from tests.integration.bad_input.wire import Wire

TOPIC = TopicName("orders")
PARTITIONS = 10
SHARDS = 50
BATCH_COMMITS = 2_000
_LOADING = {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a restart after many commits.")
    parser.add_argument("--commits", type=int, default=10_000_000)
    parser.add_argument("--groups", type=int, default=1_000)
    parser.add_argument("--segment-bytes", type=int, default=256 << 10)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    groups = [f"group-{number}" for number in range(given.groups)]
    one_of_each_shard = list({group_partition(group, SHARDS): group for group in groups}.values())
    with tempfile.TemporaryDirectory() as name:
        broker = BrokerProcess(
            Path(name), {"offsets.topic.segment.bytes": str(given.segment_bytes)}
        )
        with broker:
            with Wire(("127.0.0.1", broker.port)) as wire:
                wire.ask(FindCoordinatorRequest(key=groups[0], key_type=0), 2)
                _wait_for_all(wire, groups, None)
            broker.stop()
        began = time.monotonic()
        asyncio.run(_write(broker.data_dir, groups, given.commits, given.segment_bytes))
        logs = broker.data_dir / "logs"
        size = sum(each.stat().st_size for each in logs.rglob("*.log"))
        print(
            f"{given.commits} commits of {given.groups} groups in {time.monotonic() - began:.0f} s"
        )
        print(f"load average: {os.getloadavg()[0]:.1f}")
        print(f"left on disk: {size / 2**20:.1f} MiB")
        for attempt in range(3):
            began = time.monotonic()
            broker.start()
            ready_s = time.monotonic() - began
            with Wire(("127.0.0.1", broker.port)) as wire:
                _wait_for_all(wire, one_of_each_shard, None)
                served_s = time.monotonic() - began
                _wait_for_all(wire, groups, given.commits)
            print(
                f"start {attempt}: ready after {ready_s:.2f} s, all served after {served_s:.2f} s"
            )
            broker.stop() if attempt else broker.kill()


def _wait_for_all(wire: Wire, groups: list[str], commits: int | None) -> None:
    for number, group in enumerate(groups):
        wanted = OffsetFetchRequestTopic(name=TOPIC, partition_indexes=list(range(PARTITIONS)))
        while True:
            answer = wire.ask(OffsetFetchRequest(group_id=group, topics=[wanted]), 5)
            if answer.error_code not in _LOADING:
                break
            time.sleep(0.005)
        assert answer.error_code == 0, answer
        if commits is not None:
            found = [each.committed_offset for each in answer.topics[0].partitions]
            assert found == _expected(number, len(groups), commits), (group, found)


def _expected(number: int, groups: int, commits: int) -> list[int]:
    """The last commit of each of a group's partitions; commit n is of key n modulo the keys."""
    keys = groups * PARTITIONS
    return [
        commits - 1 - (commits - 1 - (number * PARTITIONS + partition)) % keys
        for partition in range(PARTITIONS)
    ]


async def _write(data_dir: Path, groups: list[str], commits: int, segment_bytes: int) -> None:
    threads = ThreadPoolExecutor(4)
    clock = SystemClock()
    store = HotStore(
        data_dir=str(data_dir),
        disk=SystemDisk(),
        clock=clock,
        flush_executor=threads,
        read_executor=threads,
        on_fatal=print,
    )
    (directory,) = [each for each in (data_dir / "logs").iterdir() if len(each.name) == 32]
    topic_id = TopicId(bytes.fromhex(directory.name))
    config = hot_config(
        TopicConfig.resolve(
            {
                "cleanup.policy": "compact",
                "segment.bytes": str(segment_bytes),
                "flush.messages": "1000",
            }
        )
    )
    known = [PartitionId(topic_id, shard) for shard in range(SHARDS)]
    await store.start(known)
    logs = [await store.open(each, config) for each in known]
    keys = [
        (logs[group_partition(group, SHARDS)], encode_offset_key(group, TOPIC, partition))
        for group in groups
        for partition in range(PARTITIONS)
    ]
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(store.run())
        await _append_all(logs, keys, commits, clock.wall_ms())
        while not store._cleaner.is_idle:
            await asyncio.sleep(0.1)
        running.cancel()
    await store.close()
    threads.shutdown()


async def _append_all(
    logs: list[HotLog], keys: list[tuple[HotLog, bytes]], commits: int, now_ms: int
) -> None:
    for number in range(commits):
        log, key = keys[number % len(keys)]
        value = encode_offset_value(CommittedOffset(offset=Offset(number), committed_ms=now_ms))
        batch = build_batch([Record(key=key, value=value, timestamp_ms=now_ms)])
        log.append(batch, read_header(batch), leader_epoch=LeaderEpoch(0))
        if number % BATCH_COMMITS == BATCH_COMMITS - 1:
            await asyncio.sleep(0)
            while sum(each.is_busy for each in logs) > SHARDS // 2:
                await asyncio.sleep(0.001)


if __name__ == "__main__":
    main()
