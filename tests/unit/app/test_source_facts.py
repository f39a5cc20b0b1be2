"""What a read-only broker tells of the archive that it follows."""

import asyncio
from pathlib import Path

import pytest

from everlog.stores.errors import StoreUnavailableError
from service.app.source_facts import source_metrics, with_source
from service.net.admin_http import Answer
from tests.unit.partition.source_bucket import Source, following, one_topic

OK = Answer(200, b"ok\n")


def test_a_broker_that_follows_nobody_says_nothing_of_it() -> None:
    assert list(source_metrics(None, 1.0)) == []
    assert with_source(OK, None, 1.0) is OK


async def test_readiness_tells_how_old_is_what_is_known_and_what_is_wrong(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        follower, seen_at = reader.follower, reader.follower.seen_at or 0.0
        said = with_source(OK, follower, seen_at + 3)
        assert said.body == b"ok\nthe archive of cluster the-cluster was seen 3 s ago\n"
        source.failing.plan = lambda: (StoreUnavailableError("list", "-", "down"), None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await follower.run()
        said = with_source(OK, follower, seen_at + 300)
        assert said.status == 200
        age = b"the archive of cluster the-cluster was seen 300 s ago"
        assert said.body == b"ok\ndegraded: " + age + b": list -: down\n"
        found = {each.name: each.values[""] for each in source_metrics(follower, seen_at + 7)}
        assert found["everlog_source_seen_seconds"] == pytest.approx(7)
        assert found["everlog_source_partitions"] == 1


async def test_readiness_tells_of_partitions_whose_manifests_are_damaged(tmp_path: Path) -> None:
    source = Source()
    await source.mark()
    await source.record("t")
    await source.add("t", with_hint=False)
    await source.store.overwrite(source.maker("t").roots[0], b"damaged")
    async with following(source, tmp_path) as reader:
        await reader.follower.poll()
        said = with_source(OK, reader.follower, 0.0)
        assert said.status == 200
        assert b"\ndegraded: of 1 of its partitions nothing newer can be read" in said.body
