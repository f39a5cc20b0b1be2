"""Who has a port, for messages to people; Linux only, and only as far as this user may look."""

import os
from pathlib import Path

_LISTENING = "0A"
_LOCAL, _STATE, _INODE = 1, 3, 9


def owner_of_port(port: int) -> str | None:
    """Return ``pid N (name)`` of the process that listens on a TCP port; None if nobody does."""
    inodes = {inode for path in ("tcp", "tcp6") for inode in _listening(path, port)}
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and wanted & _open_files(process):
            name = (process / "comm").read_text().strip()
            return f"pid {process.name} ({name})"
    return "another process"


def _listening(table: str, port: int) -> list[str]:
    path = Path("/proc/net") / table
    if not path.exists():
        return []
    rows = [line.split() for line in path.read_text().splitlines()[1:]]
    suffix = f":{port:04X}"
    return [
        row[_INODE] for row in rows if row[_STATE] == _LISTENING and row[_LOCAL].endswith(suffix)
    ]


def _open_files(process: Path) -> set[str]:
    found = set()
    try:
        for link in (process / "fd").iterdir():
            found.add(os.readlink(link))
    except OSError:
        return found  # it has ended, or belongs to somebody else
    return found
