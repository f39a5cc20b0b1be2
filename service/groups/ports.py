"""What groups need from the rest of the broker."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from everlog.model.offsets import LeaderEpoch

OffsetsRecord = tuple[bytes, bytes | None]
"""Key and value of a record of ``__consumer_offsets``; without a value it removes the key's own."""


class OffsetsLog(Protocol):
    """The topic ``__consumer_offsets``, as far as this broker has to do with it."""

    @property
    def partitions(self) -> int | None:
        """How many partitions the topic has; None while it does not exist."""
        ...

    def leads(self, partition: int) -> LeaderEpoch | None:
        """Return the term in which this broker leads a partition, None if it does not.

        Asked for each call to a group, so it must not cost more than looking into a table.
        """
        ...

    def append(
        self,
        partition: int,
        records: Sequence[OffsetsRecord],
        *,
        leader_epoch: LeaderEpoch,
        timeout_ms: int,
    ) -> "asyncio.Future[None]":
        """Append records; the future is done once they are committed (below the high watermark).

        Nothing is raised here. The records of one call follow those of the calls before it, without
        other records between them, in as many batches as it takes; the futures of a partition are
        done in the order of the calls.

        The future fails with:
            FencedError: This broker does not lead the partition in that term. Nothing was appended.
            RejectedError: A record is larger than a batch may be. Nothing was appended.
            RetriableError: The outcome is unknown, also when ``timeout_ms`` have passed.
        """
        ...

    def replay(
        self, partition: int, *, leader_epoch: LeaderEpoch
    ) -> AsyncIterator[Iterable[OffsetsRecord]]:
        """Read everything that is committed, from the start of the log and in its order.

        Records of transactions that were aborted or are open, and control records, are left out.
        The end is the log end at the time of the call, once that is committed: what an earlier
        leader has acknowledged is there.

        Raises:
            FencedError: This broker does not lead the partition in that term any more.
            RetriableError: It cannot be read just now.
            CorruptionError: What is stored is not what was written, or a record has no key.
        """
        ...


class OffsetsTopic(Protocol):
    """Brings ``__consumer_offsets`` into being when the first group looks for its coordinator."""

    async def create(self) -> None:
        """Create the topic: compacted, and with ``offsets.topic.num.partitions`` partitions.

        It is fine if it exists by now, or if somebody else is creating it. It may take a moment
        more until it is seen and its partitions have leaders.

        Raises:
            RetriableError: It cannot be created just now.
            RejectedError: It cannot be created as it is configured.
        """
        ...
