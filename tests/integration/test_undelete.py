"""A topic that was deleted by mistake is back with all that was archived, also after a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from everlog.testing import RunningServer, running_server
from tests.integration.command import Command
from tests.integration.test_tier_commands import Tier
from tests.waiting import wait_until

LINES = b"".join(b"%08d %s\n" % (number, b"x" * 190) for number in range(8_000))
SETTINGS = ["-c", "segment.bytes=1048576", "-c", "remote.copy.lag.max.ms=100"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator[RunningServer]:
    with running_server(data_dir, num_partitions=1) as running:
        yield running


def archived(tier: Tier, server: RunningServer, topic: str, end: int) -> None:
    def is_archived() -> bool:
        return bool(tier.facts("status", topic)[0]["archived_end"] == end)

    wait_until(is_archived, server.log_tail)


def consumed(everlog: Command, topic: str) -> bytes:
    return everlog.out("consume", topic, "-F", "%v\\n")


def test_a_deleted_topic_is_back_with_its_archive_and_goes_on(
    server: RunningServer, data_dir: Path
) -> None:
    everlog, tier = Command(server.bootstrap), Tier(server.bootstrap)
    everlog.out("topic", "create", "flights", "-p", "1", "-c", "retention.ms=-1", *SETTINGS)
    everlog.out("produce", "flights", stdin=LINES)
    archived(tier, server, "flights", 8_000)
    everlog.out("topic", "delete", "flights", "--yes")
    wait_until(lambda: bool(tier.facts("deleted")), server.log_tail)
    (gone,) = tier.facts("deleted")
    assert (gone["topic"], gone["partitions"]) == ("flights", 1)
    assert gone["goes_ms"] - gone["deleted_ms"] == 86_400_000
    assert gone["archive_bytes"] > 0
    assert "23 hours" in tier.out("deleted")

    shown = tier.out("undelete", "flights")
    assert shown.startswith("flights is back")
    assert "lost" in shown
    assert consumed(everlog, "flights") == LINES
    everlog.out("produce", "flights", stdin=b"another\n")
    assert consumed(everlog, "flights") == LINES + b"another\n"
    taken = tier.refusal("undelete", gone["topic_id"], "--as", "flights", status=1)
    assert taken.endswith("under another name, with --as NAME\n")
    settings = everlog.facts("topic", "describe", "flights")["settings"]
    assert settings["segment.bytes"] == "1048576"
    assert "archive.undelete" not in settings
    archived(tier, server, "flights", 8_001)
    wait_until(lambda: tier.facts("deleted") == [], server.log_tail)
    server.stop()

    # A restore from the store alone knows that it is back.
    restored = data_dir.with_name("restored")
    everlog.out(
        "tier", "restore", "--store", f"file://{data_dir}/store", "--data-dir", str(restored)
    )
    with running_server(restored, store_url=f"file://{data_dir}/store") as again:
        everlog = Command(again.bootstrap)
        assert consumed(everlog, "flights") == LINES + b"another\n"


def test_what_cannot_come_back_says_why_in_one_line(server: RunningServer) -> None:
    everlog, tier = Command(server.bootstrap), Tier(server.bootstrap)
    text = tier.refusal("undelete", "never", status=1)
    assert "no deleted topic never is still there" in text
    unknown = "AAAAAAAAAAAAAAAAAAAAAQ"
    text = tier.refusal("undelete", unknown, "--as", "x", status=1)
    assert "everlog tier deleted" in text
    text = everlog.refusal("topic", "create", "x", "-c", "archive.undelete=soon", status=1)
    assert "write the id of a deleted topic" in text


def test_a_topic_on_hold_is_neither_deleted_nor_cut(server: RunningServer) -> None:
    everlog, tier = Command(server.bootstrap), Tier(server.bootstrap)
    everlog.out("topic", "create", "evidence", "-p", "1", *SETTINGS)
    assert "is on hold" in tier.out("hold", "evidence")
    text = everlog.refusal("topic", "delete", "evidence", "--yes", status=1)
    assert "everlog tier hold evidence --release" in text
    assert "On hold, nothing archived is removed: evidence" in tier.out("status")
    assert tier.facts("explain", "evidence")["held"] is True
    assert "released" in tier.out("hold", "evidence", "--release")
    assert tier.out("hold", "evidence", "--release") == "evidence is not on hold\n"
    everlog.out("topic", "delete", "evidence", "--yes")


def test_a_release_says_before_it_acts_how_much_retention_deletes(server: RunningServer) -> None:
    everlog, tier = Command(server.bootstrap), Tier(server.bootstrap)
    everlog.out("topic", "create", "evidence", "-p", "2", *SETTINGS)
    tier.out("hold", "evidence")
    everlog.out("produce", "evidence", "-p", "1", stdin=LINES)
    wait_until(lambda: tier.facts("status", "evidence")[1]["upload_lag"] == 0, server.log_tail)
    assert "retention has nothing to delete" in tier.out("hold", "evidence", "--release")
    tier.out("hold", "evidence")
    everlog.out("topic", "alter", "evidence", "--set", "retention.bytes=0")
    trial = tier.facts("hold", "evidence", "--release", "--dry-run")
    (lost,) = trial["may_delete"]["partition_list"]
    assert (lost["partition"], lost["start"], lost["end"]) == (1, 0, 8_000)
    assert trial["may_delete"]["objects"] == lost["objects"] >= 1
    assert trial["may_delete"]["bytes"] == lost["bytes"] > 8_000
    assert (trial["held"], trial["dry_run"]) == (True, True)
    assert tier.facts("explain", "evidence")["held"] is True
    said = tier.out("hold", "evidence", "--release")
    assert said.startswith("retention may delete up to ")
    assert "of evidence now\n" in said
    wait_until(lambda: tier.facts("status", "evidence")[1]["start"] == 8_000, server.log_tail)
