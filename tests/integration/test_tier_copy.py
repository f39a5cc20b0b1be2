"""An archive in two places: a broker moves to the copy, and a restore lives on it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.waiting import wait_until_true
from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.fault.broker_process import BrokerProcess
from tests.integration.command import PROGRAM
from tests.integration.test_store_identity import VALUES, broker, read, write
from tests.integration.test_tier_commands import Tier
from tests.walk.broker_facts import metric

ANYWHERE = Tier("127.0.0.1:1")


def written(running: BrokerProcess) -> None:
    """Write, and wait until all that is sealed is in the archive, and no more on the disk."""
    write(running.bootstrap)
    wait_until_true(lambda: "segments_released" in running.log_tail())
    wait_until_true(lambda: not metric(running.log_path, "everlog_tier_lag_bytes"))


def test_a_broker_moves_to_the_copy_that_was_made_while_it_ran(tmp_path: Path) -> None:
    old, new = f"file://{tmp_path}/old", f"file://{tmp_path}/new"
    with broker(tmp_path, tmp_path / "old") as running:
        written(running)
        trial = ANYWHERE.facts("copy", "--from", old, "--to", new, "--dry-run")
        assert (trial["problems"], trial["objects_copied"] > 0) == (0, True)
        assert not (tmp_path / "new").exists()
        first = ANYWHERE.facts("copy", "--from", old, "--to", new)
        assert (first["problems"], first["bytes_copied"] > 0) == (0, True)
        write(running.bootstrap)
        objects = first["objects_copied"] + first["objects_kept"]
        wait_until_true(lambda: len(list((tmp_path / "old").rglob("*.[sr]*[gt]"))) > objects)
        running.stop()
    rest = ANYWHERE.facts("copy", "--from", old, "--to", new, "--verify")
    assert 0 < rest["objects_copied"] < first["objects_copied"] + rest["objects_kept"]
    assert [(each["partition"], each["problems"]) for each in rest["verified"]][:1] == [(0, 0)]
    shutil.rmtree(tmp_path / "old")
    with broker(tmp_path, tmp_path / "new") as running:
        assert read(running.bootstrap) == VALUES
        running.stop()


def test_a_following_copy_is_restored_when_all_else_is_lost(tmp_path: Path) -> None:
    old, new = f"file://{tmp_path}/old", f"file://{tmp_path}/new"
    log = tmp_path / "rounds"
    with broker(tmp_path, tmp_path / "old") as running, log.open("wb") as rounds:
        written(running)
        follower = subprocess.Popen(
            [PROGRAM, "tier", "copy", "--from", old, "--to", new, "--follow", "1"], stdout=rounds
        )
        try:
            wait_until_true(lambda: log.read_text().count("lag ") >= 2)
        finally:
            follower.terminate()
        assert follower.wait(30) == 130
        running.stop()
    assert "next round in 1 s" in log.read_text()
    shutil.rmtree(tmp_path / "old")
    facts = ANYWHERE.facts("restore", "--store", new, "--data-dir", f"{tmp_path}/restored")
    (topic,) = facts["topics"]
    assert (topic["topic"], topic["problem"]) == ("t", None)
    taken = ANYWHERE.out("copy", "--from", new, "--to", f"file://{tmp_path}/third")
    assert "all that was archived at" in taken


def test_buckets_of_one_server_are_copied_there(
    tmp_path: Path, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    files = f"file://{tmp_path}/store"
    first, second = (
        f"s3://{BUCKET}/copies-{name}?endpoint={moto}&region=us-east-1" for name in ("a", "b")
    )
    with broker(tmp_path, tmp_path / "store") as running:
        written(running)
        running.stop()
    for source, target in ((files, first), (first, second)):
        facts = ANYWHERE.facts("copy", "--from", source, "--to", target)
        assert (facts["problems"], facts["objects_copied"] >= 2) == (0, True)
    report = ANYWHERE.facts("verify", "--store", second, "--deep")
    assert (report["problems"], report["objects"] >= 1) == (0, True)
    pruned = ANYWHERE.facts("copy", "--from", first, "--to", second, "--prune")
    assert [each["object_list"] for each in pruned["partition_list"]] == [[]]
    words = ANYWHERE.out("copy", "--from", first, "--to", second, "--prune", "--yes")
    assert words == "removed 0 objects, 0 B\n"
    missing = ANYWHERE.refusal("copy", "--from", files, "--to", f"{files}-no", "--prune", status=1)
    assert missing.startswith(f"everlog: --to {files}-no: there is no directory")


def test_what_cannot_be_copied_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old, new = f"file://{tmp_path}/old", f"file://{tmp_path}/new"

    def refusal(*words: str, status: int = 2) -> str:
        return ANYWHERE.refusal("copy", *words, status=status)

    assert "the same store" in refusal("--from", old, "--to", f"{old}/")
    assert "memory://" in refusal("--from", old, "--to", "memory://")
    assert "--to" in refusal("--from", old, "--to", "ftp://x")
    both = ("--from", old, "--to", new)
    assert "without --yes" in refusal(*both, "--prune", "--follow", "3")
    assert "leave it out" in refusal(*both, "--yes")
    assert "exclude each other" in refusal(*both, "--dry-run", "--follow", "3")
    assert "wait for hours" in refusal(*both, "--storage-class", "GLACIER")
    assert "only buckets" in refusal(*both, "--storage-class", "GLACIER_IR")
    assert "24h" in refusal(*both, "--prune", "--grace", "soon")
    (tmp_path / "old").mkdir()
    (tmp_path / "file").touch()
    assert "is a file" in refusal("--from", old, "--to", f"file://{tmp_path}/file")
    assert "check its URL" in refusal(*both, status=1)
