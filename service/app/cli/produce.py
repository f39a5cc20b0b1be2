"""``everlog produce``: lines of a file or of standard input become records."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from service.app.cli.client_library import Admin
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    client_settings,
    connect_admin,
    kafka_errors,
)
from service.app.cli.delivery import Delivery, Pace
from service.app.cli.failure import INTERRUPTED_STATUS, fail, misuse
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.plain_command import PlainCommand
from service.app.cli.sending import Plan, send
from service.app.cli.sizes import plural, size_text
from service.app.cli.target import Target, read_target, reason
from service.app.cli.topic_identity import check_writable
from service.app.cli.topic_options import check_name, check_partition, read_cluster, read_pairs
from service.app.cli.typed_input import heeding_signals
from service.model.cluster import INTERNAL_TOPICS

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The client's own limit; what a topic takes (``max.message.bytes``) is for the broker to say."""

PARTITION_MAX = 2**31 - 1
STDIN = "-"
QUEUE_BYTES_MAX_KIB = 128 * 1024
LINGER_MS = 5
BATCH_BYTES = 1_000_000
DELIVERY_MS_MAX = 30_000

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Compression(StrEnum):
    """Codecs of Kafka."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


_File = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="A file; - is standard input.")
]
_KeySep = Annotated[
    str | None,
    typer.Option("--key-sep", "-K", metavar="TEXT", help="What stands between key and value."),
]
_Headers = Annotated[
    list[str] | None, typer.Option("--header", "-H", metavar="NAME=VALUE", help="A header.")
]
_Compression = Annotated[
    Compression,
    typer.Option("--compression", "-z", metavar="CODEC", help="none, gzip, snappy, lz4 or zstd."),
]
_Rate = Annotated[
    float | None,
    typer.Option("--rate", min=0.001, metavar="N", help="Records a second, at most."),
]
_Partition = Annotated[
    int | None,
    typer.Option(
        "--partition",
        "-p",
        min=0,
        max=PARTITION_MAX,
        metavar="N",
        help="All go to this one.",
    ),
]


@app.command(cls=PlainCommand)
def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Where the records go.")],
    *,
    file: _File = STDIN,
    key_sep: _KeySep = None,
    header: _Headers = None,
    compression: _Compression = Compression.NONE,
    rate: _Rate = None,
    partition: _Partition = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write each line as a record, and say which offsets they got."""
    if key_sep == "":
        misuse("--key-sep is empty", "give the text between key and value, such as --key-sep :")
    check_name(topic)
    headers = [(name, text.encode()) for name, text in read_pairs("--header", header).items()]
    fixed: dict[str, Any] = {"topic": topic}
    if headers:
        fixed["headers"] = headers
    if partition is not None:
        fixed["partition"] = partition
    with _lines(file) as lines, kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        plan = Plan(
            target=_target(admin, topic, partition, key_sep),
            separator=None if key_sep is None else key_sep.encode(),
            fixed=fixed,
            pace=Pace(rate),
            is_typed=file == STDIN and sys.stdin.isatty(),
        )
        delivery = send(lines, _settings(bootstrap, compression, plan.target), plan)
        error = None
        now = plan.target
        if delivery.refusal is not None or not now.partitions:
            now = read_target(admin, topic)
        if delivery.refusal is not None:
            error = reason(delivery.refusal, now, fixed)
    if now.partitions and not plan.target.partitions:
        count = plural(len(now.partitions), "partition")
        print(f"everlog: created topic {topic} ({count})", file=sys.stderr)
    _report(topic, delivery, error, output)


def _target(admin: Admin, topic: str, partition: int | None, key_sep: str | None) -> Target:
    """Find out where the records go; end if none of them can."""
    check_writable(admin, read_cluster(admin))
    if topic in INTERNAL_TOPICS:
        fail(f"{topic} is written by the broker itself", "give another topic")
    target = read_target(admin, topic)
    if partition is not None and target.partitions:
        check_partition(topic, partition, target.partitions)
    if target.is_compacted and key_sep is None:
        fail(
            f"{topic} is compacted and takes only records with a key",
            "say with --key-sep what stands between key and value",
        )
    return target


def _settings(bootstrap: str, compression: Compression, target: Target) -> dict[str, Any]:
    return client_settings(bootstrap) | {
        "allow.auto.create.topics": True,
        "compression.type": compression.value,
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "batch.size": min(BATCH_BYTES, target.batch_bytes_max),
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "queue.buffering.max.kbytes": QUEUE_BYTES_MAX_KIB,
        "delivery.timeout.ms": DELIVERY_MS_MAX,
    }


@contextmanager
def _lines(file: str) -> Iterator[IO[bytes]]:
    if file == STDIN:
        if sys.stdin.isatty():
            print("one record a line; Ctrl-D ends", file=sys.stderr)
        with heeding_signals(sys.stdin.buffer) as lines:
            yield lines
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  (closed below)
    except OSError as error:
        misuse(f"--file {file}: {error.strerror}", "give a file that can be read, or -")
    with stream:
        yield stream


def _report(topic: str, delivery: Delivery, error: str | None, output: Output) -> None:
    """Print where the records went; end with a failure if one went nowhere."""
    facts = {
        "topic": topic,
        "records": delivery.records,
        "bytes": delivery.bytes,
        "failed": delivery.failed,
        "error": error,
        "partitions": [
            {"partition": number, "first_offset": first, "last_offset": last}
            for number, (first, last) in sorted(delivery.ranges.items())
        ],
    }
    if output is Output.JSON:
        show_json(facts)
    else:
        print(f"{topic}  {plural(delivery.records, 'record')}, {size_text(delivery.bytes)}")
        if delivery.ranges:
            show(_ranges(delivery))
    if delivery.unknown:
        # Ctrl-C while the broker did not answer.
        left = plural(delivery.unknown, "record")
        print(f"everlog: nobody knows whether {left} more were written", file=sys.stderr)
    if error is not None:
        fail(f"{plural(delivery.failed, 'record')} not written: {error}", "")
    if delivery.is_interrupted:
        raise SystemExit(INTERRUPTED_STATUS)


def _ranges(delivery: Delivery) -> Table:
    return Table(
        [
            Column("PARTITION", is_number=True),
            Column("FIRST OFFSET", is_number=True),
            Column("LAST OFFSET", is_number=True),
        ],
        [
            [str(number), f"{first:,}", f"{last:,}"]
            for number, (first, last) in sorted(delivery.ranges.items())
        ],
    )
