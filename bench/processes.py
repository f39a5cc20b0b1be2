"""Processes of a peer as the kernel sees them: who started whom, processor time, memory."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

BROKER = "broker"
"""The role that every peer has."""

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KIB = 1024
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One live process."""

    pid: int
    parent: int
    session: int
    """The pid of the process that began it, whether that one still lives or not."""

    started_ticks: int
    """Since boot: with the pid, this names a process for good."""

    cpu_s: float
    """Of this process alone, in user and kernel."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory: whole, with shared pages divided among their users, and without files."""

    rss_mb: float
    pss_mb: float
    anonymous_mb: float


def parse_stat(text: str, command: bytes) -> Process:
    """Read `/proc/<pid>/stat` and `/proc/<pid>/cmdline`."""
    pid, _, rest = text.partition(" (")
    # The name may hold spaces and brackets; only its last bracket ends it.
    fields = rest.rpartition(") ")[2].split()
    return Process(
        pid=int(pid),
        parent=int(fields[1]),
        session=int(fields[3]),
        started_ticks=int(fields[19]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        command=tuple(part.decode(errors="replace") for part in command.split(b"\0") if part),
    )


def parse_rollup(text: str) -> Memory:
    """Read `/proc/<pid>/smaps_rollup`."""
    kib = {
        line.partition(":")[0]: int(line.split()[1])
        for line in text.splitlines()
        if line.endswith(" kB")
    }
    return Memory(*(kib[name] * _KIB / _MB for name in ("Rss", "Pss", "Anonymous")))


def family(root: int, processes: Iterable[Process]) -> list[Process]:
    """The process of that pid and all that descend from it, parents first."""
    children: dict[int, list[Process]] = {}
    found = []
    for process in processes:
        children.setdefault(process.parent, []).append(process)
        if process.pid == root:
            found.append(process)
    for process in found:
        found.extend(children.get(process.pid, ()))
    return found


def snapshot() -> list[Process]:
    """All processes of this machine; those that end meanwhile may be missing."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found.append(parse_stat((entry / "stat").read_text(), (entry / "cmdline").read_bytes()))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def memory(processes: Iterable[Process]) -> Memory:
    """Sum over live processes."""
    each = [parse_rollup((_PROC / str(p.pid) / "smaps_rollup").read_text()) for p in processes]
    return Memory(
        sum(m.rss_mb for m in each),
        sum(m.pss_mb for m in each),
        sum(m.anonymous_mb for m in each),
    )


def by_role(members: Iterable[Process], words: Mapping[str, str]) -> dict[str, list[Process]]:
    """Sort a family into roles by a word in the command line.

    Args:
        members: As `family` gives them. The first is the broker, whatever its arguments say.
        words: Word to role. Who has none of them has its parent's role.
    """
    roles: dict[int, str] = {}
    sorted_out: dict[str, list[Process]] = {}
    for process in members:
        if roles:
            inherited = roles.get(process.parent, BROKER)
            spoken = (words[word] for word in _words(process.command) if word in words)
            roles[process.pid] = next(spoken, inherited)
        else:
            roles[process.pid] = BROKER
        sorted_out.setdefault(roles[process.pid], []).append(process)
    return sorted_out


def _words(command: tuple[str, ...]) -> list[str]:
    # Last parts of paths only: a checkout may lie below a directory of any name.
    return [word for part in command for word in re.split(r"[._]", Path(part).name)]
