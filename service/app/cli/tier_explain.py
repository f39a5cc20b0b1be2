"""``everlog tier explain``: where the records of a topic are, what that costs, what is at stake."""

from typing import Annotated, Any

import typer

from everlog.format.object_keys import PartitionPath
from everlog.model.errors import EverlogError
from everlog.model.storage_class import StorageClass
from everlog.stores.object_store import ObjectStore
from service.app.cli.archive_sums import ArchiveSums, read_archive_sums
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import fail
from service.app.cli.log_dirs import read_local_bytes
from service.app.cli.output import Output, OutputOption, show_json
from service.app.cli.prices import PricesOption, money_text, read_prices
from service.app.cli.scrub_facts import MetricsOption, read_scrub, scrub_text
from service.app.cli.sizes import count_text, plural, size_text
from service.app.cli.store_option import OptionalStoreOption, on_store, run_on_store
from service.app.cli.tier_cost import bytes_by_class, cost_facts
from service.app.cli.tier_facts import read_facts, sums_of
from service.app.cli.times import age_text, instant_text
from service.app.cli.topic_identity import (
    TopicIdentity,
    broker_settings,
    read_identity,
    read_store_url,
)
from service.app.cli.topic_options import read_cluster
from service.app.source_cluster import source_cluster
from service.app.system import SystemClock, SystemIds
from service.coordination.topic_cloning import ancestors_of
from service.tiering.topic_objects import TopicObjects

_PERCENT = 100
_HELD = "archive.hold is true: nothing archived is removed, and the topic is not deleted"
_RANGE_SETTING = "remote.fetch.range.bytes"
_RANGE_BYTES_DEFAULT = 4 << 20


