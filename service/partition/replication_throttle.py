"""Limits what replicas copy that are not in sync, so that others have room (KIP-73).

One side is a broker as a leader, or as a follower. What has been copied beyond the rate is a debt,
in seconds; who names the replica waits until it is small enough. Replicas in sync are never kept
waiting: they are what is promised.
"""

from collections.abc import Callable
from enum import StrEnum

from everlog.model.clock import Clock
from everlog.model.ids import NodeId, TopicName
from service.model.cluster import ClusterImage

EVERY_REPLICA = "*"

DEBT_SECONDS_MAX = 1.0
"""So far ahead of the rate a side may be: what is copied comes in pieces of a mebibyte."""


class Side(StrEnum):
    """Who limits, as the names of settings begin."""

    LEADER = "leader"
    FOLLOWER = "follower"

    @property
    def replicas_setting(self) -> str:
        """Of a topic: which replicas are limited, ``*`` or ``partition:broker,...``."""
        return f"{self}.replication.throttled.replicas"

    @property
    def rate_setting(self) -> str:
        """Of a broker: bytes in a second, for all limited replicas together."""
        return f"{self}.replication.throttled.rate"


class ReplicationThrottle:
    """One side of one broker.

    Args:
        image: Tells what topics say, and who is in sync.
        rate: Gives the bytes in a second as of now.
    """

    def __init__(
        self,
        side: Side,
        *,
        image: Callable[[], ClusterImage],
        rate: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._setting = side.replicas_setting
        self._image = image
        self._rate = rate
        self._clock = clock
        self._paid_at = 0.0

    def wait_seconds(self, topic: TopicName, partition: int, replica: NodeId) -> float:
        """Return for how long a replica is to copy nothing; 0 if it may."""
        if not self._is_limited(topic, partition, replica):
            return 0.0
        return max(0.0, self._paid_at - self._clock.monotonic() - DEBT_SECONDS_MAX)

    def spend(self, topic: TopicName, partition: int, replica: NodeId, size: int) -> None:
        """Take note of what a replica has copied."""
        if size and self._is_limited(topic, partition, replica):
            now = self._clock.monotonic()
            self._paid_at = max(now, self._paid_at) + size / self._rate()

    def _is_limited(self, topic: TopicName, partition: int, replica: NodeId) -> bool:
        image = self._image()
        found = image.topic(topic)
        if found is None or (named := found.config.get(self._setting)) is None:
            return False
        state = image.partition(topic, partition)
        if state is None or replica in state.isr:
            return False
        entries = [each.strip() for each in named.split(",")]
        return entries == [EVERY_REPLICA] or f"{partition}:{replica}" in entries
