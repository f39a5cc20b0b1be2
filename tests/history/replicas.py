"""What is on the disks: below the high watermark the same bytes everywhere, without gaps."""

from collections.abc import Iterator

from tests.history.anomalies import Anomaly, Kind
from tests.history.operations import History, Partition, StoredBatch
from tests.history.records_seen import Logs


def diverging_replicas(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find committed batches that are not the same on all disks that have them."""
    first: dict[tuple[Partition, int], tuple[int, StoredBatch]] = {}
    for replica in history.replicas:
        for batch in replica.batches:
            if batch.base >= replica.high_watermark:
                continue
            key = (replica.partition, batch.base)
            broker, other = first.setdefault(key, (replica.broker, batch))
            if other != batch:
                what = f"the batch at {batch.base} differs between {broker} and {replica.broker}"
                yield Anomaly(Kind.REPLICA_DIVERGENCE, replica.partition, what)


def gaps_in_replicas(history: History, _: Logs) -> Iterator[Anomaly]:
    """Find logs whose batches do not follow each other.

    Where that holds, two logs that have other batches for the same offsets have none at some base
    of the other, and both cannot be without a gap and equal at every base that they share.
    """
    for replica in history.replicas:
        expected: int | None = None
        for batch in replica.batches:
            if expected is not None and batch.base != expected:
                what = f"broker {replica.broker} has {batch.base} where {expected} is due"
                yield Anomaly(Kind.REPLICA_GAP, replica.partition, what)
            expected = batch.last + 1
