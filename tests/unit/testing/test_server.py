from pathlib import Path

import pytest

from everlog.testing import ServerStartError, running_server


def test_a_start_that_is_refused_shows_the_end_of_the_log() -> None:
    with (
        pytest.raises(ServerStartError, match="did you mean") as refused,
        running_server(num_partitionz=4),
    ):
        pytest.fail("it must not start")
    assert "before it was ready" in str(refused.value)
    assert "num.partitionz" in refused.value.log_tail


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(ServerStartError, match=str(taken)), running_server(taken):
        pytest.fail("it must not start")
