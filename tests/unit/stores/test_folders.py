from pathlib import Path

import pytest

from everlog.stores.folders import make_folders, remove_empty_folders, sync_folders


def test_folders_are_made_as_deep_as_needed(tmp_path: Path) -> None:
    make_folders(str(tmp_path / "a" / "b" / "c"))
    make_folders(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b" / "c").is_dir()
    sync_folders(str(tmp_path / "a" / "b" / "c"), root=str(tmp_path))


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        make_folders(str(tmp_path / "a" / "b"))


def test_empty_folders_go_and_others_stay(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d", "e/f"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "d" / "file").touch()
    remove_empty_folders(
        [str(tmp_path / name) for name in ("a/b/c", "a/d", "e/f", "none/at/all")],
        root=str(tmp_path),
    )
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "a",
        "a/d",
        "a/d/file",
    ]


def test_the_root_stays_when_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    remove_empty_folders([str(tmp_path / "root" / "a")], root=str(tmp_path / "root"))
    assert (tmp_path / "root").is_dir()
