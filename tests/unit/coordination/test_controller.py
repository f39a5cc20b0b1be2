"""One controller at a time, one operation at a time, and a new term at each start."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId, TopicName
from service.coordination.changes import CHANGES_KEPT
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import COLLECT_EVERY, QUEUED_MAX, Controller, Operation
from service.coordination.controller_term import (
    ControllerBusyError,
    ControllerTerm,
    MetadataConflictError,
    NotControllerError,
)
from service.coordination.elections import ElectionRules
from service.coordination.metadata_store import Delete, SessionExpiredError
from service.coordination.registration import register_broker
from service.coordination.znodes import CONTROLLER, CONTROLLER_EPOCH
from service.model.cluster import TopicImage
from tests.unit.coordination.memory_disk import MemoryDisk, nothing_more
from tests.unit.coordination.stage import (
    description,
    founded,
    new_topic,
    nothing,
    open_server,
    running,
)


async def test_a_broker_alone_becomes_the_controller() -> None:
    async with running() as stage:
        assert stage.controller.term == ControllerTerm(1)
        assert stage.image.controller_id == 1
        stat = await stage.store.exists(CONTROLLER)
        assert stat is not None
        assert stat.ephemeral_owner == stage.store.session_id
        assert (await stage.store.get(CONTROLLER_EPOCH))[1].version == 1


@pytest.mark.rule("BP-7")
async def test_each_start_gives_every_partition_a_new_term() -> None:
    disk = MemoryDisk()
    epochs: list[int] = []
    for start in range(3):
        async with running(await open_server(disk), seed=start) as stage:
            if start == 0:
                await stage.create("foo", partitions=2)
                await stage.create("large", partitions=600)
            assert stage.broker.epoch == start
            for topic in stage.image.topics.values():
                for state in topic.partitions:
                    assert state.leader_epoch == start
                    assert state.is_led_by(stage.broker.id, stage.broker.epoch)
                    assert state.controller_epoch == start + 1
                    assert state.version == start
            assert stage.controller.term is not None
            epochs.append(stage.controller.term.epoch)
        disk = disk.after_crash(nothing_more)
    assert epochs == [1, 2, 3]


@pytest.mark.rule("BP-7")
async def test_a_start_elects_in_batches() -> None:
    disk = MemoryDisk()
    async with running(await open_server(disk)) as stage:
        await stage.create("foo", partitions=256)
        await stage.create("large", partitions=600)
        before = stage.images.sequence
    async with running(await open_server(disk.after_crash(nothing_more))) as stage:
        assert stage.images.sequence - before == 4


async def test_before_its_term_a_broker_leads_nothing() -> None:
    disk = MemoryDisk()
    async with running(await open_server(disk)) as stage:
        await stage.create("foo", partitions=2)
    store = await founded(await open_server(disk.after_crash(nothing_more)))
    broker = await register_broker(store, description(1))
    images = ImageFollower(store=store)
    await images.load()
    for topic in images.image.topics.values():
        assert not any(state.is_led_by(broker.id, broker.epoch) for state in topic.partitions)


async def test_the_office_passes_on_when_the_session_ends() -> None:
    server = await open_server()
    holder = await founded(server)
    await register_broker(holder, description(2))
    images = ImageFollower(store=holder)
    await images.load()
    holding = asyncio.ensure_future(
        Controller(
            store=holder, images=images, broker=await register_broker(holder, description(2))
        ).run()
    )
    async with running(server) as stage:
        assert stage.controller.term is None
        assert stage.image.controller_id == 2
        with pytest.raises(NotControllerError, match="broker 2"):
            await stage.topics.create_topics([new_topic("foo")])
        await holder.close()
        await stage.images.wait_for(lambda image: image.controller_id == 1)
        assert stage.controller.term == ControllerTerm(2)
        await stage.create("foo", replication_factor=1)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


@pytest.mark.rule("REL-C5")
async def test_a_broker_replaces_its_own_claim_of_a_session_that_lives_on() -> None:
    server = await open_server()
    old = await founded(server)
    claim = b'{"v":1,"broker":1,"broker_epoch":0}'
    await old.create(CONTROLLER, claim, ephemeral=True)
    async with running(server) as stage:
        assert stage.controller.term == ControllerTerm(1)
        await old.close()
        assert await stage.store.exists(CONTROLLER) is not None


async def test_whoever_stops_leaves_the_office_to_another_one_at_once() -> None:
    server = await open_server()
    async with running(server) as stage, running(server, broker_id=2) as other:
        assert stage.controller.term == ControllerTerm(1)
        await stage.controller.retire()
        await other.images.wait_for(lambda image: image.controller_id == 2)
        assert other.controller.term == ControllerTerm(2)
        with pytest.raises(NotControllerError):
            await stage.controller.perform(nothing)
        await other.controller.retire()
        await stage.images.wait_for(lambda image: image.controller_id is None)
        await stage.controller.retire()
        assert await stage.store.exists(CONTROLLER) is None, "it does not apply again"


@pytest.mark.rule("REL-C2")
async def test_a_controller_whose_epoch_has_passed_applies_again() -> None:
    async with running() as stage:
        content, stat = await stage.store.get(CONTROLLER)
        epoch = (await stage.store.get(CONTROLLER_EPOCH))[1].version
        await stage.store.multi([Delete(CONTROLLER, stat.version)])
        await stage.store.set(CONTROLLER_EPOCH, content, version=epoch)
        await stage.images.wait_for(lambda image: image.controller_id is None)
        with pytest.raises(NotControllerError):
            await stage.topics.create_topics([new_topic("foo")])
        await stage.images.wait_for(lambda image: image.controller_id == 1)
        assert stage.controller.term == ControllerTerm(3)
        await stage.create("foo")


@pytest.mark.rule("REL-C1")
async def test_operations_run_one_after_the_other_in_their_order() -> None:
    async with running() as stage:
        log: list[str] = []

        def operation(name: str) -> Operation[str]:
            async def run(_term: ControllerTerm) -> str:
                log.append(f"{name} begins")
                await asyncio.sleep(0)
                log.append(f"{name} ends")
                return name

            return run

        done = await asyncio.gather(*(stage.controller.perform(operation(name)) for name in "abc"))
        assert done == ["a", "b", "c"]
        assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_the_error_of_an_operation_is_its_callers_alone() -> None:
    async with running() as stage:

        async def refuse(_term: ControllerTerm) -> None:
            raise RejectedError("no")

        with pytest.raises(RejectedError, match="no"):
            await stage.controller.perform(refuse)
        await stage.create("foo")


async def test_the_controllers_own_work_is_tried_again() -> None:
    async with running() as stage:
        done = asyncio.Event()
        attempts = 0

        async def work(_term: ControllerTerm) -> None:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise MetadataConflictError("not yet")
            done.set()

        stage.controller.perform_later(work)
        await done.wait()
        assert attempts == 3


async def test_too_many_waiting_operations_are_refused() -> None:
    async with running() as stage:
        gate = asyncio.Event()

        async def wait(_term: ControllerTerm) -> None:
            await gate.wait()

        waiting = [asyncio.ensure_future(stage.controller.perform(wait))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting += [
            asyncio.ensure_future(stage.controller.perform(nothing)) for _ in range(QUEUED_MAX)
        ]
        await asyncio.sleep(0)
        with pytest.raises(ControllerBusyError):
            await stage.controller.perform(nothing)
        gate.set()
        await asyncio.gather(*waiting)
        await stage.controller.perform(nothing)


async def test_a_lost_session_ends_the_run() -> None:
    store = await founded()
    broker = await register_broker(store, description(1))
    images = ImageFollower(store=store)
    await images.load()
    controller = Controller(store=store, images=images, broker=broker)
    leading = asyncio.ensure_future(controller.run())
    following = asyncio.ensure_future(images.run())
    await images.wait_for(lambda image: image.controller_id == NodeId(1))
    await controller.settled()
    await store.close()
    with pytest.raises(SessionExpiredError):
        await leading
    with pytest.raises(SessionExpiredError):
        await following
    with pytest.raises(NotControllerError):
        await controller.perform(nothing)


def _become(config: Mapping[str, str], _old: Mapping[str, str]) -> Mapping[str, str]:
    return config


async def test_a_topic_that_allows_unclean_leaders_later_is_led_at_once() -> None:
    def rules_of(topic: TopicImage) -> ElectionRules:
        return ElectionRules(unclean="unclean" in topic.config)

    server = await open_server()
    async with running(server, rules_of=rules_of) as stage:
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: NodeId(2) in image.brokers)
        topic = await stage.create("foo", assignment={0: (NodeId(2), NodeId(1))})
        only = replace(topic.partitions[0], isr=(NodeId(2),), version=1)
        await stage.write_state("foo", only)
        await other.close()
        await stage.images.wait_for(lambda _: stage.topic("foo").partitions[0].leader is None)
        config = {"unclean": "yes"}
        await stage.topics.alter_topic_config(TopicName("foo"), partial(_become, config))
        await stage.images.wait_for(lambda _: stage.topic("foo").partitions[0].leader == 1)
        assert stage.topic("foo").partitions[0].isr == (1,)


@pytest.mark.rule("BP-D8")
async def test_old_changes_are_collected_as_new_ones_come() -> None:
    async with running() as stage:
        await stage.create("foo")
        for number in range(CHANGES_KEPT + 2 * COLLECT_EVERY):
            config = {"n": str(number)}
            await stage.topics.alter_topic_config(TopicName("foo"), partial(_become, config))
        kept = len(await stage.store.children("/changes"))
        assert CHANGES_KEPT <= kept <= CHANGES_KEPT + COLLECT_EVERY + 1
