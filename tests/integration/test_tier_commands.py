"""The commands for integrity of an archive, against a real server and what it has stored."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from everlog.testing import RunningServer, running_server
from service.app.cli.tier import app
from tests.integration.command import Command

LINES = b"".join(b"%08d %s\n" % (number, b"x" * 190) for number in range(20_000))
SETTINGS = ["-c", "segment.bytes=1048576", "-c", "remote.object.bytes=1048576"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server that has archived all that it has sealed, in two commits or more."""
    with running_server(num_partitions=1) as running:
        everlog = Command(running.bootstrap)
        everlog.out("topic", "create", "flights", "-p", "1", *SETTINGS)
        for half in (LINES[: len(LINES) // 2], LINES[len(LINES) // 2 :]):
            everlog.out("produce", "flights", stdin=half)
            wait_for_the_archive(running)
        yield running


def wait_for_the_archive(running: RunningServer) -> None:
    tier = Tier(running.bootstrap)
    active = max(int(each.stem) for each in (running.data_dir / "logs").rglob("*.log"))
    deadline = time.monotonic() + 60
    while tier.facts("status", "flights")[0]["archived_end"] < active:
        assert time.monotonic() < deadline, running.log_tail()
        time.sleep(0.05)


class Tier:
    """Runs ``everlog tier`` in this process: there are many of them here, and each start takes."""

    def __init__(self, bootstrap: str) -> None:
        self._environment = {"EVERLOG_BOOTSTRAP": bootstrap}

    def run(self, *words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, words, env=self._environment)
        assert done.exit_code == status, done.output
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done

    def out(self, *words: str) -> str:
        return self.run(*words).stdout

    def facts(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.run(*words, "-o", "json", status=status).stdout)

    def refusal(self, *words: str, status: int) -> str:
        return self.run(*words, status=status).stderr


@pytest.fixture
def tier(server: RunningServer) -> Tier:
    return Tier(server.bootstrap)


@pytest.fixture
def url(server: RunningServer) -> str:
    return f"file://{server.data_dir}/store"


def test_a_record_is_located_with_and_without_a_broker(
    tier: Tier, server: RunningServer, url: str
) -> None:
    found = tier.facts("locate", "flights:0@1234")
    assert found["store"] == url
    assert (found["offset"], found["local"]) == (1234, True)
    assert found["object"]["start"] <= 1234 < found["object"]["end"]
    chunk = found["object"]["chunk"]
    assert chunk["start"] <= 1234 < chunk["end"]
    assert (server.data_dir / "store" / found["object"]["key"]).stat().st_size == (
        found["object"]["bytes"]
    )
    offline = tier.facts("locate", "flights:0@1234", "--store", url)
    assert offline["object"] == found["object"]
    assert offline["local"] is None
    words = tier.out("locate", "flights:0@1234")
    assert "\nLocal    yes, the disk holds 0 to 19,999\n" in words
    assert tier.facts("locate", "flights:0@999999", status=1)["found"] is False
    assert "has no partition 7" in tier.refusal("locate", "flights:7", status=1)


def test_bytes_requests_and_money_are_explained(tier: Tier, server: RunningServer) -> None:
    facts = tier.facts("explain", "flights")
    logs = (server.data_dir / "logs").rglob("*.log")
    assert facts["local_bytes"] == sum(each.stat().st_size for each in logs)
    objects = list((server.data_dir / "store").rglob("*.seg"))
    assert facts["archive_objects"] == len(objects) >= 3
    assert facts["archive_bytes"] == sum(each.stat().st_size for each in objects)
    assert facts["rpo_ms_max"] is not None
    assert facts["cost"]["month"] > 0
    assert "USD a month stored" in tier.out("explain", "flights")


def test_what_is_not_live_is_shown_and_nothing_is_changed(tier: Tier, url: str) -> None:
    (held,) = tier.facts("gc", "--store", url, "--dry-run")["partition_list"]
    assert held["live"]["objects"] >= 3 + 2
    assert held["trash"]["objects"] == len(held["object_list"]) >= 1
    assert all(each["due_ms"] > 0 for each in held["object_list"])
    text = tier.out("gc", "--store", url, "--topic", held["topic_id"])
    assert "would be judged by the broker" in text


def test_an_archive_is_verified_and_what_is_wrong_ends_with_1(
    tier: Tier, server: RunningServer, url: str
) -> None:
    sound = tier.facts("verify", "--store", url, "--deep", "--topic", "flights")
    assert (sound["problems"], sound["partitions"]) == (0, 1)
    assert sound["objects"] >= 3
    assert "all there, with the right size" in tier.out("verify", "--store", url)
    gone, bad, *_ = sorted((server.data_dir / "store").rglob("*.seg"))
    kept = {each: each.read_bytes() for each in (gone, bad)}
    try:
        gone.unlink()
        body = bytearray(kept[bad])
        body[len(body) // 2] ^= 1
        bad.write_bytes(body)
        assert tier.facts("verify", "--store", url, status=1)["problems"] == 1
        found = tier.facts("verify", "--store", url, "--deep", status=1)
        faults = {each["key"]: each["fault"] for each in found["partition_list"][0]["problem_list"]}
        store = server.data_dir / "store"
        assert faults == {
            str(gone.relative_to(store)): "missing",
            str(bad.relative_to(store)): "damaged",
        }
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


READERS = [
    ("verify", "--store"),
    ("gc", "--store"),
    ("cuts", "--store"),
    ("deleted", "--store"),
    ("explain", "flights", "--store"),
    ("locate", "flights:0@5", "--store"),
    ("copy", "--to", "file://made-by-mistake", "--from"),
    ("copy", "--to", "file://made-by-mistake", "--prune", "--from"),
]


@pytest.mark.parametrize("words", READERS)
def test_a_mistyped_archive_is_no_empty_one_and_nothing_is_made(
    tier: Tier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    option = words[-1]
    missing = tier.refusal(*words, f"file://{tmp_path}/stroe", status=1)
    assert missing.startswith(f"everlog: {option} file://{tmp_path}/stroe: there is no directory")
    path = tier.refusal(*words, f"{tmp_path}/store", status=2)
    assert (
        path == f"everlog: {option}: '{tmp_path}/store' is no URL: write file://{tmp_path}/store\n"
    )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    empty = tier.refusal(*words, f"file://{tmp_path}/empty", status=1)
    assert empty.count("\n") == 1
    assert "check" in empty
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_restore_from_a_mistyped_archive_makes_no_data_directory(tmp_path: Path) -> None:
    everlog = Command("127.0.0.1:1")
    words = ["tier", "restore", "--data-dir", str(tmp_path / "new"), "--store"]
    assert "there is no directory" in everlog.refusal(*words, f"file://{tmp_path}/no", status=1)
    assert f"write file://{tmp_path}/no" in everlog.refusal(*words, f"{tmp_path}/no", status=2)
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_restores_nothing_ends_with_1(url: str, tmp_path: Path) -> None:
    words = ["tier", "restore", "--data-dir", str(tmp_path / "new"), "--store", url]
    done = Command("127.0.0.1:1").run(*words, "--at", "2001-01-01", "--dry-run")
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\nnothing was restored; everlog tier cuts shows " in done.stdout


def test_the_doctor_leaves_nothing_behind_also_when_it_is_stopped(tmp_path: Path) -> None:
    everlog = Command("127.0.0.1:1")
    store = tmp_path / "store"
    words = ["doctor", "store", f"file://{store}", "--samples", "5"]
    facts = everlog.facts(*words, "--keys", "20")
    assert (facts["fatal"], len(facts["checks"])) == (0, 17)
    assert files(store) == []
    with everlog.started(*words, "--keys", "100000") as process:
        deadline = time.monotonic() + 30
        while len(files(store)) < 50:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert files(store) == []


def files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file()]
