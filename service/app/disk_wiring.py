"""Puts together what watches a broker's disk."""

from service.app.seams import Seams
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.model.disk_limit import DiskLimits
from service.partition.archiver import Archiver
from service.partition.disk_gate import DiskGate
from service.partition.disk_watch import DiskWatch
from service.partition.early_release import EarlyRelease


def disk_watch(
    config: BrokerConfig, seams: Seams, hot: HotStore, gate: DiskGate, archiver: Archiver
) -> DiskWatch:
    """Make the watch of a broker whose logs are open; it has not looked yet."""
    return DiskWatch(
        limits=DiskLimits(high=config.log_local_disk_high, critical=config.log_local_disk_critical),
        data_dir=config.data_dir,
        disk=seams.disk,
        hot=hot,
        gate=gate,
        early=EarlyRelease(hot, lambda: archiver.archives, seams.clock),
        clock=seams.clock,
        executor=seams.read_executor,
    )
