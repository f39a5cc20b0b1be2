"""Kafka is told of its second tier only when it is given one."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.peers.kafka import CACHE_VARIABLE, Kafka, offset_in


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kafka"))
    return tmp_path / "kafka"


def test_the_classes_of_its_tests_are_there_for_the_second_tier_only(home: Path) -> None:
    plain = " ".join(Kafka().command(home, 9092, ()))
    archived = " ".join(Kafka(archived=True).command(home, 9092, ()))
    assert str(home / "tiered-storage") not in plain
    assert f"{home / 'libs'}/*:{home / 'tiered-storage'}/*" in archived
    assert Kafka().archive is None


def test_settings_of_a_site_hold_against_the_file(home: Path) -> None:
    command = Kafka().command(home, 9092, ["a=1", "b=2"])
    assert command[-4:] == ["--override", "a=1", "--override", "b=2"]


def test_the_first_local_offset_is_found_among_what_the_tool_says() -> None:
    assert offset_in("WARN no appender: see https://x:1/\ncold:0:1234567\n") == 1234567


@pytest.mark.parametrize("said", ["", "cold:0:\n", "Error: topic not found"])
def test_no_offset_is_an_error(said: str) -> None:
    with pytest.raises(BenchError):
        offset_in(said)
