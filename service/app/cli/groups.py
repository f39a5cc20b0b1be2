"""``everlog group``: list, describe, move and delete consumer groups."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from service.app.cli.client_library import Admin, kafka
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    connect_admin,
    kafka_errors,
    wall_ms,
)
from service.app.cli.deletion import Deletion, YesOption
from service.app.cli.failure import fail, misuse
from service.app.cli.group_option import checked_group, checked_groups
from service.app.cli.marks import Key, Marks, offsets_at_time, read_marks
from service.app.cli.offsets_text import (
    PLACES,
    AtTime,
    Place,
    UnreadablePlaceError,
    clamped_text,
    parse_place,
    resolve_place,
)
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.plain_command import PlainCommand
from service.app.cli.sizes import count_text, plural
from service.app.cli.topic_options import find_topic, read_cluster

app = typer.Typer(
    help="List, describe, move and delete consumer groups.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_Name = Annotated[
    str, typer.Argument(metavar="GROUP", help="Name of the group.", callback=checked_group)
]
_DEAD = "dead"
_NAMED_MAX = 4
_UUID_TAIL = re.compile(r"(?<=-[0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""What clients and brokers append to a member's name, but for its first part."""


@app.command("list")
def list_groups(
    *,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all groups, their state and how many members they have."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        listed = admin.list_consumer_groups().result()
        # A broker that did not answer has groups, too: without it there is nothing to show.
        for error in listed.errors:
            raise error if isinstance(error, Exception) else kafka().KafkaException(error)
        names = sorted(each.group_id for each in listed.valid)
        described = [_described(admin, name) for name in names]
    facts = [_group_facts(each) for each in described]
    if output is Output.JSON:
        show_json(facts)
    elif not facts:
        print("no groups yet; try: everlog consume TOPIC --group NAME")
    else:
        show(
            Table(
                [
                    Column("GROUP"),
                    Column("STATE"),
                    Column("ASSIGNOR"),
                    Column("MEMBERS", is_number=True),
                ],
                [
                    [each["group"], each["state"], each["assignor"] or "-", str(each["members"])]
                    for each in facts
                ],
            )
        )


@app.command(cls=PlainCommand)
def describe(
    name: _Name,
    *,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show one group: what it has committed, how far behind it is, and who reads what."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        group = _existing(admin, name)
        committed = _committed(admin, name)
        owners = _owners(group)
        marks = _marks(admin, {topic for topic, _ in (*committed, *owners)})
    facts = _group_facts(group)
    rows = [
        _partition_facts(key, committed.get(key), marks.get(key), owners.get(key))
        for key in sorted({*committed, *owners})
    ]
    facts["lag"] = sum(each["lag"] for each in rows if each["lag"] is not None)
    facts["partitions"] = rows
    if output is Output.JSON:
        show_json(facts)
        return
    kind = f"classic/{facts['assignor']}" if facts["assignor"] else "classic"
    members = plural(facts["members"], "member")
    print(f"{name}  {facts['state']}, {kind}, {members}, lag {plural(facts['lag'], 'record')}")
    show(_partition_table(rows))


@app.command(cls=PlainCommand)
def seek(
    name: _Name,
    *,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help=f"{PLACES}.")],
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", "-t", metavar="TOPIC", help="Only this one of its topics."),
    ] = None,
    partition: Annotated[
        list[int] | None,
        typer.Option("--partition", "-p", min=0, metavar="N", help="Only this one."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be.")] = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Move what a group has committed; its members have to be stopped."""
    try:
        place = parse_place(to, now_ms=wall_ms())
    except UnreadablePlaceError as error:
        misuse(f"--to: {error}", f"write {PLACES}")
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        members = _group_facts(_described(admin, name))["members"]
        before = _committed(admin, name)
        topics = topic or sorted({each for each, _ in before})
        if not topics:
            fail(f"group {name} has committed nothing", "say what to move with --topic")
        marks = _chosen_marks(admin, topics, partition)
        after = _targets(admin, marks, place)
        if members and not dry_run:
            advice = "stop them first, or look with --dry-run"
            fail(f"group {name} has {plural(members, 'member')}", advice)
        if not dry_run:
            _commit(admin, name, after)
    clamped = {
        key: clamped_text(place, start=each.start, end=each.end) for key, each in marks.items()
    }
    moves: list[dict[str, Any]] = [
        {"topic": key[0], "partition": key[1], "from": before.get(key), "to": offset}
        | {"clamped": clamped[key] is not None}
        for key, offset in sorted(after.items())
    ]
    if output is Output.JSON:
        show_json({"group": name, "dry_run": dry_run, "partitions": moves})
        return
    for each in moves:
        place_name = f"{each['topic']}/{each['partition']}"
        why = clamped[each["topic"], each["partition"]]
        note = f"  ({why})" if why else ""
        print(f"{place_name}  {count_text(each['from'])} -> {count_text(each['to'])}{note}")
    if dry_run:
        stop = "Stop the members first; then repeat" if members else "Repeat"
        print(f"Nothing changed (dry run). {stop} without --dry-run.")


@app.command(cls=PlainCommand)
def delete(
    names: Annotated[
        list[str],
        typer.Argument(metavar="GROUP", help="Names of groups.", callback=checked_groups),
    ],
    *,
    yes: YesOption = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete groups with everything that they have committed."""

    def check(admin: Admin) -> None:
        for name in names:
            _check_empty(_existing(admin, name))

    Deletion(
        noun="group",
        names=names,
        contents="every offset",
        check=check,
        begin=lambda admin: admin.delete_consumer_groups(names),
    ).run(bootstrap, yes=yes, output=output)


def _described(admin: Admin, name: str) -> Any:
    return admin.describe_consumer_groups([name])[name].result()


def _existing(admin: Admin, name: str) -> Any:
    """Return what is known of a group; end if there is none of that name."""
    group = _described(admin, name)
    if group.state.name.lower() == _DEAD:
        fail(f"group {name} does not exist", '"everlog group list" shows those that do')
    return group


def _check_empty(group: Any) -> None:
    """End if a group has members: the broker would keep it, and not say for whom."""
    names = sorted(f"{each.client_id} at {each.host.removeprefix('/')}" for each in group.members)
    if names:
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        who = f"{plural(len(names), 'member')}: {', '.join(names[:_NAMED_MAX])}{more}"
        fail(f"group {group.group_id} has {who}", "stop them first")


def _group_facts(group: Any) -> dict[str, Any]:
    return {
        "group": group.group_id,
        "state": group.state.name.lower().replace("_", " "),
        "assignor": group.partition_assignor or None,
        "members": len(group.members),
    }


def _committed(admin: Admin, name: str) -> dict[Key, int]:
    asked = admin.list_consumer_group_offsets([kafka().ConsumerGroupTopicPartitions(name)])
    found = asked[name].result().topic_partitions
    return {
        (each.topic, each.partition): each.offset
        for each in found
        if each.error is None and each.offset >= 0
    }


def _owners(group: Any) -> dict[Key, Any]:
    """Return the member that reads each partition."""
    return {
        (each.topic, each.partition): member
        for member in group.members
        for each in member.assignment.topic_partitions
    }


def _marks(admin: Admin, topics: Iterable[str]) -> dict[Key, Marks]:
    metadata = read_cluster(admin)
    return read_marks(admin, metadata, sorted(set(topics) & set(metadata.topics)))


def _chosen_marks(
    admin: Admin, topics: list[str], partitions: list[int] | None
) -> dict[Key, Marks]:
    """Return the ends of the partitions that are meant; end if there are none."""
    metadata = read_cluster(admin)
    for name in topics:
        find_topic(metadata, name)
    marks = {
        key: each
        for key, each in read_marks(admin, metadata, topics).items()
        if not partitions or key[1] in partitions
    }
    if not marks:
        wanted = ", ".join(str(each) for each in partitions or ())
        fail(
            f"{', '.join(topics)} has no partition {wanted}",
            '"everlog topic describe" shows those that are there',
        )
    return marks


def _targets(admin: Admin, marks: dict[Key, Marks], place: Place) -> dict[Key, int]:
    """Return the offset that a place is in each partition."""
    times: dict[Key, int] = {}
    if isinstance(place, AtTime):
        times = offsets_at_time(admin, marks, place.timestamp_ms)
    return {
        key: resolve_place(place, start=each.start, end=each.end, at_time=times.get(key))
        for key, each in marks.items()
    }


def _commit(admin: Admin, name: str, offsets: dict[Key, int]) -> None:
    wanted = [kafka().TopicPartition(*key, offset) for key, offset in offsets.items()]
    asked = admin.alter_consumer_group_offsets([kafka().ConsumerGroupTopicPartitions(name, wanted)])
    for each in asked[name].result().topic_partitions:
        if each.error is not None:
            raise kafka().KafkaException(each.error)


def _partition_facts(
    key: Key, committed: int | None, marks: Marks | None, member: Any
) -> dict[str, Any]:
    end = None if marks is None else marks.end
    lag = None
    if marks is not None:
        lag = max(0, marks.end - (marks.start if committed is None else committed))
    return {
        "topic": key[0],
        "partition": key[1],
        "committed": committed,
        "end": end,
        "lag": lag,
        "member": None if member is None else member.member_id,
        "host": None if member is None else member.host.removeprefix("/"),
    }


def _partition_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        [
            Column("TOPIC"),
            Column("PARTITION", is_number=True),
            Column("COMMITTED", is_number=True),
            Column("END", is_number=True),
            Column("LAG", is_number=True),
            Column("MEMBER"),
            Column("HOST", rank=1),
        ],
        [
            [
                each["topic"],
                str(each["partition"]),
                count_text(each["committed"]),
                count_text(each["end"]),
                count_text(each["lag"]),
                _UUID_TAIL.sub("...", each["member"] or "-"),
                each["host"] or "-",
            ]
            for each in rows
        ],
    )
