"""Everything a broker takes from outside itself, in one value: the simulator brings another one."""

import os
import resource
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from everlog.model.clock import Clock, IdSource
from service.app.sync_ledger import disk_of
from service.app.system import SystemClock, SystemIds
from service.app.system_network import SystemNetwork
from service.app.system_processor import SystemProcessor
from service.model.disk import Disk
from service.model.network import Network
from service.model.processor import Processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """The world as a broker sees it.

    Attributes:
        flush_executor: Threads that write and sync; None for the loop's own.
        read_executor: Threads that read what is not in the page cache.
        cold_executor: Threads that read and verify what is archived, so that no scan of it delays a
            read of a local log.
        metadata_executor: The thread of the embedded metadata tree, so that no read delays it.
    """

    clock: Clock
    ids: IdSource
    disk: Disk
    network: Network
    processor: Processor
    flush_executor: Executor | None
    read_executor: Executor | None
    cold_executor: Executor | None = None
    metadata_executor: Executor | None = None


def system_seams(*, flush_threads: int, read_threads: int) -> Seams:
    """Return the real world."""
    return Seams(
        clock=SystemClock(),
        ids=SystemIds(),
        disk=disk_of(os.environ),
        network=SystemNetwork(),
        processor=SystemProcessor(),
        flush_executor=ThreadPoolExecutor(flush_threads, thread_name_prefix="flush"),
        read_executor=ThreadPoolExecutor(read_threads, thread_name_prefix="read"),
        cold_executor=ThreadPoolExecutor(read_threads, thread_name_prefix="cold"),
        metadata_executor=ThreadPoolExecutor(1, thread_name_prefix="metadata"),
    )


def raise_descriptor_limit() -> None:
    """Allow as many open files as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
