"""A restart finds the last of many commits (``make fault``: of ten million)."""

import os
from pathlib import Path

import pytest

from tests.fault.offsets_restart import AT_REST_SECONDS, CommitPlan, measure

COMMITS = int(os.environ.get("EVERLOG_TEST_COMMITS", "20000"))
MANY = 1_000_000


@pytest.mark.timeout(60 + COMMITS // 5_000)
def test_a_restart_answers_with_the_last_commit_of_every_group(tmp_path: Path) -> None:
    is_long = COMMITS >= MANY
    plan = CommitPlan.of(COMMITS, groups=100, partitions=1_000 if is_long else 20)
    lines = measure(
        tmp_path,
        plan,
        at_rest_s=AT_REST_SECONDS if is_long else 0.2,
        ends=("kill", "stop", "stop") if is_long else ("kill",),
    )
    print()
    for line in lines:
        print(line, flush=True)
