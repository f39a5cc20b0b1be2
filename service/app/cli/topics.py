"""``everlog topic``: list, create, describe, alter and delete topics."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from everlog.model.ids import TopicName
from service.app.cli.client_library import Admin, Topic, kafka_admin
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    CHANGE_SECONDS_MAX,
    BootstrapOption,
    connect_admin,
    kafka_errors,
)
from service.app.cli.deletion import Deletion, YesOption
from service.app.cli.failure import fail, misuse
from service.app.cli.marks import Marks, read_marks
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.plain_command import PlainCommand
from service.app.cli.sizes import count_text, plural
from service.app.cli.times import duration_text, instant_text
from service.app.cli.topic_identity import check_writable
from service.app.cli.topic_options import (
    alter_settings,
    check_name,
    create_topic,
    find_topic,
    is_held,
    is_tiered,
    read_cluster,
    read_pairs,
    read_settings,
)
from service.coordination.topic_errors import TopicHeldError
from service.model.cluster import INTERNAL_TOPICS

app = typer.Typer(
    help="List, create, describe, alter and delete topics.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_Name = Annotated[str, typer.Argument(metavar="TOPIC", help="Name of the topic.")]
PARTITIONS_MAX = 100_000
REPLICAS_MAX = 10_000
"""What the client library can ask for."""

_RETENTION = "retention.ms"


@app.command("list")
def list_topics(
    *,
    internal: Annotated[bool, typer.Option(help="Also those that brokers keep.")] = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all topics: what is in them, what is archived, how long it is kept."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        names = sorted(n for n in metadata.topics if internal or n not in INTERNAL_TOPICS)
        marks = read_marks(admin, metadata, names)
        configs = read_settings(admin, names)
    facts = [
        _summary(metadata.topics[name], configs[name], _of_topic(marks, name)) for name in names
    ]
    if output is Output.JSON:
        show_json(facts)
    elif not facts:
        print("no topics yet; create one with: everlog topic create NAME --partitions 3")
    else:
        show(_list_table(facts))


@app.command(cls=PlainCommand)
def create(
    name: _Name,
    *,
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            "-p",
            min=1,
            max=PARTITIONS_MAX,
            metavar="N",
            help="How many partitions.",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            "--replicas",
            "-r",
            min=1,
            max=REPLICAS_MAX,
            metavar="N",
            help="How many replicas of each.",
        ),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("--config", "-c", metavar="NAME=VALUE", help="A setting.")
    ] = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a topic; what is not said is as the cluster has it by default."""
    check_name(name)
    overrides = read_pairs("--config", config)
    # -1 leaves the number to the cluster (KIP-464).
    wanted = kafka_admin().NewTopic(name, partitions or -1, replicas or -1, config=overrides)
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        read_cluster(admin)  # who does not answer this would be waited for much longer below
        made = create_topic(
            admin,
            wanted,
            advice=f'see it with "everlog topic describe {name}", change it with "everlog topic '
            f'alter {name}", or take another name',
        )
    shape = _shape(made)
    facts = {"topic": name, **shape, "config": overrides}
    if output is Output.JSON:
        show_json(facts)
    else:
        print(f"created {name}  {_sizes(shape)}")


@app.command(cls=PlainCommand)
def describe(
    name: _Name,
    *,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one topic: its partitions, their leaders and ends, and its settings."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        metadata = read_cluster(admin)
        topic = find_topic(metadata, name)
        marks = _of_topic(read_marks(admin, metadata, [name]), name)
        config = read_settings(admin, [name])[name]
    facts = _summary(topic, config, marks)
    facts["settings"] = {
        entry.name: entry.value for entry in config.values() if _is_of_topic(entry)
    }
    facts["partition_list"] = [
        _partition_facts(topic, number, marks.get(number)) for number in sorted(topic.partitions)
    ]
    if output is Output.JSON:
        show_json(facts)
        return
    kept = facts["retention"]
    tier = "tiered" if facts["tiered"] else "not tiered"
    print(f"{name}  {_sizes(facts)}, {tier}, kept {kept if kept == 'for ever' else 'for ' + kept}")
    show(_partition_table(facts["partition_list"]))
    settings = "  ".join(f"{key}={value}" for key, value in sorted(facts["settings"].items()))
    print(f"Settings other than default: {settings or 'none'}")


@app.command(cls=PlainCommand)
def alter(
    name: _Name,
    *,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="NAME", help="Take the default again.")
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            "-p",
            min=1,
            max=PARTITIONS_MAX,
            metavar="N",
            help="More partitions than now.",
        ),
    ] = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Change settings of a topic, or give it more partitions."""
    values = read_pairs("--set", set_)
    if not (values or unset or partitions):
        misuse("nothing to change", "use --set NAME=VALUE, --unset NAME or --partitions N")
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        find_topic(read_cluster(admin), name)
        if values or unset:
            alter_settings(admin, name, values, unset or [])
        if partitions:
            _add_partitions(admin, name, partitions)
    facts = {"topic": name, "set": values, "unset": unset or [], "partitions": partitions}
    if output is Output.JSON:
        show_json(facts)
    else:
        print(f"altered {name}")


@app.command(cls=PlainCommand)
def delete(
    names: Annotated[list[str], typer.Argument(metavar="TOPIC", help="Names of topics.")],
    *,
    yes: YesOption = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete topics with everything in them, in the archive too."""

    def check(admin: Admin) -> None:
        metadata = read_cluster(admin)
        check_writable(admin, metadata)
        for name in names:
            find_topic(metadata, name)
        for name, settings in read_settings(admin, names).items():
            if is_held(settings):
                # The client library does not tell what the broker says about it.
                fail(str(TopicHeldError(TopicName(name))), "")

    Deletion(
        noun="topic",
        names=names,
        contents="every record",
        check=check,
        begin=lambda admin: admin.delete_topics(names, request_timeout=CHANGE_SECONDS_MAX),
    ).run(bootstrap, yes=yes, output=output)


