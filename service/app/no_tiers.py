"""The cold side of a broker that has none: every topic stays on the local disk."""

from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch
from service.hot.log import HotLog
from service.model.log import LogReader
from service.model.topic_config import TopicConfig


class NoTiers:
    """Nothing is uploaded, and nothing is released."""

    async def open(
        self, partition: PartitionId, leader_epoch: LeaderEpoch, hot: HotLog, config: TopicConfig
    ) -> LogReader | None:
        del partition, leader_epoch, hot, config
        return None

    def reconfigure(self, partition: PartitionId, config: TopicConfig) -> None:
        del partition, config

    async def close(self, partition: PartitionId) -> None:
        del partition
