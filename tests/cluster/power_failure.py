"""Takes from a data directory what no device had to have, by its ledger (`sync_ledger.py`)."""

import json
import os
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.app.sync_ledger import BOOT_ID, KEPT, LEDGER

PAGE_BYTES = 4096
"""Written out as one."""

CACHE_DIR = "cache"

SHARE_OF_HOLES = 0.5
"""Of files with unsynced bytes left, those in which some pages were not written."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What its lines come to.

    Attributes:
        synced: How many bytes of each file, by inode, are durable.
        pending: By directory, the changes of names that are not, in their order.
    """

    synced: dict[int, int] = field(default_factory=dict)
    pending: defaultdict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Ledger":
        ledger = cls()
        for line in lines:
            ledger.take(json.loads(line))
        return ledger

    def take(self, words: list[Any]) -> None:
        match words:
            case ["synced", inode, size]:
                self.synced[inode] = size
            case ["cut", inode, size]:
                self.synced[inode] = min(size, self.synced.get(inode, size))
            case ["named", number, path]:
                self.pending[path] = [each for each in self.pending[path] if each[1] >= number]
            case ["made", _, path, inode]:
                self.synced[inode] = 0
                self.pending[os.path.dirname(path)].append(words)
            case [_, _, path, *_]:
                self.pending[os.path.dirname(path)].append(words)


@dataclass(slots=True, kw_only=True)
class PowerCut:
    """What it took.

    Attributes:
        names: Changes of names that were taken back.
        files: That lost bytes.
    """

    names: int = 0
    files: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        return f"took {self.bytes} bytes of {self.files} files, and {self.names} changes of names"


def cut_power(
    data_dir: Path, ledger_dir: Path, rng: random.Random, *, is_told: bool = True
) -> PowerCut:
    """Leave of the files of a process that has ended what a device may have had.

    Args:
        data_dir: Whose files.
        ledger_dir: What the process has noted there.
        rng: Chooses, of what no device had to have, what it had.
        is_told: Whether the next start learns that the operating system was started anew. A broker
            that is not told trusts what it finds as it may after its own end.
    """
    cut = PowerCut()
    lines = (ledger_dir / LEDGER).read_text().splitlines() if ledger_dir.exists() else []
    ledger = Ledger.of(lines)
    for pending in ledger.pending.values():
        for words in reversed(pending[rng.randint(0, len(pending)) :]):
            cut.names += _take_back(words, ledger_dir / KEPT)
    for path in _files(data_dir):
        synced = ledger.synced.get(path.stat().st_ino)
        if synced is not None:
            _lose_bytes(path, synced, rng, cut)
    _begin_anew(data_dir, ledger_dir)
    if is_told:
        (ledger_dir / BOOT_ID).write_text(f"{rng.getrandbits(128):032x}\n")
    return cut


def _take_back(words: list[Any], kept: Path) -> bool:
    """Undo a change of a name; return whether there was anything to undo."""
    match words:
        case ["made", _, path, inode]:
            if not os.path.exists(path) or os.stat(path).st_ino != inode:
                return False
            os.unlink(path)
        case ["moved", _, old, new, replaced]:
            if not os.path.exists(new) or os.path.exists(old):
                return False
            os.rename(new, old)
            if replaced is not None:
                os.rename(kept / replaced, new)
        case ["gone", _, path, removed]:
            # Where a tree was removed since, nothing comes back, nor if there was too much to keep.
            can_be = removed is not None and (kept / removed).exists()
            if not can_be or os.path.exists(path) or not Path(path).parent.exists():
                return False
            os.rename(kept / removed, path)
    return True


def _lose_bytes(path: Path, synced: int, rng: random.Random, cut: PowerCut) -> None:
    size = path.stat().st_size
    if size <= synced:
        return
    end = rng.randint(synced, size)
    os.truncate(path, end)
    cut.files += 1
    cut.bytes += size - end
    if rng.random() < SHARE_OF_HOLES:
        with path.open("r+b") as file:
            for page in range(synced // PAGE_BYTES * PAGE_BYTES, end, PAGE_BYTES):
                first, last = max(page, synced), min(page + PAGE_BYTES, end)
                if rng.random() < SHARE_OF_HOLES:
                    file.seek(first)
                    file.write(_instead(last - first, rng))
                    cut.bytes += last - first


def _instead(size: int, rng: random.Random) -> bytes:
    """Return what is in a page that was not written: nothing, or what was there before."""
    return bytes(size) if rng.random() < 0.5 else rng.randbytes(size)


def _begin_anew(data_dir: Path, ledger_dir: Path) -> None:
    """Let the ledger say that everything that is left is durable."""
    for path in _files(ledger_dir / KEPT):
        path.unlink()
    lines = [["synced", (at := path.stat()).st_ino, at.st_size] for path in _files(data_dir)]
    ledger_dir.mkdir(parents=True, exist_ok=True)
    (ledger_dir / LEDGER).write_text("".join(json.dumps(each) + "\n" for each in lines))


def _files(directory: Path) -> list[Path]:
    """Return all files but those of the cache, which another process writes for nobody to keep."""
    cache = directory / CACHE_DIR
    return sorted(
        path for path in directory.rglob("*") if cache not in path.parents and path.is_file()
    )
