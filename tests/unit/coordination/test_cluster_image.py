"""The image follows what is published, and nobody is told too early, twice, or never."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination.change_collection import collect_changes
from service.coordination.changes import CHANGES_KEPT, Edit, batches, publish
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller_term import ControllerTerm
from service.coordination.elections import first_term
from service.coordination.image_delta import ImageDelta
from service.coordination.metadata_store import (
    ConnectionLostError,
    MetadataStore,
    SessionExpiredError,
    SessionState,
)
from service.coordination.registration import register_broker
from service.coordination.topic_edits import configuration, creation, deletion, growth, new_state
from service.model.cluster import EMPTY_IMAGE, ClusterImage, TopicImage
from tests.unit.coordination.stage import description, founded, open_server

LIVE = {NodeId(1): 0}
FOO, BAR = TopicName("foo"), TopicName("bar")


def topic(name: str, number: int, partitions: int = 1, **config: str) -> TopicImage:
    state = first_term((NodeId(1),), LIVE, controller_epoch=0)
    return TopicImage(
        name=TopicName(name),
        topic_id=TopicId(bytes([number]) * 16),
        config=config,
        partitions=(state,) * partitions,
        version=0,
    )


async def write(store: MetadataStore, unseen: Sequence[Edit], edit: Edit) -> int:
    for each in unseen:
        await store.multi(each.ops)
    return await publish(store, checks=[], edits=[edit])


async def delete(store: MetadataStore, gone: TopicImage) -> int:
    return await publish(store, checks=[], edits=[deletion(gone, deleted_ms=0)])


class Following:
    """A follower that runs, on a session of its own."""

    def __init__(self, store: MetadataStore) -> None:
        self.follower = ImageFollower(store=store)
        self.deltas: list[ImageDelta] = []
        self.follower.subscribe(self.deltas.append)

    async def __aenter__(self) -> ImageFollower:
        await self.follower.load()
        self._running = asyncio.ensure_future(self.follower.run())
        return self.follower

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


async def test_before_the_load_nothing_is_known() -> None:
    follower = ImageFollower(store=await founded())
    assert follower.image is EMPTY_IMAGE
    assert follower.sequence == -1


async def test_a_load_finds_everything() -> None:
    store = await founded()
    broker = await register_broker(store, description(1, rack="r1"))
    foo = topic("foo", 1, 3, a="b")
    sequence = await write(store, *creation(foo))
    async with Following(store) as follower:
        image = follower.image
        assert image.cluster_id
        assert image.topics == {"foo": foo}
        assert image.names == {foo.topic_id: "foo"}
        assert image.brokers == {1: broker}
        assert image.racks == {1: "r1"}
        assert image.controller_id is None
        assert follower.sequence == sequence
        assert image.topic(FOO) == image.topic_by_id(foo.topic_id) == foo
        assert image.partition(FOO, 2) == foo.partitions[2]
        assert image.partition(FOO, 3) is None
        assert image.partition(BAR, 0) is None


async def test_a_published_change_is_followed_and_told_once() -> None:
    server = await open_server()
    store = await founded(server)
    following = Following(await founded(server))
    async with following as follower:
        foo = topic("foo", 1, 2)
        await follower.reached(await write(store, *creation(foo)))
        assert follower.image.topics == {"foo": foo}
        (delta,) = following.deltas
        assert delta.topics_created == (foo,)
        updates = delta.partitions
        assert [each.partition.partition for each in updates] == [0, 1]
        assert all(each.before is None for each in updates)


async def test_changing_one_partition_keeps_every_other_value() -> None:
    server = await open_server()
    store = await founded(server)
    foo, bar = topic("foo", 1, 3), topic("bar", 2, 3)
    await write(store, *creation(foo))
    await write(store, *creation(bar))
    following = Following(await founded(server))
    async with following as follower:
        before = follower.image
        state = foo.partitions[1]
        newer = replace(state, isr=(NodeId(2),), version=1)
        sequence = await publish(
            store, checks=[], edits=[new_state(PartitionId(foo.topic_id, 1), newer)]
        )
        await follower.reached(sequence)
        image = follower.image
        assert image.partition(FOO, 1) == newer
        assert image.topics[BAR] is before.topics[BAR]
        assert image.topics[FOO].partitions[0] is before.topics[FOO].partitions[0]
        assert before.partition(FOO, 1) == state, "an image never changes"
        delta = following.deltas[-1]
        (update,) = delta.partitions
        assert (update.before, update.after) == (state, newer)
        assert delta.topics_changed == ()


async def test_a_topic_that_is_created_again_is_another_one() -> None:
    server = await open_server()
    store = await founded(server)
    following = Following(await founded(server))
    async with following as follower:
        old, new = topic("foo", 1, 2), topic("foo", 2)
        await write(store, *creation(old))
        await delete(store, old)
        await follower.reached(await write(store, *creation(new)))
        assert follower.image.topics == {"foo": new}
        assert follower.image.names == {new.topic_id: "foo"}
        assert follower.image.topic_by_id(old.topic_id) is None


async def test_config_and_growth_are_followed() -> None:
    server = await open_server()
    store = await founded(server)
    foo = topic("foo", 1)
    await write(store, *creation(foo))
    following = Following(await founded(server))
    async with following as follower:
        edit = configuration(foo, {"retention.ms": "1"})
        await follower.reached(await write(store, [], edit))
        foo = follower.image.topics[FOO]
        assert foo.config == {"retention.ms": "1"}
        sequence = await write(store, *growth(foo, [foo.partitions[0]] * 2))
        await follower.reached(sequence)
        assert len(follower.image.topics[FOO].partitions) == 3
        assert follower.image.topics[FOO].config == {"retention.ms": "1"}
        last = following.deltas[-1]
        assert [each.partition.partition for each in last.partitions] == [1, 2]


async def test_a_topic_too_large_for_one_change_appears_whole() -> None:
    server = await open_server()
    store = await founded(server)
    following = Following(await founded(server))
    async with following as follower:
        large = topic("large", 1, 700)
        unseen, edit = creation(large)
        assert len(unseen) == 3
        for each in unseen:
            await store.multi(each.ops)
        assert follower.image.topics == {}
        await follower.reached(await publish(store, checks=[], edits=[edit]))
        assert follower.image.topics == {"large": large}
        assert len(following.deltas) == 1
        await follower.reached(await write(store, *growth(large, large.partitions[:300])))
        assert len(follower.image.topics[TopicName("large")].partitions) == 1000


async def test_brokers_that_come_go_and_return_are_followed() -> None:
    server = await open_server()
    async with Following(await founded(server)) as follower:
        store = await founded(server)
        first = await register_broker(store, description(2, rack="a"))
        await follower.wait_for(lambda image: image.brokers == {NodeId(2): first})
        again = await register_broker(store, description(2, rack="b"))
        assert again.epoch == first.epoch + 1
        await follower.wait_for(lambda image: image.brokers == {NodeId(2): again})
        await store.close()
        image = await follower.wait_for(lambda image: not image.brokers)
        assert image.racks == {2: "b"}, "it is down, and still counts"


@pytest.mark.rule("BP-D8")
async def test_a_reader_who_is_too_far_behind_reads_everything_again() -> None:
    server = await open_server()
    store = await founded(server)
    follower = ImageFollower(store=await founded(server))
    await follower.load()
    foo = topic("foo", 1)
    sequence = await write(store, *creation(foo))
    for version in range(CHANGES_KEPT + 50):
        foo = replace(foo, version=version)
        sequence = await write(store, [], configuration(foo, {"n": str(version)}))
    await collect_changes(store, ControllerTerm(0), last=sequence)
    following = asyncio.ensure_future(follower.run())
    await follower.reached(sequence)
    assert follower.image.topics[FOO].config == {"n": str(CHANGES_KEPT + 49)}
    assert follower.sequence == sequence
    await delete(store, follower.image.topics[FOO])
    await follower.wait_for(lambda image: not image.topics)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.rule("BP-D8")
async def test_only_the_last_changes_are_kept() -> None:
    store = await founded()
    foo = topic("foo", 1)
    await write(store, *creation(foo))
    sequence = 0
    for version in range(CHANGES_KEPT + 299):
        foo = replace(foo, version=version)
        sequence = await write(store, [], configuration(foo, {}))
    await collect_changes(store, ControllerTerm(0), last=sequence)
    names = await store.children("/changes")
    assert len(names) == CHANGES_KEPT
    assert names[-1] == f"seq-{sequence:010d}"


class MeddlingStore:
    """Passes calls on, and makes changes in the middle of a load."""

    def __init__(self, store: MetadataStore, meddle: list[Callable[[], Awaitable[int]]]) -> None:
        self._store = store
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def children(self, path: str, **what: Any) -> list[str]:
        found = await self._store.children(path, **what)
        if path == "/topics" and self._meddle:
            for step in self._meddle:
                await step()
            self._meddle.clear()
        return found


@pytest.mark.rule("BP-D8")
@pytest.mark.parametrize("large", [1, 300])
async def test_what_changes_during_a_load_is_in_the_image_when_it_is_shown(large: int) -> None:
    store = await founded()
    old, kept = topic("foo", 1), topic("kept", 9, 2)
    between, new, late = topic("foo", 2, large), topic("foo", 3, large), topic("late", 4)
    await write(store, *creation(old))
    await write(store, *creation(kept))
    meddling = [
        lambda: delete(store, old),
        lambda: write(store, *creation(between)),
        lambda: delete(store, between),
        lambda: write(store, *creation(new)),
        lambda: write(store, *creation(late)),
        lambda: delete(store, kept),
    ]
    seen: list[ClusterImage] = []
    follower = ImageFollower(store=MeddlingStore(store, list(meddling)))
    follower.subscribe(lambda delta: seen.append(delta.image))
    await follower.load()
    assert follower.image.topics == {"foo": new, "late": late}
    assert len(seen) == 1, "nobody sees the states in between"


async def test_a_lost_session_ends_the_run_and_those_who_wait() -> None:
    store = await founded()
    follower = ImageFollower(store=store)
    await follower.load()
    following = asyncio.ensure_future(follower.run())
    waiting = asyncio.ensure_future(follower.reached(1000))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(SessionExpiredError):
        await following
    with pytest.raises(ConnectionLostError):
        await waiting
    with pytest.raises(ConnectionLostError):
        await follower.reached(1000)


class Disconnected:
    """Passes calls on while it is connected; says when it is so again."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._callbacks: list[Callable[[SessionState], None]] = []
        self.is_connected = True

    def __getattr__(self, name: str) -> Any:
        if not self.is_connected:
            raise ConnectionLostError(name)
        return getattr(self._store, name)

    def subscribe(self, callback: Callable[[SessionState], None]) -> None:
        self._callbacks.append(callback)

    def tell(self, state: SessionState) -> None:
        self.is_connected = state is SessionState.CONNECTED
        for callback in self._callbacks:
            callback(state)


