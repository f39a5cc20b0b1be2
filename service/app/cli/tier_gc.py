"""``everlog tier gc``: what an archive holds besides live objects, and when it goes."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import typer

from everlog.format.object_keys import PartitionPath
from everlog.format.pins import Pin
from everlog.model.ids import id_text
from everlog.stores.object_store import ObjectStore
from service.app.cli.archived_topics import (
    ClusterOption,
    TopicOption,
    find_partitions,
    wanted_topic,
)
from service.app.cli.connection import BOOTSTRAP_DEFAULT, BootstrapOption, wall_ms
from service.app.cli.failure import misuse
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.progress import Progress
from service.app.cli.sizes import count_text, plural, size_text
from service.app.cli.store_option import StoreOption, run_on_store
from service.app.cli.times import duration_ms, instant_text
from service.app.system import SystemClock, SystemIds
from service.tiering.gc_preview import (
    JUDGED_BY_BROKER,
    Holding,
    PartitionHoldings,
    holdings_of,
)
from service.tiering.offline_pins import PinsByPartition, pins_in
from service.tiering.orphans import Standing
from service.tiering.topic_objects import TopicObjects

HOLDINGS_SHOWN = 50
"""In a table; JSON has all that are kept."""

_WORDS = {
    Standing.LIVE: "live",
    Standing.TRASH: "trash",
    Standing.PINNED: "pinned",
    Standing.OPEN: "open",
    Standing.YOUNG: "young",
    Standing.ORPHAN: "orphan",
    Standing.AHEAD: "ahead",
    Standing.FOREIGN: "foreign",
}

_NOTE = (
    "No broker was asked: the newest root stands for the tier's pointer. What is open, orphan or "
    "ahead would be judged by the broker, which removes orphans by itself."
)


def gc(
    *,
    store: StoreOption,
    cluster: ClusterOption = None,
    topic: TopicOption = None,
    _dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; there is no other way offline.")
    ] = True,
    grace: Annotated[
        str,
        typer.Option(
            metavar="AGE", help="Younger objects are not judged; as the broker's setting."
        ),
    ] = "24h",
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what an archive holds besides live objects, why, and when it goes; changes nothing."""
    grace_ms = duration_ms(grace)
    if grace_ms is None:
        misuse(f"--grace: {grace!r} is no duration", "write 24h, 90m or 1d12h")
    topic_id = wanted_topic(topic, bootstrap)

    async def work(opened: ObjectStore) -> list[PartitionHoldings]:
        paths = await find_partitions(opened, url=store, cluster=cluster, topic_id=topic_id)
        found: list[PartitionHoldings] = []
        pins = await _pins(opened, {path.cluster_id for path in paths})
        with Progress("listing", has_end=True) as progress:
            for path in paths:
                held = await holdings_of(
                    opened, path, now_ms=wall_ms(), grace_ms=grace_ms, pins=pins.get(path, ())
                )
                found.append(held)
                facts = plural(len(found), "partition")
                progress.draw(facts, done=len(found), total=len(paths))
        return found

    held = run_on_store(store, work)
    if output is Output.JSON:
        facts = {"store": store, "dry_run": True, "pointer_known": False}
        show_json({**facts, "partition_list": [facts_of(each) for each in held]})
        return
    show(_summary(held))
    others = [each for partition in held for each in partition.others]
    if others:
        print()
        show(_holdings(others[:HOLDINGS_SHOWN]))
    more = sum(sum(each.objects.values()) - each.objects[Standing.LIVE] for each in held)
    if more > HOLDINGS_SHOWN:
        print(f"and {more - HOLDINGS_SHOWN:,} more; -o json has them")
    print(f"\n{_NOTE}")


async def _pins(store: ObjectStore, clusters: Collection[str]) -> PinsByPartition:
    found: dict[PartitionPath, Sequence[Pin]] = {}
    for cluster_id in clusters:
        objects = TopicObjects(store, cluster_id=cluster_id, clock=SystemClock(), ids=SystemIds())
        found |= await pins_in(store, objects, cluster_id=cluster_id)
    return found


def facts_of(held: PartitionHoldings) -> dict[str, Any]:
    """Return what a partition has in the store."""
    return {
        "cluster": held.path.cluster_id,
        "topic_id": id_text(held.path.topic_id),
        "partition": held.path.partition,
        "root": None if held.root is None else held.root.text,
        **{
            word: {"objects": held.objects[standing], "bytes": held.sizes[standing]}
            for standing, word in _WORDS.items()
        },
        "object_list": [
            {
                "key": each.key,
                "standing": _WORDS[each.standing],
                "bytes": each.size,
                "due_ms": each.due_ms,
                "reason": each.reason,
                "judged_by_broker": each.standing in JUDGED_BY_BROKER,
            }
            for each in held.others
        ],
    }


def _summary(held: Sequence[PartitionHoldings]) -> Table:
    shown = [each for each in _WORDS if any(one.objects[each] for one in held)]
    return Table(
        [
            Column("TOPIC ID"),
            Column("PARTITION", is_number=True),
            *(Column(_WORDS[each].upper(), is_number=True) for each in shown),
        ],
        [
            [
                id_text(one.path.topic_id),
                str(one.path.partition),
                *(_amount(one.objects[each], one.sizes[each]) for each in shown),
            ]
            for one in held
        ],
    )


def _amount(objects: int, size: int) -> str:
    return f"{count_text(objects)} ({size_text(size)})" if objects else "-"


def _holdings(holdings: Sequence[Holding]) -> Table:
    return Table(
        [
            Column("STANDING"),
            Column("SIZE", is_number=True),
            Column("GOES AFTER", rank=1),
            Column("OBJECT"),
            Column("WHY", is_prose=True),
        ],
        [
            [
                _WORDS[each.standing],
                size_text(each.size),
                instant_text(each.due_ms),
                each.key,
                f"{each.reason}; the broker would judge"
                if each.standing in JUDGED_BY_BROKER
                else each.reason,
            ]
            for each in holdings
        ],
    )
