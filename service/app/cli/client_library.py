"""The Kafka client library, loaded when a command needs it.

Its types are partly missing and its admin module re-exports by accident of assignment, so commands
take it as it is, and keep `Any` at this edge.
"""

from importlib import import_module
from typing import Any

Admin = Any
"""``confluent_kafka.admin.AdminClient``."""

Cluster = Any
"""``confluent_kafka.admin.ClusterMetadata``."""

Topic = Any
"""``confluent_kafka.admin.TopicMetadata``."""

PARTITION_EOF = -191
TRANSPORT = -195
ALL_BROKERS_DOWN = -187
TIMED_OUT = -185
NO_OFFSET = -168
UNKNOWN_PARTITION = -190
"""Error codes of librdkafka's own, ``RD_KAFKA_RESP_ERR__...`` in rdkafka.h."""

UNKNOWN_TOPIC = 3
TOO_LARGE = 10
INVALID_TOPIC = 17
TOPIC_EXISTS = 36
INVALID_RECORD = 87
"""Error codes of Kafka."""


def kafka() -> Any:
    """Return the package ``confluent_kafka``."""
    return import_module("confluent_kafka")


def kafka_admin() -> Any:
    """Return its part for administration."""
    return import_module("confluent_kafka.admin")
