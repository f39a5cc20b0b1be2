"""What runs when somebody asks for everything, for one suite, or for one peer."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli import main
from bench.suites import SUITES


@pytest.fixture(autouse=True)
def termination() -> Iterator[None]:
    """The command line has its own way of being ended; these tests have not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_what_takes_long_is_left_out_unless_it_is_asked_for() -> None:
    assert [name for name, suite in SUITES.items() if suite.on_request] == [
        "tier-memory",
        "replication",
    ]


def test_a_peer_that_takes_no_part_is_said_to_take_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--suite", "tier-memory", "--only", "kafka", "--results-dir", str(tmp_path)]
    assert main(asked) == 1
    assert "kafka takes no part in tier-memory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
