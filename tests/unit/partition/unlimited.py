"""Replication that nobody limits."""

from service.model.cluster import EMPTY_IMAGE
from service.partition.replication_throttle import ReplicationThrottle, Side
from tests.simulation.clock import ManualClock


def unlimited() -> ReplicationThrottle:
    return ReplicationThrottle(
        Side.FOLLOWER, image=lambda: EMPTY_IMAGE, rate=lambda: 1, clock=ManualClock()
    )
