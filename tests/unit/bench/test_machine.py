"""The mount that counts is the one deepest above a path."""

from pathlib import Path

import pytest

from bench.machine import describe, parse_mounts

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
/dev/nvme0n1p1 /srv/data xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", ("ext4", "vda")),
        ("/srv/other", ("ext4", "vda")),
        ("/run/bench", ("tmpfs", "tmpfs")),
        ("/srv/data/deep/down", ("xfs", "nvme0n1p1")),
        ("/srv/database", ("ext4", "vda")),
    ],
)
def test_the_deepest_mount_is_found(path: str, found: tuple[str, str]) -> None:
    assert parse_mounts(MOUNTS, Path(path)) == found


def test_a_machine_is_described_without_naming_it(tmp_path: Path) -> None:
    described = describe(tmp_path)
    assert described["cores"]
    assert str(tmp_path) not in str(described)
