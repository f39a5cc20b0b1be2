"""Fill a cache through Everlog's transfer process, which is asked for ranges as a broker asks.

``python -m bench.buckets.cache_fill URL DIRECTORY LANES RANGE_BYTES CACHE_BYTES`` has every range
of every segment object downloaded into files of that directory, LANES at a time. The oldest files
are removed when there is more than CACHE_BYTES. It prints figures as one JSON object: from the
first request to the last answer, with the connections open and the process warm. Processor time is
the worker's.
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from bench import processes
from bench.buckets.ranges import ObjectRange, segment_ranges, total_bytes
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_settings import S3Settings
from everlog.stores.url import parse_store_url
from service.app.system import SystemClock, SystemIds
from service.app.worker_launch import launch_worker
from service.telemetry.logs import configure_logs
from service.tiering.worker.remote_store import WorkerObjectStore
from service.tiering.worker.supervisor import WorkerSupervisor

_PROBE = "meta/probe-bench"
_LOGS = ("warning", "json")


class Cache:
    """Files by age, the oldest removed when they are too much."""

    def __init__(self, directory: Path, bytes_max: int) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._files: deque[tuple[str, int]] = deque()
        self._size = 0
        self._number = 0

    def next_path(self) -> str:
        """Name a file that nobody has named before."""
        self._number += 1
        return str(self._directory / f"{self._number}.chunk")

    def add(self, path: str, length: int) -> None:
        """Take a file in."""
        self._files.append((path, length))
        self._size += length
        while self._size > self._bytes_max:
            oldest, size = self._files.popleft()
            self._size -= size
            os.unlink(oldest)


def main() -> None:
    """Print the figures."""
    url, directory = sys.argv[1:3]
    lanes, range_bytes, cache_bytes = map(int, sys.argv[3:])
    configure_logs(level=_LOGS[0], form=_LOGS[1])
    settings = parse_store_url(url)
    assert isinstance(settings, S3Settings), "the URL names a bucket"
    ranges = segment_ranges(s3_client(settings), settings.bucket, range_bytes)
    cache = Cache(Path(directory), cache_bytes)
    print(json.dumps(asyncio.run(_measure(url, ranges, cache, lanes))))


async def _nothing() -> None:
    pass


async def _measure(
    url: str, ranges: Sequence[ObjectRange], cache: Cache, lanes: int
) -> dict[str, float]:
    worker = WorkerSupervisor(
        lambda: launch_worker(url, _PROBE, *_LOGS),
        clean=_nothing,  # the directory goes with this measurement
        clock=SystemClock(),
        ids=SystemIds(),
    )
    running = asyncio.ensure_future(worker.run())
    try:
        store = WorkerObjectStore(worker)
        await _fill(store, ranges[:lanes], cache, lanes)
        cpu_before_s, started = _cpu_s(worker), time.perf_counter()
        await _fill(store, ranges, cache, lanes)
        window_s, cpu_s = time.perf_counter() - started, _cpu_s(worker) - cpu_before_s
    finally:
        running.cancel()
        await asyncio.wait([running])
    size = total_bytes(ranges)
    return {
        "bytes": size,
        "window_s": window_s,
        "mb_per_s": size / 1e6 / window_s,
        "cpu_s_per_gb": cpu_s / size * 1e9,
    }


async def _fill(
    store: ObjectStore, ranges: Sequence[ObjectRange], cache: Cache, lanes: int
) -> None:
    left = iter(ranges)

    async def lane() -> None:
        for wanted in left:
            path = cache.next_path()
            key = object_key(wanted.key)
            await store.read_into_file(key, wanted.start, wanted.length, path)
            cache.add(path, wanted.length)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(lanes):
            tasks.create_task(lane())


def _cpu_s(worker: WorkerSupervisor) -> float:
    return sum(each.cpu_s for each in processes.snapshot() if each.pid == worker.pid)


if __name__ == "__main__":
    main()
