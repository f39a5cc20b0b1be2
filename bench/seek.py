"""Go to random offsets of a partition, one after the other: how long until the first record comes.

``python -m bench.seek BOOTSTRAP TOPIC OFFSETS SEEKS`` draws offsets from ``[0, OFFSETS)``, the same
ones each time, and prints percentiles as one JSON object. The consumer is librdkafka, as Python
users have it: the C clients' older one waits for a second before it fetches again.
"""

import json
import math
import random
import sys
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from bench.errors import BenchError

_LIMIT_S = 60.0
_CONSUMER = {
    "group.id": "bench",
    "enable.auto.commit": False,
    "socket.nagle.disable": True,
    # It asks for a batch, and for no more as long as it has a record that nobody has taken; so
    # nothing else is on its way when the next seek begins.
    "fetch.message.max.bytes": 1 << 20,
    "queued.min.messages": 1,
    "fetch.queue.backoff.ms": 0,
}
_PERCENTILES = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "max_ms": 100.0}


def main() -> None:
    """Print the figures."""
    bootstrap, topic = sys.argv[1:3]
    offsets, seeks = map(int, sys.argv[3:])
    drawn = random.Random(1)  # noqa: S311 - the same ones each time
    consumer = Consumer({"bootstrap.servers": bootstrap, **_CONSUMER})
    try:
        # Finding the leader is not part of a seek.
        first_record_ms(consumer, topic, offsets - 1)
        took = [first_record_ms(consumer, topic, drawn.randrange(offsets)) for _ in range(seeks)]
    finally:
        consumer.close()
    shown = {name: percentile(took, percent) for name, percent in _PERCENTILES.items()}
    print(json.dumps({"records": seeks, **shown}))


def first_record_ms(consumer: Consumer, topic: str, offset: int) -> float:
    """Return how long the record at an offset took to come.

    Raises:
        BenchError: It did not come in time, or another one did.
    """
    began = time.perf_counter()
    consumer.assign([TopicPartition(topic, 0, offset)])
    message = consumer.poll(_LIMIT_S)
    took_ms = (time.perf_counter() - began) * 1000
    if message is None or message.error() is not None or message.offset() != offset:
        found = "nothing" if message is None else message.error() or message.offset()
        raise BenchError(f"offset {offset} was asked for, {found} came")
    return took_ms


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that at least ``percent`` of all values do not exceed."""
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


if __name__ == "__main__":
    main()
