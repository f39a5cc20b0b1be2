"""The cluster as clients of a read-only broker see it: its own, with the followed topics in it."""

from collections.abc import Callable
from dataclasses import replace

from everlog.model.ids import NodeId
from service.model.cluster import EMPTY_IMAGE, ClusterImage, PartitionState, TopicImage
from service.partition.archived_partition import ArchivedPartition
from service.partition.archived_table import ArchivedTable, ArchivedTopic

NO_ELECTION = -1
"""Stands for registrations and controllers: nobody was elected for what is only followed."""


class ArchivedImage:
    """Gives the newest image; made anew only after a change of either side."""

    def __init__(
        self, own: Callable[[], ClusterImage], table: ArchivedTable, *, broker_id: NodeId
    ) -> None:
        self._own = own
        self._table = table
        self._broker_id = broker_id
        self._made_of: tuple[ClusterImage, int] = EMPTY_IMAGE, -1
        self._made = EMPTY_IMAGE

    def __call__(self) -> ClusterImage:
        own, version = self._own(), self._table.version
        if self._made_of[0] is not own or self._made_of[1] != version:
            self._made_of = own, version
            self._made = self._merged(own)
        return self._made

    def _merged(self, own: ClusterImage) -> ClusterImage:
        followed = [self._topic(each) for each in self._table.topics.values()]
        return replace(
            own,
            topics={**{each.name: each for each in followed}, **own.topics},
            names={**{each.topic_id: each.name for each in followed}, **own.names},
        )

    def _topic(self, topic: ArchivedTopic) -> TopicImage:
        return TopicImage(
            name=topic.name,
            topic_id=topic.topic_id,
            config=topic.config,
            partitions=tuple(self._state(each) for each in topic.partitions),
            version=0,
        )

    def _state(self, partition: ArchivedPartition) -> PartitionState:
        return PartitionState(
            replicas=(self._broker_id,),
            leader=self._broker_id if partition.is_found else None,
            leader_epoch=partition.leader_epoch,
            leader_broker_epoch=NO_ELECTION,
            isr=(self._broker_id,),
            controller_epoch=NO_ELECTION,
            version=0,
        )
