"""A broker's id belongs to one running process, and each registration has its own epoch."""

import asyncio

import pytest

from everlog.model.ids import NodeId
from service.coordination.metadata_store import BadVersionError, Check
from service.coordination.payloads import read_broker, unpack
from service.coordination.registration import BrokerIdTakenError, register_broker
from service.coordination.znodes import broker_epoch_path, broker_path
from tests.unit.coordination.stage import description, founded, open_server

PATH, EPOCH_PATH = broker_path(NodeId(1)), broker_epoch_path(NodeId(1))


async def test_the_epoch_is_the_version_of_a_node_that_stays() -> None:
    server = await open_server()
    for epoch in range(3):
        store = await founded(server)
        broker = await register_broker(store, description(1, rack="r"))
        assert broker.epoch == epoch
        content, stat = await store.get(PATH)
        assert read_broker(unpack(content, PATH), NodeId(1)) == broker
        assert stat.ephemeral_owner == store.session_id
        assert (await store.get(EPOCH_PATH))[1].version == epoch
        await store.close()
    store = await founded(server)
    assert await store.exists(PATH) is None
    assert await store.exists(EPOCH_PATH) is not None


@pytest.mark.rule("REL-C5")
async def test_a_broker_replaces_its_own_registration_of_a_session_that_lives_on() -> None:
    server = await open_server()
    old, new = await founded(server), await founded(server)
    await register_broker(old, description(1))
    broker = await register_broker(new, description(1))
    assert broker.epoch == 1
    content, stat = await new.get(PATH)
    assert stat.ephemeral_owner == new.session_id
    assert unpack(content, PATH)["epoch"] == 1
    await old.close()
    assert await new.exists(PATH) is not None, "the end of the old session takes nothing along"


@pytest.mark.rule("REL-C5")
async def test_a_broker_waits_for_a_stranger_with_its_id_to_go() -> None:
    server = await open_server()
    stranger, store = await founded(server), await founded(server)
    await register_broker(stranger, description(1, directory=9))
    registering = asyncio.ensure_future(register_broker(store, description(1)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not registering.done()
    await stranger.close()
    assert (await registering).epoch == 1


async def test_a_stranger_who_stays_keeps_the_id() -> None:
    server = await open_server()
    stranger, store = await founded(server), await founded(server)
    await register_broker(stranger, description(1, directory=9))
    with pytest.raises(BrokerIdTakenError, match=r"broker 1 is already running at b1:9092"):
        await register_broker(store, description(1), foreign_wait_seconds=0.01)
    assert (await store.get(EPOCH_PATH))[1].version == 0


@pytest.mark.rule("BP-7")
async def test_a_new_registration_fences_what_was_decided_on_the_old_one() -> None:
    store = await founded()
    first = await register_broker(store, description(1))
    await store.multi([Check(EPOCH_PATH, first.epoch)])
    second = await register_broker(store, description(1))
    with pytest.raises(BadVersionError):
        await store.multi([Check(EPOCH_PATH, first.epoch)])
    await store.multi([Check(EPOCH_PATH, second.epoch)])


async def test_of_concurrent_registrations_of_one_broker_the_last_holds() -> None:
    server = await open_server()
    stores = [await founded(server) for _ in range(4)]
    brokers = await asyncio.gather(*(register_broker(each, description(1)) for each in stores))
    assert sorted(broker.epoch for broker in brokers) == [0, 1, 2, 3]
    content, _ = await stores[0].get(PATH)
    assert unpack(content, PATH)["epoch"] == 3