def explain(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to explain.")],
    *,
    store: OptionalStoreOption = None,
    prices: PricesOption = None,
    metrics: MetricsOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say where the records of a topic are, what that costs, and what a lost disk would take.

    What is archived is read from the archive itself: that of the broker, or --store.
    """
    table = read_prices(prices)
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        partitions = read_facts(admin, metadata, [topic])
        identity = read_identity(admin, metadata, topic)
        settings = broker_settings(admin, metadata)
        url = store or read_store_url(admin, metadata)
        local_bytes = read_local_bytes(metadata, topic)
        scrub = read_scrub(admin, metadata, url=metrics)
    sums = sums_of(partitions)
    archive = _archive(url, identity, archived=sums["archived_records"], is_given=store is not None)
    range_bytes = int(settings.get(_RANGE_SETTING) or _RANGE_BYTES_DEFAULT)
    facts = {
        "topic": topic,
        **sums,
        "cloned_from": _cloned_from(url, identity),
        "store": url,
        "local_bytes": local_bytes,
        **size_facts(archive),
        "rpo_ms_max": rpo_ms_max(partitions, archive, now_ms=wall_ms()),
        "cost": None if archive is None else cost_facts(archive, table, range_bytes=range_bytes),
        "scrub": scrub,
    }
    if output is Output.JSON:
        show_json(facts)
        return
    for title, text in sentences(facts):
        print(f"{title:<7} {text}")


def _archive(
    url: str | None, identity: TopicIdentity, *, archived: int | None, is_given: bool
) -> dict[int, ArchiveSums] | None:
    """Read what the newest roots say, by partition; None if that cannot be."""
    if url is None:
        return None

    async def work(opened: ObjectStore) -> dict[int, ArchiveSums]:
        cluster_id = await source_cluster(opened, url, identity.cluster_id)
        paths = [
            PartitionPath(cluster_id=cluster_id, topic_id=identity.topic_id, partition=number)
            for number in identity.partitions
        ]
        return await read_archive_sums(opened, paths, now_ms=wall_ms())

    if is_given:
        found = run_on_store(url, work)
        if archived and not found:
            fail(f"{url} has nothing of this topic in it", "check the URL and its prefix")
        return found
    try:
        found = on_store(url, work)
    except EverlogError:
        return None
    # A broker elsewhere may name a directory that is another one here.
    return None if archived and not found else found


def _cloned_from(url: str | None, identity: TopicIdentity) -> list[str]:
    """Read what a topic was made from, its source first; nothing if that cannot be."""
    if url is None:
        return []

    async def work(opened: ObjectStore) -> list[str]:
        cluster_id = await source_cluster(opened, url, identity.cluster_id)
        objects = TopicObjects(opened, cluster_id=cluster_id, clock=SystemClock(), ids=SystemIds())
        record = await objects.newest(identity.topic_id)
        return [] if record is None else [each.name for each in ancestors_of(record.extra)]

    try:
        return on_store(url, work)
    except EverlogError:
        return []


def size_facts(archive: dict[int, ArchiveSums] | None) -> dict[str, Any]:
    """Add up how much is archived; what is not known is None."""
    if archive is None:
        names = (
            "archive_bytes",
            "archive_bytes_by_class",
            "archive_objects",
            "object_bytes_mean",
            "locked_bytes",
            "locked_trash_bytes",
            "locked_until_ms",
        )
        return dict.fromkeys(names)
    size = sum(each.bytes for each in archive.values())
    objects = sum(each.objects for each in archive.values())
    return {
        "archive_bytes": size,
        "archive_bytes_by_class": bytes_by_class(archive),
        "archive_objects": objects,
        "object_bytes_mean": size // objects if objects else None,
        **_lock_facts(archive),
    }


def _lock_facts(archive: dict[int, ArchiveSums]) -> dict[str, Any]:
    locks = [each.locks for each in archive.values()]
    ends = [each.until_ms for each in locks if each.until_ms is not None]
    return {
        "locked_bytes": sum(each.bytes for each in locks),
        "locked_trash_bytes": sum(each.trash_bytes for each in locks),
        "locked_until_ms": max(ends, default=None),
    }


def rpo_ms_max(
    partitions: list[dict[str, Any]], archive: dict[int, ArchiveSums] | None, *, now_ms: int
) -> int | None:
    """Return how old the oldest record is, at most, that is on local disks alone.

    None if nobody knows; 0 if there is none.
    """
    ages = []
    for each in partitions:
        lag = each["upload_lag"]
        if lag is None or archive is None:
            return None
        if not lag:
            continue
        sums = archive.get(each["partition"])
        since = each["oldest_ms"] if sums is None else sums.max_timestamp_ms
        if since is None:
            return None
        ages.append(max(0, now_ms - since))
    return max(ages, default=0)


def sentences(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (title, text) for each thing that is known."""
    records, local = facts["records"], facts["local_records"]
    archived = facts["archived_records"]
    if archived is None or local is None:
        return [("Where", "not known: the brokers of this topic do not tell where its records are")]
    where = f"local {_with_size(facts, 'local_bytes')}{count_text(local)} records"
    if not facts["tiered"] and not archived:
        stay = "not tiered: the records of this topic stay on local disks"
        return [("Where", where), ("Lag", stay), *_oldest(facts)]
    share = f" ({_PERCENT * archived // records}%)" if records else ""
    archive = f"{_with_size(facts, 'archive_bytes')}{count_text(archived)} of {count_text(records)}"
    return [
        ("Where", f"{where} - archive {archive}{share}"),
        *_origin(facts),
        *_objects(facts),
        *_locks(facts),
        *([("Hold", _HELD)] if facts.get("held") else []),
        ("Lag", _lag(facts)),
        *_oldest(facts),
        ("Read", _reading(facts, cold=records - local)),
        *_costs(facts),
        *([] if not facts.get("scrub") else [("Scrub", scrub_text(facts["scrub"]))]),
    ]


def _with_size(facts: dict[str, Any], name: str) -> str:
    size = facts.get(name)
    return "" if size is None else f"{size_text(size)}, "


def _origin(facts: dict[str, Any]) -> list[tuple[str, str]]:
    names = facts.get("cloned_from")
    if not names:
        return []
    source, *more = names
    whose = "".join(f", a clone of {each}" for each in more)
    return [("Origin", f"a clone of {source}{whose}; what it has from there is stored but once")]


def _objects(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if not facts.get("archive_objects"):
        return []
    objects, mean = facts["archive_objects"], facts["object_bytes_mean"]
    each = f" of {size_text(mean)} on average" if objects > 1 else ""
    text = f"{plural(objects, 'object')}{each} in {facts['store']}"
    classes = facts.get("archive_bytes_by_class") or {}
    if classes.keys() - {StorageClass.STANDARD.name}:
        parts = [f"{size_text(size)} {name}" for name, size in classes.items()]
        text = f"{text}: {', '.join(parts)}"
    return [("Objects", text)]


def _locks(facts: dict[str, Any]) -> list[tuple[str, str]]:
    until_ms = facts.get("locked_until_ms")
    if until_ms is None:
        return []
    text = f"{size_text(facts['locked_bytes'])} cannot be deleted"
    if facts["locked_trash_bytes"]:
        text += f", and {size_text(facts['locked_trash_bytes'])} that are not needed any more"
    return [("Locked", f"{text}; the last lock ends {instant_text(until_ms)} UTC")]


def _lag(facts: dict[str, Any]) -> str:
    if not facts["tiered"]:
        return "not tiered any more: what is new stays on local disks"
    if not facts["upload_lag"]:
        return "nothing waits"
    text = f"{count_text(facts['upload_lag'])} records are not archived yet"
    rpo_ms = facts.get("rpo_ms_max")
    if rpo_ms is None:
        return text
    return f"{text}; a lost disk would take at most the last {age_text(rpo_ms)}"


def _reading(facts: dict[str, Any], *, cold: int) -> str:
    if cold <= 0:
        return "a scan of everything is local"
    text = f"a scan of everything reads {count_text(cold)} from the archive"
    cost = facts.get("cost")
    return text if cost is None else f"{text}, in {cost['scan_gets']:,} GETs"


def _costs(facts: dict[str, Any]) -> list[tuple[str, str]]:
    cost = facts.get("cost")
    if cost is None:
        return []
    unit, puts = cost["currency"], cost["write_puts_gib"]
    parts = [
        f"{money_text(cost['month'])} {unit} a month stored",
        f"{money_text(cost['write_gib'])} {unit} to write a GiB ({puts:,.0f} PUTs)",
        f"{money_text(cost['scan_gib'])} {unit} to scan one ({cost['scan_gets_gib']:,.0f} GETs)",
    ]
    return [("Cost", f"{', '.join(parts)}; prices: {cost['prices']}")]


def _oldest(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if facts["oldest_ms"] is None:
        return []
    return [("Oldest", f"{instant_text(facts['oldest_ms'])} UTC")]
