"""What topics of a bucket live through: cloned, deleted, brought back, left out, and restored."""

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.fault.broker_process import BrokerProcess, ReadOnlyBroker
from tests.integration.command import Command
from tests.integration.test_clones import PARTITIONS, archived, create, digest, produce, swept
from tests.integration.test_tier_commands import Tier
from tests.waiting import wait_until

QUICK = {
    "remote.copy.lag.max.ms": "60",
    "log.retention.check.interval.ms": "50",
    "archive.reader.grace.ms": "0",
    "archive.restore.window.ms": "0",
}
AT_ONCE = {**QUICK, "archive.delete.grace.ms": "0"}
POLL = {"archive.read.only.poll.ms": "100"}
COMMITTED = 7

MakeBroker = Callable[[str, dict[str, str]], BrokerProcess]


@pytest.fixture
def url(seaweedfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    prefix = tmp_path.name.replace("_", "-")
    return f"s3://{BUCKET}/{prefix}?endpoint={seaweedfs}&region=us-east-1"


@pytest.fixture
def broker(url: str, tmp_path: Path) -> MakeBroker:
    def make(name: str, settings: dict[str, str]) -> BrokerProcess:
        (tmp_path / name).mkdir()
        return BrokerProcess(tmp_path / name, settings, store=url)

    return make


def delete(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(30)


def committed(bootstrap: str, *, offset: int | None = None) -> int:
    """Return what a group has committed for the source, after having it commit an offset."""
    member = Consumer({"bootstrap.servers": bootstrap, "group.id": "g"})
    place = TopicPartition("source", 0)
    if offset is not None:
        member.commit(offsets=[TopicPartition("source", 0, offset)], asynchronous=False)
    (found,) = member.committed([place], timeout=30)
    member.close()
    return int(found.offset)


def topics_of(broker: BrokerProcess) -> set[str]:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    return {name for name in admin.list_topics(timeout=30).topics if not name.startswith("__")}


def restored(url: str, broker: BrokerProcess, *words: str) -> dict[str, list[str]]:
    """Restore into the directory of a broker; return what is said of each topic."""
    facts = Command("127.0.0.1:1").facts(
        "tier", "restore", "--store", url, "--data-dir", str(broker.data_dir), *words
    )
    return {each["topic"]: each["notes"] for each in facts["topics"]}


@pytest.mark.rule("TIER-56")
def test_a_clone_and_its_source_survive_all_that_is_done_to_either(
    url: str, broker: MakeBroker, tmp_path: Path
) -> None:
    with broker("first", QUICK) as first:
        admin = AdminClient({"bootstrap.servers": first.bootstrap})
        create(admin, "source", partitions=PARTITIONS)
        produce(first.bootstrap, "source", 0, 60)
        archived(first)
        create(admin, "copy", archive_clone_from="source")
        produce(first.bootstrap, "copy", 100, 20)
        archived(first)
        source, copy = digest(first.bootstrap, "source"), digest(first.bootstrap, "copy")
        assert (source[0], copy[0]) == (60, 80)
        reads_both_and_sees_deletions(first, url, tmp_path, source=source, copy=copy)
        assert digest(first.bootstrap, "source") == source
        assert committed(first.bootstrap, offset=COMMITTED) == COMMITTED
        first.stop()  # which writes a cut
    assert Tier("127.0.0.1:1").facts("cuts", "--store", url)["cuts"]

    # The clone is left out, and its source deleted for good: what the clone needs stays.
    second = broker("second", AT_ONCE)
    notes = restored(url, second, "--topic", "source")
    assert notes.keys() == {"source"}
    assert "for the sake of copy" in notes["source"][0]
    with second:
        assert committed(second.bootstrap) == COMMITTED
        assert digest(second.bootstrap, "source") == source
        delete(second.bootstrap, "source")
        wait_until(lambda: swept(second.log_path, "source"), second.log_tail)
        second.stop()

    third = broker("third", AT_ONCE)
    assert restored(url, third).keys() == {"copy"}
    with third:
        assert digest(third.bootstrap, "copy") == copy
        produce(third.bootstrap, "copy", 200, 20)
        archived(third)
        assert Tier(third.bootstrap).facts("verify", "--store", url, "--deep")["problems"] == 0
        third.stop()


def reads_both_and_sees_deletions(
    writer: BrokerProcess,
    url: str,
    directory: Path,
    *,
    source: tuple[int, str],
    copy: tuple[int, str],
) -> None:
    """See beside a reader of the same bucket how the source is deleted and brought back."""
    (directory / "reader").mkdir()
    with ReadOnlyBroker(directory / "reader", POLL, store=url) as reader:
        assert digest(reader.bootstrap, "source") == source
        assert digest(reader.bootstrap, "copy") == copy
        delete(writer.bootstrap, "source")
        wait_until(lambda: topics_of(reader) == {"copy"}, reader.log_tail)
        tier = Tier(writer.bootstrap)
        assert [each["topic"] for each in tier.facts("deleted", "--store", url)] == ["source"]
        assert digest(reader.bootstrap, "copy") == copy
        assert tier.out("undelete", "source").startswith("source is back")
        wait_until(lambda: topics_of(reader) == {"copy", "source"}, reader.log_tail)
        assert digest(reader.bootstrap, "source") == source
        reader.stop()
