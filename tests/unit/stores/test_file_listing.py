from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from everlog.stores.file_listing import list_files
from tests.examples import TIMES

NAMES = st.sampled_from(["a", "a-b", "a.b", "a0", "A", "b", "=", "_"])
KEYS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def make(root: Path, keys: set[str]) -> set[str]:
    """Make files for keys, leaving out those that would have to be a folder as well."""
    files = {key for key in keys if not any(other.startswith(f"{key}/") for other in keys)}
    for key in files:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return files


@settings(max_examples=60 * TIMES)
@given(st.sets(KEYS, max_size=12), st.one_of(st.just(""), KEYS), st.one_of(st.just(""), KEYS))
def test_files_are_listed_as_their_keys_sort(keys: set[str], prefix: str, after: str) -> None:
    with TemporaryDirectory() as folder:
        files = make(Path(folder), keys)
        for begin in {prefix, prefix + "/" if prefix else ""}:
            listed = [key for key, _ in list_files(folder, begin, start_after=after)]
            assert listed == sorted(key for key in files if key.startswith(begin) and key > after)


def test_names_that_are_no_keys_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, {"a/1"})
    for name in ("~tmp/x", "a/b c", "a/~", "lost+found/y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [key for key, _ in list_files(str(tmp_path), "", start_after="")] == ["a/1"]


def test_a_root_that_is_missing_is_empty(tmp_path: Path) -> None:
    assert list(list_files(str(tmp_path / "none"), "", start_after="")) == []
    assert list(list_files(str(tmp_path / "none"), "a/b/c", start_after="")) == []
