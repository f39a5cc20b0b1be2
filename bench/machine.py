"""What the figures depend on besides the programs: processor, memory, kernel, disk."""

import os
import platform
from pathlib import Path

_VOLATILE = frozenset({"tmpfs", "ramfs"})


def describe(data_dir: Path) -> dict[str, object]:
    """Say what is under a benchmark whose data is in that directory. No names of hosts or paths."""
    file_system, device = _mount(data_dir)
    return {
        "processor": _after(Path("/proc/cpuinfo"), "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.system(),
        "file_system": file_system,
        "disk": device,
        "read_ahead_kib": _read_ahead_kib(device),
    }


def memory_bytes() -> int:
    """All of it, used or not."""
    return int(_after(Path("/proc/meminfo"), "MemTotal").split()[0]) * 1024


def is_volatile(data_dir: Path) -> bool:
    """Whether that directory is in memory, where a flush costs nothing."""
    return _mount(data_dir)[0] in _VOLATILE


def parse_mounts(text: str, path: Path) -> tuple[str, str]:
    """Find file system and device name of the mount that a path is on."""
    best, found = -1, ("unknown", "unknown")
    for line in text.splitlines():
        device, mounted, kind, *_ = line.split()
        at = Path(mounted)
        if (at == path or at in path.parents) and len(at.parts) >= best:
            best, found = len(at.parts), (kind, Path(device).name)
    return found


def _mount(path: Path) -> tuple[str, str]:
    return parse_mounts(Path("/proc/mounts").read_text(), path.resolve())


def _read_ahead_kib(device: str) -> int:
    """Of a whole disk or a partition of it; 0 if the kernel does not say."""
    for block in (Path("/sys/class/block") / device, Path("/sys/class/block") / device / ".."):
        setting = block / "queue" / "read_ahead_kb"
        if setting.exists():
            return int(setting.read_text())
    return 0


def _after(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0"
