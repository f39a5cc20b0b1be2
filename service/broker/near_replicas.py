"""Sends consumers to a replica in their own rack (KIP-392)."""

from functools import partial

from everlog.model.ids import NodeId
from service.broker.fetch_reading import Nearest
from service.broker.metadata_view import Images
from service.partition.readable import FetchablePartition


class NearReplicas:
    """Chooses by racks, as Kafka's ``RackAwareReplicaSelector`` does.

    Args:
        me: The leader; it keeps the consumers of its own rack.
        images: Tells who is registered, and where it stands.
    """

    def __init__(self, *, me: NodeId, images: Images) -> None:
        self._me = me
        self._images = images

    def of(self, rack: str, listener: str) -> Nearest:
        """Return what chooses for a consumer in a rack that has come to a listener."""
        return partial(self._nearest, rack, listener)

    def _nearest(
        self, rack: str, listener: str, partition: FetchablePartition, offset: int
    ) -> NodeId | None:
        brokers = self._images().brokers
        mine = brokers.get(self._me)
        if mine is not None and mine.rack == rack:
            return None
        for each in partition.holding(offset):
            broker = brokers.get(each)
            if broker is not None and broker.rack == rack and broker.endpoint(listener) is not None:
                return each
        return None
