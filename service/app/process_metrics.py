"""What every process says of itself."""

import os
import resource
from collections.abc import Iterator

from service.telemetry.metrics import Metric, counter, gauge

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def process_metrics() -> Iterator[Metric]:
    """Yield CPU time and resident memory of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    yield counter("process_cpu_seconds", "CPU time of this process.", cpu)
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * _PAGE_BYTES
    yield gauge("process_resident_memory_bytes", "Resident memory of this process.", resident)