def _add_partitions(admin: Admin, name: str, count: int) -> None:
    for future in admin.create_partitions(
        [kafka_admin().NewPartitions(name, count)], request_timeout=CHANGE_SECONDS_MAX
    ).values():
        future.result()


def _is_of_topic(entry: Any) -> bool:
    """Whether a setting was given to the topic itself, not to the brokers and not by default."""
    return bool(entry.source == kafka_admin().ConfigSource.DYNAMIC_TOPIC_CONFIG.value)


def _of_topic(marks: dict[tuple[str, int], Marks], name: str) -> dict[int, Marks]:
    return {number: each for (topic, number), each in marks.items() if topic == name}


def _shape(topic: Topic) -> dict[str, int]:
    replicas = max((len(each.replicas) for each in topic.partitions.values()), default=0)
    return {"partitions": len(topic.partitions), "replicas": replicas}


def _sizes(shape: dict[str, Any]) -> str:
    return f"{plural(shape['partitions'], 'partition')}, {plural(shape['replicas'], 'replica')}"


def _summary(topic: Topic, config: dict[str, Any], marks: dict[int, Marks]) -> dict[str, Any]:
    """Return the facts of one line of the list."""
    archived = [each.archived for each in marks.values()]
    oldest = [each.oldest_ms for each in marks.values() if each.oldest_ms is not None]
    retention_ms = int(config[_RETENTION].value)
    return {
        "topic": topic.topic,
        **_shape(topic),
        "records": sum(each.records for each in marks.values()),
        "archived_records": None if None in archived else sum(filter(None, archived)),
        "oldest_ms": min(oldest, default=None),
        "retention_ms": retention_ms,
        "retention": duration_text(retention_ms),
        "tiered": is_tiered(config),
    }


def _partition_facts(topic: Topic, number: int, marks: Marks | None) -> dict[str, Any]:
    partition = topic.partitions[number]
    known = asdict(marks) if marks is not None else dict.fromkeys(Marks.__dataclass_fields__)
    return {
        "partition": number,
        "leader": partition.leader if partition.leader >= 0 else None,
        "replicas": sorted(partition.replicas),
        "in_sync": sorted(partition.isrs),
        **known,
        "records": None if marks is None else marks.records,
        "upload_lag": None if marks is None else marks.upload_lag,
    }


def _list_table(facts: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("TOPIC"),
            Column("PARTITIONS", is_number=True),
            Column("REPLICAS", is_number=True, rank=1),
            Column("RECORDS", is_number=True),
            Column("ARCHIVED", is_number=True),
            Column("OLDEST", rank=3),
            Column("RETENTION", rank=2),
        ],
        [
            [
                each["topic"],
                str(each["partitions"]),
                str(each["replicas"]),
                count_text(each["records"]),
                count_text(each["archived_records"]),
                instant_text(each["oldest_ms"]),
                each["retention"],
            ]
            for each in facts
        ],
    )


def _partition_table(facts: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("PARTITION", is_number=True),
            Column("LEADER", is_number=True),
            Column("IN SYNC"),
            Column("START", is_number=True),
            Column("LOCAL FROM", is_number=True),
            Column("ARCHIVED TO", is_number=True),
            Column("HIGH WATERMARK", is_number=True),
            Column("RECORDS", is_number=True, rank=2),
            Column("OLDEST", rank=1),
        ],
        [
            [
                str(each["partition"]),
                "none" if each["leader"] is None else str(each["leader"]),
                " ".join(map(str, each["in_sync"])),
                count_text(each["start"]),
                count_text(each["local_start"]),
                count_text(each["archived_end"]),
                count_text(each["end"]),
                count_text(each["records"]),
                instant_text(each["oldest_ms"]),
            ]
            for each in facts
        ],
    )
