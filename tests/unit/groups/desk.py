"""Handlers of the group APIs over a running coordinator; what is said goes over the wire."""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.broker.context import Handler, RequestContext
from service.model.cluster import (
    EMPTY_IMAGE,
    Broker,
    ClusterImage,
    Endpoint,
    PartitionState,
    TopicImage,
)
from service.protocol.schema import Message, reader, writer
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import Hall, open_hall

LISTENER = "PLAINTEXT"
A_ID, B_ID = TopicId(b"a" * 16), TopicId(b"b" * 16)


def _partition(leader: int | None) -> PartitionState:
    return PartitionState(
        replicas=(NodeId(1),),
        leader=None if leader is None else NodeId(leader),
        leader_epoch=LeaderEpoch(1),
        leader_broker_epoch=1,
        isr=(NodeId(1),),
        controller_epoch=1,
        version=1,
    )


def topic(name: str, topic_id: TopicId, *leaders: int | None) -> TopicImage:
    return TopicImage(
        name=TopicName(name),
        topic_id=topic_id,
        config={},
        partitions=tuple(map(_partition, leaders)),
        version=1,
    )


def image_of(*topics: TopicImage) -> ClusterImage:
    endpoints = (
        Endpoint(listener=LISTENER, host="broker-1", port=9092, security="PLAINTEXT"),
        Endpoint(listener="INSIDE", host="inside-1", port=19092, security="PLAINTEXT"),
    )
    broker = Broker(
        id=NodeId(1), epoch=1, endpoints=endpoints, directory_id=b"", boot_id="", rack=None
    )
    return replace(
        EMPTY_IMAGE,
        brokers={broker.id: broker},
        topics={each.name: each for each in topics},
        names={each.topic_id: each.name for each in topics},
    )


class Desk:
    """Where requests are taken, as in a broker."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.image = image_of(topic("a", A_ID, 1, 1), topic("b", B_ID, 1))

    def images(self) -> ClusterImage:
        return self.image

    async def ask(
        self, handler: Handler, version: int, request: Message, *, listener: str = LISTENER
    ) -> Any:
        """Send a request in a version and return the response as the client reads it."""
        context = RequestContext(version, "client", "/127.0.0.1", 1, listener)
        response = handler(context, over_the_wire(request, version))
        if inspect.isawaitable(response):
            response = await response
        return over_the_wire(response, version)


def over_the_wire(message: Message, version: int) -> Any:
    """Return what the other side reads of a message."""
    frame = b"".join(map(bytes, writer(type(message), version)(message, bytearray())))
    read, end = reader(type(message), version)(memoryview(frame), 0)
    assert end == len(frame)
    return read


@asynccontextmanager
async def open_desk(log: FakeOffsetsLog | None = None) -> AsyncIterator[Desk]:
    async with open_hall(log) as hall:
        yield Desk(hall)
