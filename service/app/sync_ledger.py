"""What a power cut would leave: a disk that writes down what it has synced, for fault runs.

A test that kills a process loses nothing, for the page cache stays. If the variable
``EVERLOG_TEST_SYNC_LEDGER`` names a directory outside of the data directory, each sync and each
change of a name is noted there, so that the test can take back afterwards what no device had to
have. It costs a write for each of them and is for tests alone.

The directory holds ``ledger``, one JSON array a line, and ``kept``, links to files whose names were
taken away and not yet durably so. Changes of names are numbered:

=============================  ==================================================================
``["made", n, path, inode]``   a file, nothing of it synced
``["moved", n, old, new, k]``  a file or a directory; what it replaced is ``kept/k``, null if none
``["gone", n, path, k]``       a file; it is ``kept/k``
``["named", n, path]``         names in this directory are durable of all changes below ``n``
``["synced", inode, bytes]``   so much of the file is durable
``["cut", inode, bytes]``      it was truncated; no more than this of it is synced
=============================  ==================================================================

Trees are removed for good at once: what they hold is not wanted back by anybody. If there is a file
``boot_id``, it says which start of the operating system this is.
"""

import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from service.app.system_disk import SystemDisk
from service.model.disk import Disk, File

VARIABLE = "EVERLOG_TEST_SYNC_LEDGER"
LEDGER, KEPT, BOOT_ID = "ledger", "kept", "boot_id"

_SYSTEM_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def disk_of(environment: Mapping[str, str]) -> Disk:
    """Return the disk of this process: the system's, with a ledger if the environment asks."""
    directory = environment.get(VARIABLE)
    return LedgerDisk(SyncLedger(Path(directory))) if directory else SystemDisk()


def boot_id(environment: Mapping[str, str]) -> str:
    """Return which start of the operating system this is, or which one the ledger says it is."""
    directory = environment.get(VARIABLE)
    said = Path(directory, BOOT_ID) if directory else _SYSTEM_BOOT_ID
    return (said if said.exists() else _SYSTEM_BOOT_ID).read_text().strip()


class SyncLedger:
    """The file, written by all threads of one process.

    A line is written after what it tells of, syncs as of their beginning: a process that is killed
    in between has synced more than its ledger says, which a power cut may spare as well.
    """

    def __init__(self, directory: Path) -> None:
        self._kept = directory / KEPT
        self._kept.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(directory / LEDGER, flags, 0o644)
        self._lock = threading.Lock()
        # Above all numbers of earlier starts: no line is shorter than a byte.
        self._changes = os.lseek(self._fd, 0, os.SEEK_END)
        self._pending: dict[str, list[tuple[int, Path]]] = {}

    def note(self, *words: object) -> None:
        """Write a line that has no number."""
        os.write(self._fd, json.dumps(words).encode() + b"\n")

    def number(self) -> int:
        """Return the number that the next change of a name gets, or a higher one."""
        with self._lock:
            return self._changes + 1

    def note_change(self, kind: str, *words: object, kept: Path | None = None) -> None:
        """Write down a change of a name; ``kept`` is what it took away."""
        with self._lock:
            self._changes += 1
            self.note(kind, self._changes, *words)
            if kept is not None:
                place = os.path.dirname(str(words[0]))
                self._pending.setdefault(place, []).append((self._changes, kept))

    def note_named(self, number: int, path: str) -> None:
        """Write down that changes below a number are durable; let go of what they took away."""
        self.note("named", number, path)
        with self._lock:
            pending = self._pending.pop(path, [])
            self._pending[path] = [each for each in pending if each[0] >= number]
        for each, kept in pending:
            if each < number:
                kept.unlink(missing_ok=True)

    def keep(self, path: str) -> Path | None:
        """Give a file another name, so that it can come back; None if there is no such file."""
        try:
            # No other file gets this number as long as one of its names is left: if there is such
            # a name, a process was killed that was about to take away the other one.
            kept = self._kept / str(os.stat(path).st_ino)
            with suppress(FileExistsError):
                os.link(path, kept)
        except (FileNotFoundError, PermissionError):  # the latter of a directory
            return None
        return kept


class LedgerFile:
    """An open file whose syncs are written down."""

    def __init__(self, file: File, inode: int, ledger: SyncLedger) -> None:
        self._file = file
        self._inode = inode
        self._ledger = ledger
        self.write_at = file.write_at
        self.read_at = file.read_at
        self.read_cached = file.read_cached
        self.size = file.size
        self.close = file.close

    def sync(self) -> None:
        size = self._file.size()
        self._file.sync()
        self._ledger.note("synced", self._inode, size)

    def truncate(self, size: int) -> None:
        self._file.truncate(size)
        self._ledger.note("cut", self._inode, size)


class LedgerDisk(SystemDisk):
    """Files of the operating system, and a ledger of what of them is durable."""

    def __init__(self, ledger: SyncLedger) -> None:
        super().__init__()
        self._ledger = ledger

    @override
    def open(self, path: str, *, create: bool = False, writable: bool = True) -> File:
        is_new = create and not os.path.exists(path)
        file = super().open(path, create=create, writable=writable)
        inode = os.stat(path).st_ino
        if is_new:
            self._ledger.note_change("made", path, inode)
        return LedgerFile(file, inode, self._ledger) if writable else file

    @override
    def rename(self, old: str, new: str) -> None:
        kept = self._ledger.keep(new)
        super().rename(old, new)
        self._ledger.note_change("moved", old, new, kept and kept.name, kept=kept)

    @override
    def unlink(self, path: str) -> None:
        kept = self._ledger.keep(path)
        super().unlink(path)
        self._ledger.note_change("gone", path, kept and kept.name, kept=kept)

    @override
    def sync_dir(self, path: str) -> None:
        number = self._ledger.number()
        super().sync_dir(path)
        self._ledger.note_named(number, path)
