"""``everlog tier hold``: nothing that is archived of a topic is removed until it is released."""

from typing import Annotated, Any

import typer

from everlog.format.entries import Totals
from everlog.format.object_keys import PartitionPath
from everlog.model.errors import EverlogError
from everlog.stores.object_store import ObjectStore
from service.app.cli.client_library import Admin, Cluster
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import misuse
from service.app.cli.log_dirs import read_partition_bytes
from service.app.cli.marks import read_marks
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.release_preview import Expiry, LocalPart, read_expiries
from service.app.cli.sizes import count_text, plural, size_text
from service.app.cli.store_option import OptionalStoreOption, on_store, run_on_store
from service.app.cli.topic_identity import (
    TopicIdentity,
    check_writable,
    read_identity,
    read_store_url,
)
from service.app.cli.topic_options import (
    Settings,
    alter_settings,
    find_topic,
    is_held,
    read_cluster,
    read_settings,
)
from service.tiering.retention import Limits

_HOLD = "archive.hold"

Expiries = dict[int, Expiry]
"""What may go, by partition."""


def hold(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to keep whole.")],
    *,
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="End it: retention goes on, and deletes what is due. Says how much."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --release: only say how much.")
    ] = False,
    store: OptionalStoreOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Keep everything that is archived of a topic, whatever retention or anybody else says."""
    if not release and (dry_run or store is not None):
        misuse("--dry-run and --store are about --release", "leave them out, or add it")
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        find_topic(metadata, topic)
        if not release:
            alter_settings(admin, topic, {_HOLD: "true"}, [])
            _show_held(topic, output)
            return
        check_writable(admin, metadata)
        settings = read_settings(admin, [topic])[topic]
        was_held = is_held(settings)
        expiries = _expiries(admin, metadata, topic, settings, store) if was_held else {}
        if output is not Output.JSON:
            _say_what_goes(topic, expiries, was_held=was_held)
        if not dry_run:
            alter_settings(admin, topic, {}, [_HOLD])
    if output is Output.JSON:
        show_json(release_facts(topic, expiries, is_trial=dry_run, was_held=was_held))
    elif dry_run:
        print("Nothing changed (dry run). Repeat without --dry-run.")
    elif was_held:
        print(f"{topic} is released; retention goes on where it was")


def _show_held(topic: str, output: Output) -> None:
    if output is Output.JSON:
        show_json({"topic": topic, "held": True})
    else:
        print(f"{topic} is on hold; nothing archived of it is removed until --release")


def _expiries(
    admin: Admin, metadata: Cluster, topic: str, settings: Settings, store: str | None
) -> Expiries | None:
    """Find out what retention may delete; None if the archive cannot be read from here."""
    url = store or read_store_url(admin, metadata)
    identity = read_identity(admin, metadata, topic)
    locals_ = _local_parts(admin, metadata, topic)
    if url is None or locals_ is None:
        return None
    limits = _limits(settings)

    async def work(opened: ObjectStore) -> Expiries:
        parts = {_path(identity, number): part for number, part in locals_.items()}
        return await read_expiries(opened, parts, limits, now_ms=wall_ms())

    if store is not None:
        return run_on_store(store, work)
    try:
        return on_store(url, work)
    except EverlogError:
        return None


def _path(identity: TopicIdentity, number: int) -> PartitionPath:
    assert identity.cluster_id is not None, "a broker that writes"
    return PartitionPath(
        cluster_id=identity.cluster_id, topic_id=identity.topic_id, partition=number
    )


def _limits(settings: Settings) -> Limits:
    keep_ms, keep_bytes = (int(settings[f"retention.{unit}"].value) for unit in ("ms", "bytes"))
    return Limits(
        keep_ms=None if keep_ms < 0 else keep_ms, keep_bytes=None if keep_bytes < 0 else keep_bytes
    )


def _local_parts(admin: Admin, metadata: Cluster, topic: str) -> dict[int, LocalPart] | None:
    """Ask for what is on local disks; None if a leader does not tell."""
    sizes = read_partition_bytes(metadata, topic)
    marks = read_marks(admin, metadata, [topic])
    if sizes is None or len(marks) < len(metadata.topics[topic].partitions):
        return None
    return {
        number: LocalPart(
            log_start=each.start,
            local_start=each.end if each.local_start is None else each.local_start,
            end=each.end,
            bytes=sizes.get(number, 0),
        )
        for (_, number), each in marks.items()
    }


def release_facts(
    topic: str, expiries: Expiries | None, *, is_trial: bool, was_held: bool
) -> dict[str, Any]:
    """Return what a release does as facts for scripts; None where the archive cannot be read."""
    facts = {"topic": topic, "held": is_trial and was_held, "dry_run": is_trial}
    if expiries is None:
        return {**facts, "may_delete": None}
    gone = _sum_of(expiries)
    rows = [
        {
            "partition": number,
            "start": each.offsets.start,
            "end": each.offsets.end,
            "objects": each.objects.entries,
            "bytes": each.objects.bytes,
        }
        for number, each in _losing(expiries)
    ]
    return {
        **facts,
        "may_delete": {"objects": gone.entries, "bytes": gone.bytes, "partition_list": rows},
    }


def _say_what_goes(topic: str, expiries: Expiries | None, *, was_held: bool) -> None:
    if not was_held:
        print(f"{topic} is not on hold")
        return
    if expiries is None:
        print(
            "how much retention deletes then is not known: the archive cannot be read from here; "
            "name it with --store"
        )
        return
    losing = _losing(expiries)
    if not losing:
        print(f"retention has nothing to delete of {topic} now")
        return
    gone = _sum_of(expiries)
    what = f"{size_text(gone.bytes)} in {plural(gone.entries, 'object')}"
    print(f"retention may delete up to {what} of {topic} now", flush=True)
    show(
        Table(
            [
                Column("PARTITION", is_number=True),
                Column("FROM", is_number=True),
                Column("UP TO", is_number=True),
                Column("OBJECTS", is_number=True),
                Column("SIZE", is_number=True),
            ],
            [
                [
                    str(number),
                    count_text(each.offsets.start),
                    count_text(each.offsets.end - 1),
                    count_text(each.objects.entries),
                    size_text(each.objects.bytes),
                ]
                for number, each in losing
            ],
        )
    )


def _losing(expiries: Expiries) -> list[tuple[int, Expiry]]:
    return [(number, each) for number, each in sorted(expiries.items()) if each.objects.entries]


def _sum_of(expiries: Expiries) -> Totals:
    return sum((each.objects for each in expiries.values()), Totals())
