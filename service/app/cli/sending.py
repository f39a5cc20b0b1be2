"""Sends lines as records, and waits for what becomes of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from service.app.cli.client_library import INVALID_RECORD, kafka
from service.app.cli.delivery import Delivery, Pace
from service.app.cli.interruption import Stop
from service.app.cli.progress import Progress
from service.app.cli.target import Refusal, Target

FLUSH_SECONDS = 0.2
SENT_BETWEEN_POLLS = 1000
LARGE_PART = 4
"""A line of a quarter of what the topic takes is remembered by its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How lines become records.

    Attributes:
        separator: Between key and value; None if a line is all value.
        fixed: What all records have in common.
        is_typed: Whether somebody is typing them, on the line where progress would be drawn.
    """

    target: Target
    separator: bytes | None
    fixed: dict[str, Any]
    pace: Pace
    is_typed: bool


def send(lines: IO[bytes], settings: dict[str, Any], plan: Plan) -> Delivery:
    """Send all lines; the first Ctrl-C ends the reading, and the second the wait for outcomes."""
    producer = kafka().Producer(settings)
    delivery, stop = Delivery(), Stop()
    with Progress("producing", is_silent=plan.is_typed) as progress, stop.heeded():
        try:
            for record in _records(lines, plan, stop):
                if not _hand_over(producer, delivery, record, plan):
                    break
                if delivery.sent % SENT_BETWEEN_POLLS == 0 or plan.pace.is_slow:
                    producer.poll(0)
                    progress.show(delivery.records, delivery.bytes)
        except KeyboardInterrupt:
            pass
        delivery.is_interrupted, stop.is_asked = stop.is_asked, False
        while producer.flush(FLUSH_SECONDS) and not stop.is_asked:
            progress.show(delivery.records, delivery.bytes)
    return delivery


def _hand_over(
    producer: Any, delivery: Delivery, record: tuple[bytes | None, bytes], plan: Plan
) -> bool:
    """Give a record to the client, once there is room for it; return whether to go on."""
    key, value = record
    line = delivery.sent + 1
    size = len(value) + len(key or b"")
    if key is None and plan.target.is_compacted:
        delivery.sent += 1
        delivery.refuse(Refusal(code=INVALID_RECORD, text="no key", line=line, size=size))
        return False
    take = delivery.take
    if size > plan.target.batch_bytes_max // LARGE_PART:
        take = partial(delivery.take, line=line)
    while delivery.refusal is None:
        try:
            producer.produce(on_delivery=take, key=key, value=value, **plan.fixed)
        except BufferError:
            producer.poll(FLUSH_SECONDS)
        except kafka().KafkaException as error:
            cause = error.args[0]
            delivery.sent += 1
            delivery.refuse(Refusal(code=cause.code(), text=cause.str(), line=line, size=size))
        else:
            delivery.sent += 1
            return True
    return False


def _records(lines: IO[bytes], plan: Plan, stop: Stop) -> Iterator[tuple[bytes | None, bytes]]:
    """Take lines apart into key and value; a line without the separator has no key."""
    while True:
        stop.may_raise = True
        line = b"" if stop.is_asked else lines.readline()
        stop.may_raise = False
        if not line:
            return
        text = line.removesuffix(b"\n")
        head, found, tail = text.partition(plan.separator) if plan.separator else (text, b"", b"")
        yield (head, tail) if found else (None, text)
        stop.may_raise = True
        plan.pace.wait()
