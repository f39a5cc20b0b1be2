"""The list of cuts, over a store that a test has made."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from everlog.format.cluster_marker import ClusterMarker, encode_marker
from everlog.format.object_keys import ClusterKey
from everlog.stores.object_key import object_key
from everlog.stores.url import open_store
from service.app.cli.tier import app
from service.tiering.cut_objects import CutObjects, written
from tests.contract.object_stores import SteadyClock
from tests.simulation.clock import SeededIds
from tests.unit.format.samples import NOW_MS
from tests.unit.format.test_cut_codec import CLUSTER, a_cut


def store_with(directory: Path, *, cuts: int, damaged: bool = False) -> str:
    url = f"file://{directory}/store"

    async def fill() -> None:
        store = open_store(url, clock=SteadyClock())
        marker = encode_marker(ClusterMarker(cluster_id=CLUSTER, store_id="first"))
        await store.create(object_key(ClusterKey(cluster_id=CLUSTER).text), marker)
        objects = CutObjects(store, cluster_id=CLUSTER, ids=SeededIds(1))
        for number in range(cuts):
            cut = replace(a_cut(), created_ms=NOW_MS + number * 1000)
            await objects.put(cut, await written(cut))
        if damaged:
            await store.overwrite(object_key((await objects.all())[-1].text), b"{}")
        await store.close()

    asyncio.run(fill())
    return url


def facts(url: str, *words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["cuts", "--store", url, "-o", "json", *words])
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["cuts"]
    return found


def test_the_newest_cuts_are_listed_with_what_is_in_them(tmp_path: Path) -> None:
    url = store_with(tmp_path, cuts=3)
    found = facts(url, "--limit", "2")
    assert [each["created_ms"] for each in found] == [NOW_MS + 2000, NOW_MS + 1000]
    names = ("topics", "partitions", "groups", "offsets", "settings", "owner", "problem")
    assert [found[0][name] for name in names] == [2, 2, 2, 3, 2, 3, None]
    table = CliRunner().invoke(app, ["cuts", "--store", url]).stdout.splitlines()
    assert len(table) == 4
    assert table[0].split()[:2] == ["MADE", "CLUSTER"]


def test_a_damaged_cut_is_listed_and_keeps_no_other_out(tmp_path: Path) -> None:
    found = facts(store_with(tmp_path, cuts=2, damaged=True))
    assert "no JSON with a matching checksum" in found[0]["problem"]
    assert found[1]["partitions"] == 2


def test_where_there_are_none_it_is_said_when_there_will_be(tmp_path: Path) -> None:
    url = store_with(tmp_path, cuts=0)
    assert facts(url) == []
    done = CliRunner().invoke(app, ["cuts", "--store", url])
    assert done.exit_code == 1
    assert "archive.cut.interval.ms" in done.output
