"""Puts together the local logs of a broker, and what watches their disk."""

from service.app.node_failures import end_process
from service.app.seams import Seams
from service.hot.store import HotStore
from service.model.broker_config import BrokerConfig
from service.model.disk_limit import DiskLimits
from service.partition.archiver import Archiver
from service.partition.disk_gate import DiskGate
from service.partition.disk_watch import DiskWatch
from service.partition.early_release import EarlyRelease


def hot_store(config: BrokerConfig, seams: Seams) -> HotStore:
    """Make the place of a broker's local logs; nothing is read yet."""
    return HotStore(
        data_dir=config.data_dir,
        disk=seams.disk,
        clock=seams.clock,
        flush_executor=seams.flush_executor,
        read_executor=seams.read_executor,
        on_fatal=end_process,
        flush_threads=config.flush_threads,
        open_files_max=config.files_open_max,
    )


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
