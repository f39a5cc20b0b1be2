"""Clients that run beside a measurement are ended with it, and their figures kept."""

from pathlib import Path

import pytest

from bench.client import Clients
from bench.errors import BenchError


def clients(directory: Path, script: str) -> Clients:
    path = directory / "client"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Clients(directory)


def wait_for(path: Path) -> None:
    while not path.exists():
        pass


def test_figures_are_there_once_it_has_been_ended(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = """
ended() { echo '{"records": 7}'; exit 0; }
trap ended TERM
touch $1
while :; do sleep 0.01; done
"""
    with clients(tmp_path, script).running("client", str(ready)) as figures:
        wait_for(ready)
        assert figures == {}
    assert figures == {"records": 7}


def test_its_failure_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    failing = clients(tmp_path, "echo no such topic >&2; touch $1; exit 3")
    with (
        pytest.raises(BenchError, match=r"client failed .*no such topic"),
        failing.running("client", str(failed)),
    ):
        wait_for(failed)
