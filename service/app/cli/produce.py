"""``everlog produce``: lines of a file or of standard input become records."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from service.app.cli.client_library import kafka
from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    client_settings,
    kafka_errors,
)
from service.app.cli.delivery import Delivery, Pace
from service.app.cli.failure import FAILURE_STATUS, INTERRUPTED_STATUS, misuse
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.progress import Progress
from service.app.cli.sizes import plural, size_text
from service.app.cli.topic_options import read_pairs

MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The client's own limit; what a topic takes (``max.message.bytes``) is for the broker to say."""

QUEUE_BYTES_MAX_KIB = 128 * 1024
LINGER_MS = 5
DELIVERY_MS_MAX = 30_000
FLUSH_SECONDS = 0.2
SENT_BETWEEN_POLLS = 1000

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Compression(StrEnum):
    """Codecs of Kafka."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


@app.command()
def produce(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Where the records go.")],
    *,
    file: Annotated[str, typer.Option("--file", "-f", help="A file; - is standard input.")] = "-",
    key_sep: Annotated[
        str | None, typer.Option("--key-sep", "-K", help="What stands between key and value.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME=VALUE", help="A header.")
    ] = None,
    compression: Annotated[
        Compression, typer.Option("--compression", "-z", help="Codec of the batches.")
    ] = Compression.NONE,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="Records a second, at most.")
    ] = None,
    partition: Annotated[
        int | None, typer.Option("--partition", "-p", min=0, help="All go to this one.")
    ] = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write each line as a record, and say which offsets they got."""
    if key_sep == "":
        misuse("--key-sep is empty", "give the text between key and value, such as --key-sep :")
    headers = [(name, text.encode()) for name, text in read_pairs("--header", header).items()]
    fixed: dict[str, Any] = {"topic": topic}
    if headers:
        fixed["headers"] = headers
    if partition is not None:
        fixed["partition"] = partition
    with _lines(file) as lines, kafka_errors(bootstrap):
        delivery = _send(
            _records(lines, None if key_sep is None else key_sep.encode()),
            settings=client_settings(bootstrap) | _settings(compression),
            fixed=fixed,
            pace=Pace(rate),
        )
    _report(topic, delivery, output)


def _settings(compression: Compression) -> dict[str, Any]:
    return {
        "allow.auto.create.topics": True,
        "compression.type": compression.value,
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "queue.buffering.max.kbytes": QUEUE_BYTES_MAX_KIB,
        "delivery.timeout.ms": DELIVERY_MS_MAX,
    }


def _send(
    records: Iterator[tuple[bytes | None, bytes]],
    *,
    settings: dict[str, Any],
    fixed: dict[str, Any],
    pace: Pace,
) -> Delivery:
    """Send all records and wait for what becomes of each; Ctrl-C ends the reading, not the wait."""
    producer = kafka().Producer(settings)
    delivery = Delivery()
    with Progress("producing") as progress:
        try:
            for key, value in records:
                _hand_over(producer, delivery, fixed | {"key": key, "value": value})
                if delivery.sent % SENT_BETWEEN_POLLS == 0 or pace.is_slow:
                    producer.poll(0)
                    progress.show(delivery.records, delivery.bytes)
                if delivery.error is not None:
                    break
                pace.wait()
        except KeyboardInterrupt:
            delivery.is_interrupted = True
        except kafka().KafkaException as error:
            delivery.refuse(error.args[0])
        while producer.flush(FLUSH_SECONDS):
            progress.show(delivery.records, delivery.bytes)
    return delivery


def _hand_over(producer: Any, delivery: Delivery, record: dict[str, Any]) -> None:
    """Give a record to the client, once there is room for it."""
    while True:
        try:
            producer.produce(on_delivery=delivery.take, **record)
        except BufferError:
            producer.poll(FLUSH_SECONDS)
        else:
            delivery.sent += 1
            return


def _records(
    lines: Iterator[bytes], separator: bytes | None
) -> Iterator[tuple[bytes | None, bytes]]:
    """Take lines apart into key and value; a line without the separator has no key."""
    for line in lines:
        text = line.removesuffix(b"\n")
        if separator is None:
            yield None, text
            continue
        head, found, tail = text.partition(separator)
        yield (head, tail) if found else (None, text)


@contextmanager
def _lines(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        if sys.stdin.isatty():
            print("one record a line; Ctrl-D ends", file=sys.stderr)
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  (closed below)
    except OSError as error:
        misuse(f"--file {file}: {error.strerror}", "give a file that can be read, or -")
    with stream:
        yield stream


def _report(topic: str, delivery: Delivery, output: Output) -> None:
    """Print where the records went; end with a failure if one went nowhere."""
    facts = {
        "topic": topic,
        "records": delivery.records,
        "bytes": delivery.bytes,
        "failed": delivery.failed,
        "error": delivery.error,
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
    if delivery.error is not None:
        lost = plural(delivery.failed, "record")
        print(f"everlog: {lost} not written: {delivery.error}", file=sys.stderr)
        raise SystemExit(FAILURE_STATUS)
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
