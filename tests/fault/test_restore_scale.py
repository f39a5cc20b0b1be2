"""How long a restore of many partitions takes, with manifests and without (``make fault``)."""

import asyncio
import json
import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.cut import Cut, CutOffset, CutTopic
from everlog.format.object_keys import ClusterKey, PartitionPath, RootKey, parse_key
from everlog.format.topic_record import TopicRecord
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.object_key import object_key
from everlog.stores.object_store import LIST_OBJECTS_MAX, ObjectStore, list_all
from everlog.stores.url import open_store
from service.app.system import SystemClock, SystemIds
from service.groups.partitioning import OFFSETS_TOPIC
from service.tiering.cut_objects import CutObjects, written
from service.tiering.topic_objects import TopicObjects
from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.integration.command import PROGRAM
from tests.unit.tiering.archive_maker import ArchiveMaker

PARTITIONS = int(os.environ.get("EVERLOG_TEST_RESTORE_PARTITIONS", "0"))
CLUSTER = "restored-cluster"
TOPICS = 10
COMMITS, OBJECTS_PER_COMMIT = 2, 2
AT_ONCE = 16
SECONDS_MAX = 300


@pytest.fixture(params=["file", "seaweedfs"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/store"
    endpoint = request.getfixturevalue("seaweedfs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    prefix = tmp_path.name.replace("_", "-")
    return f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1"


def topic_id(number: int) -> TopicId:
    return TopicId(b"topic-%010d" % number)


async def fill(url: str) -> None:
    """Put the archives of all partitions straight into a store."""
    clock = SystemClock()
    store = open_store(url, clock=clock)
    marker = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="the-first"))
    await store.create(object_key(ClusterKey(cluster_id=CLUSTER).text), marker)
    objects = TopicObjects(store, cluster_id=CLUSTER, clock=clock, ids=SystemIds())
    for number in range(TOPICS):
        record = TopicRecord(
            name=TopicName(f"topic-{number}"),
            topic_id=topic_id(number),
            partitions=PARTITIONS // TOPICS,
            config={"retention.ms": "-1"},
            created_ms=clock.wall_ms(),
        )
        await objects.put(record, owner=0, version=0)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        path = PartitionPath(
            cluster_id=CLUSTER, topic_id=topic_id(number % TOPICS), partition=number // TOPICS
        )
        async with slots:
            maker = ArchiveMaker(store, path)
            for _ in range(COMMITS):
                await maker.add(OBJECTS_PER_COMMIT)

    await asyncio.gather(*(one(number) for number in range(PARTITIONS)))
    await put_cut(store)
    await store.close()


async def put_cut(store: ObjectStore) -> None:
    """Put a cut with as many groups as there are partitions, each with an offset in all topics."""
    rows = [
        [CutOffset(number, Offset(number), LeaderEpoch(1), "", None)]
        for number in range(PARTITIONS // TOPICS)
    ]
    per_topic = {topic_id(number): PARTITIONS // TOPICS for number in range(TOPICS)}
    names = {each: TopicName(f"topic-{number}") for number, each in enumerate(per_topic)}
    offsets = TopicId(b"offsets".ljust(16, b"."))
    cut = Cut(
        cluster_id=CLUSTER,
        owner=0,
        created_ms=SystemClock().wall_ms(),
        settings={},
        topics=[
            CutTopic(
                name=names.get(each, OFFSETS_TOPIC),
                topic_id=each,
                partitions=count,
                config={},
                epoch=LeaderEpoch(1),
                is_tiered=each in names,
            )
            for each, count in (*per_topic.items(), (offsets, 50))
        ],
        groups={
            f"group-{number}": {each: rows[number % len(rows)] for each in per_topic}
            for number in range(PARTITIONS)
        },
    )
    objects = CutObjects(store, cluster_id=CLUSTER, ids=SystemIds())
    await objects.put(cut, await written(cut))


async def delete_roots(url: str) -> None:
    store = open_store(url, clock=SystemClock())
    roots = [name for name in await names_in(store) if isinstance(parse_key(name), RootKey)]
    for first in range(0, len(roots), LIST_OBJECTS_MAX):
        await store.delete([object_key(name) for name in roots[first : first + LIST_OBJECTS_MAX]])
    await store.close()


async def names_in(store: ObjectStore) -> list[str]:
    return [info.key async for info in list_all(store, "")]


def restored(url: str, directory: Path) -> Any:
    words = ("tier", "restore", "--store", url, "--data-dir", str(directory), "-o", "json")
    done = subprocess.run([PROGRAM, *words], capture_output=True, timeout=SECONDS_MAX, check=True)
    return json.loads(done.stdout)


def cpu_seconds() -> float:
    """Return what the processes have used that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.skipif(not PARTITIONS, reason="`make fault` measures it")
@pytest.mark.timeout(600)
@pytest.mark.rule("TIER-25")
def test_many_partitions_are_restored_with_their_manifests_and_without(
    tmp_path: Path, url: str
) -> None:
    asyncio.run(fill(url))
    for what in ("newest root", "segment objects"):
        if what == "segment objects":
            asyncio.run(delete_roots(url))
        before = cpu_seconds()
        report = restored(url, tmp_path / what.replace(" ", "-"))
        found, used = report["topics"], cpu_seconds() - before
        took = f"{report['seconds']:.1f} s, {used:.1f} s of CPU"
        print(f"\n{PARTITIONS} partitions from the {what}: {took}")
        assert sum(each["partitions"] for each in found) == PARTITIONS
        assert {each["from"] for each in found} == {what}
        objects = PARTITIONS * COMMITS * OBJECTS_PER_COMMIT
        assert sum(each["objects"] for each in found) == objects
        assert not any(each["notes"] or each["problem"] for each in found)
        assert report["cut"]["groups"] == PARTITIONS
        assert report["cut"]["offsets"] == PARTITIONS * TOPICS