@pytest.mark.rule("REL-K4")
async def test_after_a_reconnect_everything_is_read_again() -> None:
    server = await open_server()
    writer = await founded(server)
    store = Disconnected(await founded(server))
    follower = ImageFollower(store=cast(MetadataStore, store), retry_seconds=1000)
    await follower.load()
    run = asyncio.ensure_future(follower.run())
    await asyncio.sleep(0)
    store.tell(SessionState.SUSPENDED)
    await write(writer, *creation(topic("foo", 1)))
    # No change is published when a session ends, so only reading again can tell.
    await register_broker(writer, description(1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert follower.image.topics == {}
    store.tell(SessionState.CONNECTED)
    image = await follower.wait_for(lambda image: FOO in image.topics)
    assert 1 in image.brokers
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_read_that_fails_without_a_session_event_is_tried_again() -> None:
    server = await open_server()
    writer = await founded(server)
    store = Disconnected(await founded(server))
    follower = ImageFollower(store=cast(MetadataStore, store), retry_seconds=0)
    await follower.load()
    run = asyncio.ensure_future(follower.run())
    await asyncio.sleep(0)
    store.is_connected = False
    await write(writer, *creation(topic("foo", 1)))
    for _ in range(20):
        await asyncio.sleep(0)
    store.is_connected = True
    await follower.wait_for(lambda image: FOO in image.topics)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


async def test_a_burst_of_changes_is_told_in_few_deltas() -> None:
    server = await open_server()
    store = await founded(server)
    following = Following(await founded(server))
    async with following as follower:
        edits = [creation(topic(f"t{n}", n))[1] for n in range(200)]
        sequences = await asyncio.gather(
            *(publish(store, checks=[], edits=[edit]) for edit in edits)
        )
        await follower.reached(max(sequences))
        assert len(follower.image.topics) == 200
        assert len(following.deltas) < 50
        assert len(list(batches(edits))) == 1
