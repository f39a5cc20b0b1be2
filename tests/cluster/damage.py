"""Damages one file of a broker that does not run, as a bad disk would."""

import os
from pathlib import Path
from random import Random

from service.hot.layout import (
    INDEX_SUFFIX,
    LEADER_EPOCHS,
    LOGS_DIR,
    PRODUCERS_SUFFIX,
    SEGMENT_SUFFIX,
)

KINDS: dict[str, str] = {
    "segment": f"*{SEGMENT_SUFFIX}",
    "index": f"*{INDEX_SUFFIX}",
    "producers": f"*{PRODUCERS_SUFFIX}",
    "leader epochs": LEADER_EPOCHS,
}


def damage(data_dir: Path, rng: Random) -> Path | None:
    """Damage a file of some partition; return which, None if there is none."""
    kinds = {kind: files for kind, pattern in KINDS.items() if (files := _files(data_dir, pattern))}
    if not kinds:
        return None
    kind = rng.choice(sorted(kinds))
    path = rng.choice(kinds[kind])
    how = rng.choice((flip_a_bit, cut_short))
    how(path, rng)
    return path


def flip_a_bit(path: Path, rng: Random) -> None:
    at = rng.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << rng.randrange(8)]))


def cut_short(path: Path, rng: Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def _files(data_dir: Path, pattern: str) -> list[Path]:
    found = (data_dir / LOGS_DIR).rglob(pattern)
    return sorted(path for path in found if path.is_file() and path.stat().st_size)
