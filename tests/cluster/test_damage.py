"""One file is damaged, of those that a log is made of."""

from pathlib import Path
from random import Random

import pytest

from tests.cluster.damage import damage

FILES = ("00.log", "00.index", "00.producers", "leader-epochs", "log-start")


@pytest.mark.parametrize("seed", range(12))
def test_one_file_of_a_log_is_another_one_then(tmp_path: Path, seed: int) -> None:
    place = tmp_path / "logs" / "topic" / "0"
    place.mkdir(parents=True)
    for name in FILES:
        (place / name).write_bytes(b"content of a file")
    damaged = damage(tmp_path, Random(seed))
    changed = [name for name in FILES if (place / name).read_bytes() != b"content of a file"]
    assert damaged is not None
    assert changed == [damaged.name] != ["log-start"]


def test_where_there_is_no_log_nothing_is_damaged(tmp_path: Path) -> None:
    assert damage(tmp_path, Random(1)) is None
