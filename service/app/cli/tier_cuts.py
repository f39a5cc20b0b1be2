"""``everlog tier cuts``: to which times a whole cluster can be brought back."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from everlog.format.cut import Cut
from everlog.format.meta_keys import CutKey
from everlog.model.errors import EverlogError, RetriableError
from everlog.stores.object_store import ObjectInfo, ObjectStore
from service.app.cli.archived_topics import ClusterOption, find_clusters
from service.app.cli.failure import fail
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.sizes import count_text, size_text
from service.app.cli.store_option import StoreOption, run_on_store
from service.app.cli.times import instant_text
from service.app.system import SystemIds
from service.tiering.cut_objects import CutObjects

READS_AT_ONCE_MAX = 8


def cuts(
    *,
    store: StoreOption,
    cluster: ClusterOption = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="Show the newest N.")
    ] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the cuts of a cluster, newest first: offsets of groups, settings, and all topics.

    A restore (everlog tier restore) takes the newest one, with --at the newest one made by then.
    """

    async def work(opened: ObjectStore) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for cluster_id in [cluster] if cluster else await find_clusters(opened, url=store):
            objects = CutObjects(opened, cluster_id=cluster_id, ids=SystemIds())
            newest = (await objects.listed())[::-1][:limit]
            found += await _facts_of_all(objects, newest)
        return found

    found = run_on_store(store, work)
    if output is Output.JSON:
        show_json({"store": store, "cuts": found})
    elif found:
        show(_table(found))
    else:
        fail(
            f"{store} has no cuts" + (f" of cluster {cluster}" if cluster else ""),
            "a broker with a tiered topic makes one every archive.cut.interval.ms, and at its stop",
        )


async def _facts_of_all(
    objects: CutObjects, newest: Sequence[tuple[CutKey, ObjectInfo]]
) -> list[dict[str, Any]]:
    slots = asyncio.Semaphore(READS_AT_ONCE_MAX)

    async def read(key: CutKey, info: ObjectInfo) -> dict[str, Any]:
        async with slots:
            try:
                return facts_of(key, info, await objects.read(key))
            except RetriableError:
                raise
            except EverlogError as error:
                return facts_of(key, info, str(error))

    return await asyncio.gather(*(read(*each) for each in newest))


def facts_of(key: CutKey, info: ObjectInfo, found: Cut | str) -> dict[str, Any]:
    """Return what is in a cut, or why nobody can tell."""
    facts: dict[str, Any] = {
        "cluster": key.cluster_id,
        "created_ms": key.created_ms,
        "owner": key.owner,
        "key": key.text,
        "bytes": info.size,
        "topics": None,
        "partitions": None,
        "groups": None,
        "offsets": None,
        "settings": None,
        "problem": None,
    }
    if isinstance(found, str):
        return {**facts, "problem": found}
    return {
        **facts,
        "topics": len(found.topics),
        "partitions": found.partitions,
        "groups": len(found.groups),
        "offsets": found.offsets,
        "settings": sum(map(len, found.settings.values())),
    }


def _table(found: Sequence[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("MADE"),
            Column("CLUSTER", rank=1),
            Column("OWNER", is_number=True, rank=2),
            Column("TOPICS", is_number=True),
            Column("PARTITIONS", is_number=True),
            Column("GROUPS", is_number=True),
            Column("OFFSETS", is_number=True),
            Column("SETTINGS", is_number=True, rank=3),
            Column("SIZE", is_number=True),
            Column("PROBLEM", is_prose=True),
        ],
        [
            [
                instant_text(each["created_ms"]),
                each["cluster"],
                count_text(each["owner"]),
                *(
                    count_text(each[name])
                    for name in ("topics", "partitions", "groups", "offsets", "settings")
                ),
                size_text(each["bytes"]),
                each["problem"] or "",
            ]
            for each in found
        ],
    )
