"""The served partitions follow the cluster image."""

import pytest

from everlog.model.errors import RetriableError
from everlog.model.ids import PartitionId, TopicName
from service.partition.errors import NotLeaderError
from tests.unit.broker.handlers.town import Town, town
from tests.unit.partition.ground import batch, settled


async def deleted(place: Town, name: str) -> None:
    await place.stage.topics.delete_topics([TopicName(name)])
    await place.keeper.settled()


async def test_a_new_topic_is_served_and_a_deleted_one_is_not() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=3)
        assert len(place.table) == 3
        waiting: list[object] = []
        partition.append_waiters.add(5, waiting.append)
        await deleted(place, "t")
        assert len(place.table) == 0
        assert [type(each) for each in waiting] == [NotLeaderError]
        assert place.tiers.events[-1][0] == "close"
        assert place.disk.list_dir("/data/logs") == []


async def test_new_settings_reach_the_partitions() -> None:
    async with town() as place:
        partition = await place.topic("t", max_message_bytes="1000")
        assert partition.config.max_message_bytes == 1000
        await place.stage.topics.alter_topic_config(
            TopicName("t"), lambda _: {"max.message.bytes": "2000"}
        )
        await place.keeper.settled()
        assert partition.config.max_message_bytes == 2000
        assert place.tiers.events[-1] == ("reconfigure", partition.id)


async def test_a_start_serves_what_was_there() -> None:
    async with town() as place:
        partition = await place.topic("t", partitions=2)
        partition.append(batch(3))
        await settled(partition)
        await place.restart()
        assert len(place.table) == 2
        assert place.table.led("t", 0).high_watermark == 3
        # Working out what holds for a topic takes longer than opening a partition.
        assert place.table.led("t", 0).config is place.table.led("t", 1).config


@pytest.mark.rule("TIER-28")
async def test_a_partition_that_cannot_be_opened_does_not_stop_the_others() -> None:
    async with town() as place:
        place.disk.fail("open", "/0/")
        place.tiers.refusal = RetriableError("no tier")
        await place.stage.create("bad", partitions=1, replication_factor=1, config={})
        await place.keeper.settled()
        assert len(place.broken) == 1
        place.tiers.refusal = None
        place.disk.heal()
        await place.topic("good")
        assert place.table.by_name("bad", 0) is None


async def test_a_deleted_partition_that_could_not_be_opened_leaves_no_files() -> None:
    async with town() as place:
        partition = await place.topic("t")
        partition.append(batch())
        await settled(partition)
        place.disk.flip_bit(f"{partition.hot.directory}/{0:020d}.log", 3)
        await place.restart()
        assert len(place.broken) == 1
        await deleted(place, "t")
        assert place.disk.list_dir("/data/logs") == []


@pytest.mark.rule("TIER-28")
async def test_a_partition_whose_tier_did_not_answer_is_opened_when_it_does() -> None:
    async with town() as place:
        place.tiers.refusal = RetriableError("no tier")
        await place.stage.create("late", partitions=1, replication_factor=1, config={})
        await place.keeper.settled()
        await place.keeper._open_unopened()
        assert [str(each) for each in place.broken] == ["no tier"]
        place.tiers.refusal = None
        await place.keeper._open_unopened()
        assert place.table.led("late", 0).high_watermark == 0
        await place.keeper._open_unopened()
        assert len(place.table) == 1


async def test_a_deleted_partition_is_not_opened_later() -> None:
    async with town() as place:
        place.tiers.refusal = RetriableError("no tier")
        await place.stage.create("gone", partitions=1, replication_factor=1, config={})
        await place.keeper.settled()
        await deleted(place, "gone")
        place.tiers.refusal = None
        await place.keeper._open_unopened()
        assert len(place.table) == 0


async def test_listeners_hear_of_every_change() -> None:
    async with town() as place:
        heard: list[int] = []
        place.keeper.on_applied(lambda: heard.append(len(place.table)))
        await place.topic("a")
        await place.topic("b", partitions=2)
        assert heard[-1] == 3


async def test_a_recreated_topic_is_another_one() -> None:
    async with town() as place:
        old = await place.topic("t")
        old.append(batch())
        await settled(old)
        await deleted(place, "t")
        new = await place.topic("t")
        assert new.id != old.id
        assert new.high_watermark == 0
        assert PartitionId(new.id.topic_id, 0) == new.id


async def test_a_log_that_the_disk_has_refused_is_opened_again() -> None:
    async with town() as place:
        partition = await place.topic("t")
        place.disk.room = 10
        partition.append(batch())
        await settled(partition)
        assert partition.hot.failure is not None
        place.disk.heal()
        await place.keeper._reopen_failed()
        again = place.table.led("t", 0)
        assert again is not partition
        again.append(batch())
        await settled(again)
        assert again.high_watermark == 1


async def test_a_deletion_that_the_disk_refuses_does_not_stop_the_others() -> None:
    async with town() as place:
        await place.topic("t")
        place.disk.fail("rename", "/0")
        await deleted(place, "t")
        assert len(place.broken) == 1
        place.disk.heal()
        assert (await place.topic("u")).high_watermark == 0
