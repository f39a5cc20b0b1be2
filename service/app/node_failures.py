"""What a broker does about what goes wrong in it, beyond telling a client."""

import os

import structlog

from everlog.model.clock import Clock
from everlog.model.ids import PartitionId
from service.model.disk import DiskError
from service.model.serving import Peer
from service.protocol.api import ApiKey
from service.telemetry.logs import Limited

SYNC_FAILED_STATUS = 74
"""``EX_IOERR`` of sysexits.h."""

_log = structlog.get_logger(__name__)


def end_process(error: DiskError) -> None:
    """Leave at once, as after a crash: recovery reads what really is on the disk."""
    _log.critical("sync_failed", reason=str(error), advice="check the disk, then start again")
    os._exit(SYNC_FAILED_STATUS)


def report_defect(key: ApiKey, version: int, error: Exception) -> None:
    """Say that a request met a defect."""
    _log.error("request_failed", api=key.name, version=version, exc_info=error)


def report_broken(topic: str, partition: PartitionId, error: Exception) -> None:
    """Say that a partition cannot be served."""
    _log.error("partition_offline", topic=topic, partition=partition.partition, reason=str(error))


class RefusalReports:
    """Says that connections were closed, and why; not all the time of one client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._complaints = Limited()

    def __call__(self, peer: Peer, reason: Exception) -> None:
        """Report one."""
        if isinstance(reason, OSError):
            return  # the client has gone; that is its right
        held_back = self._complaints.admit(peer.host, self._clock.monotonic())
        if held_back is not None:
            _log.warning(
                "connection_closed", client=peer.host, reason=str(reason), held_back=held_back
            )
