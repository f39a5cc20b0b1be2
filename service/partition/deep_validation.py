"""Appends to topics whose batches are opened and looked at first (``record.validation=full``).

Batches are unpacked in threads, a few at a time over all partitions, so that what strangers send
costs bounded memory and no time on the loop. They enter the log in the order in which they arrived,
whichever is looked at first: an idempotent producer may have five of them on their way.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.records.batch import BatchHeader
from service.model.log import LogFailedError
from service.partition.partition import Appended, Partition
from service.partition.topic_rules import check_records

AT_ONCE_MAX = 2
"""Batches that are unpacked side by side."""

Tell = Callable[[Appended | EverlogError], None]
"""Told once: where the batch went, or why it did not."""


class _Batch:
    """One batch on its way into a log; ``outcome`` is there once it has been looked at."""

    __slots__ = ("header", "outcome", "partition", "records", "tell")

    def __init__(
        self, partition: Partition, records: memoryview, header: BatchHeader, tell: Tell
    ) -> None:
        self.partition = partition
        self.records = records
        self.header = header
        self.tell = tell
        self.outcome: BatchHeader | EverlogError | None = None


class DeepValidation:
    """Looks into batches, then appends them in the order of their arrival.

    Args:
        clock: For the limits of timestamps.
        executor: Threads to unpack in; None takes the loop's own.
        unpacked_bytes_max: ``record.decompressed.max.bytes``.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        executor: Executor | None,
        unpacked_bytes_max: int,
        at_once_max: int = AT_ONCE_MAX,
    ) -> None:
        self._clock = clock
        self._executor = executor
        self._unpacked_bytes_max = unpacked_bytes_max
        self._at_once_left = at_once_max
        self._unopened: deque[_Batch] = deque()
        self._queues: dict[Partition, deque[_Batch]] = {}

    def append(
        self, partition: Partition, records: memoryview | None, tell: Tell, *, zstd_allowed: bool
    ) -> None:
        """Look at a batch and append it behind those that came before it.

        The buffer belongs to the log until the batch is committed.

        Raises:
            RejectedError: Its header is bad already; nothing will be appended.
        """
        header = partition.check(records, zstd_allowed=zstd_allowed)
        assert records is not None
        batch = _Batch(partition, records, header, tell)
        self._queues.setdefault(partition, deque()).append(batch)
        self._unopened.append(batch)
        self._open_next()

    def _open_next(self) -> None:
        while self._at_once_left and self._unopened:
            self._at_once_left -= 1
            batch = self._unopened.popleft()
            work = partial(
                check_records,
                batch.records,
                batch.header,
                batch.partition.config,
                unpacked_bytes_max=self._unpacked_bytes_max,
                now_ms=self._clock.wall_ms(),
            )
            opened = asyncio.get_running_loop().run_in_executor(self._executor, work)
            opened.add_done_callback(partial(self._opened, batch))

    def _opened(self, batch: _Batch, outcome: "asyncio.Future[BatchHeader | EverlogError]") -> None:
        self._at_once_left += 1
        if outcome.cancelled():
            return  # the process is ending
        defect = outcome.exception()
        batch.outcome = LogFailedError(str(defect)) if defect is not None else outcome.result()
        self._append_ready(batch.partition)
        self._open_next()
        if defect is not None:
            raise defect

    def _append_ready(self, partition: Partition) -> None:
        queue = self._queues[partition]
        while queue and (outcome := queue[0].outcome) is not None:
            batch = queue.popleft()
            batch.tell(_appended(batch, outcome))
        if not queue:
            del self._queues[partition]


def _appended(batch: _Batch, outcome: BatchHeader | EverlogError) -> Appended | EverlogError:
    if isinstance(outcome, EverlogError):
        return outcome
    try:
        return batch.partition.append_checked(batch.records, outcome)
    except EverlogError as error:
        return error
