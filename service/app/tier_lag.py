"""How far uploads are behind, by topic."""

from collections.abc import Iterable
from dataclasses import dataclass

from service.partition.archive import PartitionArchive
from service.partition.table import PartitionTable

TOPICS_MAX = 50
"""Topics that are named on the metrics page, those that are furthest behind."""

OTHERS = "(others)"
"""Stands for all other topics; none can have that name."""


@dataclass(frozen=True, slots=True)
class UploadLag:
    """What waits for its upload: bytes of sealed segments, and the age of the oldest one."""

    bytes: int = 0
    seconds: float = 0.0

    def joined(self, other: "UploadLag") -> "UploadLag":
        """Return what waits in both."""
        return UploadLag(self.bytes + other.bytes, max(self.seconds, other.seconds))


def lag_by_topic(
    archives: Iterable[PartitionArchive],
    table: PartitionTable,
    *,
    now_ms: int,
    topics_max: int = TOPICS_MAX,
) -> dict[str, UploadLag]:
    """Return the lag of the topics that are furthest behind, and that of `OTHERS` if there are."""
    lags: dict[str, UploadLag] = {}
    for each in archives:
        partition = each.hot.partition
        served = table.by_id(partition.topic_id, partition.partition)
        if served is not None:
            lag = UploadLag(each.lag_bytes, each.lag_ms(now_ms) / 1000)
            lags[served.topic] = lags.get(served.topic, UploadLag()).joined(lag)
    worst = sorted(lags, key=lambda topic: (-lags[topic].seconds, -lags[topic].bytes, topic))
    found = {topic: lags[topic] for topic in worst[:topics_max]}
    for topic in worst[topics_max:]:
        found[OTHERS] = found.get(OTHERS, UploadLag()).joined(lags[topic])
    return found
