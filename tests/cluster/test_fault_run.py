"""Faults upon three brokers with real clients; ``make fault SUITE=cluster`` makes it a long one.

The history of what all clients saw is checked for what no correct log answers.
"""

import os
from pathlib import Path

import pytest

from tests.cluster.fault_run import Plan, fault_run
from tests.cluster.schedule import NEMESES, named
from tests.contract.object_stores import ACCESS_KEY, SECRET_KEY
from tests.contract.zookeeper_server import ADVICE, is_installed

SECONDS = float(os.environ.get("EVERLOG_TEST_FAULT_SECONDS", "20"))
SEED = int(os.environ.get("EVERLOG_TEST_FAULT_SEED", "1"))
IS_LONG = SECONDS >= 60
SHORT = named("kill-and-store", "power-all", "zombie")

pytestmark = [
    pytest.mark.timeout(600 + 2 * SECONDS),
    pytest.mark.skipif(not is_installed(), reason=ADVICE),
]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the brokers, which inherit it, know the store."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.mark.rule("REL-I1")
def test_clients_see_nothing_wrong_whatever_befalls_the_brokers(
    tmp_path: Path, seaweedfs: str
) -> None:
    plan = Plan(seconds=SECONDS, seed=SEED, choice=NEMESES if IS_LONG else SHORT)
    report = fault_run(plan, tmp_path, seaweedfs, say=print)
    print(report)
    assert len(report.faults) >= len(SHORT)
    assert report.counts["acknowledged"] > 0
    assert report.counts["read from the store"] > 0
    assert report.is_good, f"seed {SEED}: {report}"
