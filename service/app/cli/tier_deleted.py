"""``everlog tier deleted`` and ``everlog tier undelete``: deleted topics, and back from there.

Which there are is read from the store: it tells names, times and sizes, also without a broker. Who
decides whether one comes back is the cluster's controller, whatever the store says.
"""

from typing import Annotated, Any

import typer

from everlog.model.ids import TopicId, id_text
from everlog.stores.object_store import ObjectStore
from service.app.cli.archived_topics import ClusterOption, find_clusters, topic_id_of
from service.app.cli.client_library import Admin, kafka_admin
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import fail
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.sizes import plural, size_text
from service.app.cli.store_option import (
    BROKERS_STORE,
    STORE_OPTION,
    OptionalStoreOption,
    run_on_store,
)
from service.app.cli.times import age_text, instant_text
from service.app.cli.topic_identity import archive_cluster, check_writable, read_store_url
from service.app.cli.topic_options import check_name, create_topic, read_cluster, read_pairs
from service.tiering.deleted_archives import DeletedArchive, deleted_archives
from service.tiering.topic_objects import TopicObjects

_UNDELETE = "archive.undelete"
_LOST = "records that were not archived before the deletion are lost"


def deleted(
    *,
    store: OptionalStoreOption = None,
    cluster: ClusterOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the deleted topics whose archive is still there, and until when.

    They are read from the archive: that of the broker, or --store, which needs no broker.
    """
    if store is None:
        with kafka_errors(bootstrap):
            url, cluster = _asked(connect_admin(bootstrap), cluster)
        found = _read(url, cluster, option=BROKERS_STORE)
    else:
        url = store
        found = _read(url, cluster)
    facts = [_facts(each) for each in found]
    if output is Output.JSON:
        show_json(facts)
    elif not facts:
        print(f"no deleted topic has anything in {url}")
    else:
        show(_table(facts))


def undelete(
    topic: Annotated[
        str,
        typer.Argument(
            metavar="NAME|ID", help="What to bring back; of one name the last that was deleted."
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Another name than it had.")
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", metavar="NAME=VALUE", help="Another setting than it had."),
    ] = None,
    store: OptionalStoreOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Bring a deleted topic back with all that is archived of it, while that is still there.

    Records that were not archived before the deletion are lost. Consumer groups begin anew.
    """
    if name is not None:
        check_name(name)
    overrides = read_pairs("--config", config)
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        check_writable(admin, read_cluster(admin))
        topic_id = topic_id_of(topic)
        if topic_id is None or name is None:
            if store is None:
                held = _read(*_asked(admin, None), option=BROKERS_STORE)
            else:
                held = _read(store, read_cluster(admin).cluster_id)
            found = _wanted(held, topic, topic_id)
            topic_id, name = found.topic_id, name or _name(found, topic)
        wish = {**overrides, _UNDELETE: id_text(topic_id)}
        wanted = kafka_admin().NewTopic(name, -1, -1, config=wish)
        advice = "bring it back under another name, with --as NAME"
        partitions = len(create_topic(admin, wanted, advice=advice).partitions)
    facts = {"topic": name, "topic_id": id_text(topic_id), "partitions": partitions}
    if output is Output.JSON:
        show_json(facts)
    else:
        print(f"{name} is back  {plural(partitions, 'partition')}; {_LOST}")


def _asked(admin: Admin, cluster: str | None) -> tuple[str, str | None]:
    """Ask a broker where its archive is, and whose it is."""
    metadata = read_cluster(admin)
    url = read_store_url(admin, metadata)
    if url is None:
        fail("the broker does not tell where its archive is", "say it with --store URL")
    return url, cluster or archive_cluster(admin, metadata)


def _read(url: str, cluster: str | None, *, option: str = STORE_OPTION) -> list[DeletedArchive]:
    async def work(opened: ObjectStore) -> list[DeletedArchive]:
        from service.app.system import SystemClock, SystemIds

        clusters = [cluster] if cluster is not None else await find_clusters(opened, url=url)
        found: list[DeletedArchive] = []
        for each in clusters:
            topics = TopicObjects(opened, cluster_id=each, clock=SystemClock(), ids=SystemIds())
            found += await deleted_archives(opened, topics, cluster_id=each)
        return found

    return run_on_store(url, work, option=option)


def _wanted(found: list[DeletedArchive], topic: str, topic_id: TopicId | None) -> DeletedArchive:
    """Return the topic that is meant, the one that was deleted last; end if there is none."""
    meant = [
        each
        for each in found
        if each.topic_id == topic_id or (each.record is not None and each.record.name == topic)
    ]
    if not meant:
        names = sorted({each.record.name for each in found if each.record is not None})
        there = f"those that are: {', '.join(names)}" if names else "no other one is, either"
        fail(f"no deleted topic {topic} is still there", there)
    return meant[0]


def _name(found: DeletedArchive, topic: str) -> str:
    if found.record is None:
        fail(f"nothing tells the name that {topic} had", "give it one with --as NAME")
    return found.record.name


def _facts(found: DeletedArchive) -> dict[str, Any]:
    record, mark = found.record, found.mark
    return {
        "cluster": found.cluster_id,
        "topic_id": id_text(found.topic_id),
        "topic": None if record is None else record.name,
        "partitions": None if record is None else record.partitions,
        "archive_bytes": found.bytes,
        "deleted_ms": None if mark is None else mark.deleted_ms,
        "goes_ms": None if mark is None else mark.goes_ms,
    }


def _table(facts: list[dict[str, Any]]) -> Table:
    now_ms = wall_ms()
    return Table(
        [
            Column("TOPIC"),
            Column("TOPIC ID"),
            Column("PARTITIONS", is_number=True, rank=2),
            Column("ARCHIVED", is_number=True),
            Column("DELETED", rank=1),
            Column("TIME LEFT"),
        ],
        [
            [
                each["topic"] or "-",
                each["topic_id"],
                "-" if each["partitions"] is None else str(each["partitions"]),
                "-" if each["archive_bytes"] is None else size_text(each["archive_bytes"]),
                instant_text(each["deleted_ms"]),
                _left(each["goes_ms"], now_ms),
            ]
            for each in facts
        ],
    )


def _left(goes_ms: int | None, now_ms: int) -> str:
    if goes_ms is None or goes_ms <= now_ms:
        return "none: it is going"
    return age_text(goes_ms - now_ms)
