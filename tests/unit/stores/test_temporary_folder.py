import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from everlog.stores.temporary_folder import TEMPORARY_FOLDER, TemporaryFolder

CRASH = """
import os, signal, sys
from everlog.stores.temporary_folder import TemporaryFolder
with TemporaryFolder(sys.argv[1]).new_file() as (descriptor, path):
    os.write(descriptor, b"half of an obj")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def files(root: Path) -> list[str]:
    return sorted(os.listdir(root / TEMPORARY_FOLDER))


def test_a_file_is_gone_after_its_use(tmp_path: Path) -> None:
    folder = TemporaryFolder(str(tmp_path))
    with folder.new_file() as (descriptor, path), folder.new_file() as (_, other):
        os.write(descriptor, b"bytes")
        os.link(path, tmp_path / "object")
        assert len(files(tmp_path)) == 2
        os.replace(other, tmp_path / "hint")
    assert files(tmp_path) == []
    assert (tmp_path / "object").read_bytes() == b"bytes"
    with pytest.raises(ZeroDivisionError), folder.new_file():
        _ = 1 // 0
    assert files(tmp_path) == []


def test_leftovers_of_the_dead_go_and_files_of_the_living_stay(tmp_path: Path) -> None:
    crash = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)], check=False)
    assert crash.returncode == -signal.SIGKILL
    assert len(files(tmp_path)) == 1
    with TemporaryFolder(str(tmp_path)).new_file() as (_, living):
        TemporaryFolder(str(tmp_path)).remove_leftovers()
        assert files(tmp_path) == [Path(living).name]


def test_there_may_be_nothing_to_clean(tmp_path: Path) -> None:
    TemporaryFolder(str(tmp_path / "none")).remove_leftovers()
    assert not (tmp_path / "none").exists()
