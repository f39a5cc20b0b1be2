"""Reassignments that somebody asks for, on a controller that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from everlog.model.errors import EverlogError
from everlog.model.ids import NodeId, TopicName
from service.coordination.asked_elections import NoSuchPartitionError
from service.coordination.leadership import ElectionStats, default_rules
from service.coordination.reassignments import NoReassignmentError, Reassignments
from service.coordination.registration import register_broker
from service.coordination.topic_errors import InvalidReplicaAssignmentError
from tests.unit.coordination.stage import Stage, description, founded, open_server, running

T = TopicName("t")
ONE, TWO = NodeId(1), NodeId(2)


def reassignments(stage: Stage) -> Reassignments:
    return Reassignments(
        store=stage.store,
        images=stage.images,
        controller=stage.controller,
        rules_of=default_rules,
        stats=ElectionStats(),
    )


@asynccontextmanager
async def two_brokers() -> AsyncIterator[tuple[Stage, Reassignments]]:
    """Run a controller, register another broker, and make a topic that the first one has."""
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: TWO in image.brokers)
        await stage.create("t", assignment={0: (ONE,), 1: (ONE,)})
        yield stage, reassignments(stage)


async def test_a_partition_moves_when_its_leader_has_taken_in_the_new_replica() -> None:
    async with two_brokers() as (stage, moves):
        assert await moves.alter({(T, 0): (TWO,)}) == {(T, 0): None}
        state = stage.topic("t").partitions[0]
        assert (state.replicas, state.adding, state.removing) == ((TWO, ONE), (TWO,), (ONE,))
        assert list(await moves.under_way(None)) == [(T, 0)]
        await stage.write_state("t", replace(state, isr=(TWO, ONE), version=state.version + 1))
        await stage.images.wait_for(lambda image: image.topics[T].partitions[0].replicas == (TWO,))
        state = stage.topic("t").partitions[0]
        assert (state.leader, state.isr, state.is_moving) == (TWO, (TWO,), False)
        assert await moves.under_way([(T, 0), (T, 1)]) == {}
        assert await moves.alter({(T, 0): (TWO,)}) == {(T, 0): None}, "it is there already"
        assert stage.topic("t").partitions[0] == state


async def test_another_controller_completes_what_the_first_one_began() -> None:
    server = await open_server()
    async with running(server) as stage:
        await stage.create("t", assignment={0: (ONE,)})
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: TWO in image.brokers)
        await reassignments(stage).alter({(T, 0): (TWO, ONE)})
        await stage.controller.retire()
    async with running(server, broker_id=3, seed=1) as stage:
        assert stage.controller.term is not None
        state = stage.topic("t").partitions[0]
        assert state.adding == (TWO,)
        led = replace(
            state,
            isr=(TWO, ONE),
            leader=TWO,
            leader_broker_epoch=0,
            version=state.version + 1,
        )
        await stage.write_state("t", led)
        await stage.images.wait_for(lambda image: not image.topics[T].partitions[0].is_moving)
        assert stage.topic("t").partitions[0].target == (TWO, ONE)


async def test_what_is_cancelled_is_as_it_was_and_cannot_be_cancelled_again() -> None:
    async with two_brokers() as (stage, moves):
        await moves.alter({(T, 0): (TWO,), (T, 1): (TWO, ONE)})
        assert await moves.alter({(T, 0): None, (T, 1): None}) == {(T, 0): None, (T, 1): None}
        for state in stage.topic("t").partitions:
            assert (state.replicas, state.isr, state.leader) == ((ONE,), (ONE,), ONE)
            assert not state.is_moving
        assert kinds(await moves.alter({(T, 0): None})) == {(T, 0): NoReassignmentError}


async def test_each_mistake_is_told_and_the_others_go_on() -> None:
    async with two_brokers() as (stage, moves):
        outcomes = await moves.alter(
            {
                (T, 0): (),
                (T, 1): (TWO, ONE),
                (T, 7): (TWO,),
                (TopicName("u"), 0): None,
            }
        )
        assert kinds(outcomes) == {
            (T, 0): InvalidReplicaAssignmentError,
            (T, 1): None,
            (T, 7): NoSuchPartitionError,
            (TopicName("u"), 0): NoSuchPartitionError,
        }
        for target in ((ONE, ONE), (NodeId(9),), (NodeId(-1),)):
            assert kinds(await moves.alter({(T, 0): target})) == {
                (T, 0): InvalidReplicaAssignmentError
            }
        assert not stage.topic("t").partitions[0].is_moving
        assert stage.topic("t").partitions[1].is_moving


def kinds(outcomes: object) -> dict[object, type[EverlogError] | None]:
    assert isinstance(outcomes, dict)
    return {each: None if why is None else type(why) for each, why in outcomes.items()}
