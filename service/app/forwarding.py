"""Sends what only the controller can do to the controller, so that any broker may be asked."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from everlog.model.ids import NodeId
from service.app.peers import Peers
from service.broker.context import FORWARDER, Handler, RequestContext
from service.broker.metadata_view import Images
from service.model.serving import ConnectionClosingError
from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLostError
from service.protocol.api import ApiKey
from service.protocol.schema import Request, Response

CONTROLLERS_OWN = frozenset(
    {
        ApiKey.ALTER_CONFIGS,
        ApiKey.ALTER_PARTITION_REASSIGNMENTS,
        ApiKey.CREATE_PARTITIONS,
        ApiKey.CREATE_TOPICS,
        ApiKey.DELETE_TOPICS,
        ApiKey.ELECT_LEADERS,
        ApiKey.INCREMENTAL_ALTER_CONFIGS,
        ApiKey.LIST_PARTITION_REASSIGNMENTS,
    }
)

TIMEOUT_SECONDS = 60.0
"""As long as clients wait themselves, by default."""

Connect = Callable[[NodeId], PeerClient | None]


class ControllerLink:
    """The way to whoever is the controller.

    Args:
        me: This broker.
        images: Tell who the controller is.
        connect: Gives a way to a broker; None while it is not registered.
    """

    def __init__(self, *, me: NodeId, images: Images, connect: Connect) -> None:
        self._me = me
        self._images = images
        self._connect = connect
        self._client: tuple[NodeId, PeerClient] | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another broker is the controller."""
        return self._images().controller_id not in {None, self._me}

    async def ask(self, request: Request, *, version: int) -> Response:
        """Send a request to the controller, and return its response.

        Raises:
            PeerLostError: It does not answer.
        """
        client = self._current()
        if client is None:
            raise PeerLostError("the controller is not registered at the moment")
        return await client.request(request, version=version, timeout_seconds=TIMEOUT_SECONDS)

    def close(self) -> None:
        """Give the connection up."""
        if self._client is not None:
            self._client[1].close()
            self._client = None

    def _current(self) -> PeerClient | None:
        controller = self._images().controller_id
        if self._client is not None and self._client[0] != controller:
            self.close()
        if self._client is None and controller is not None:
            client = self._connect(controller)
            self._client = None if client is None else (controller, client)
        return None if self._client is None else self._client[1]


def controller_link(me: NodeId, peers: Peers, images: Images) -> ControllerLink:
    """Return the way from a broker to the controller."""
    return ControllerLink(
        me=me, images=images, connect=lambda broker: peers.client(broker, name=FORWARDER)
    )


def forwarded(handlers: Mapping[ApiKey, Handler], link: ControllerLink) -> dict[ApiKey, Handler]:
    """Return the handlers, those of the controller's own APIs by way of the controller."""
    return {
        key: _by_way_of(link, handler) if key in CONTROLLERS_OWN else handler
        for key, handler in handlers.items()
    }


def _by_way_of(link: ControllerLink, serve: Handler) -> Handler:
    async def ask(context: RequestContext, request: Request) -> Any:
        if not link.is_elsewhere or context.is_forwarded:
            result = serve(context, request)
            # Who only reads an archive refuses at once.
            return await result if asyncio.iscoroutine(result) else result
        try:
            return await link.ask(request, version=context.api_version)
        except PeerLostError as error:
            # The client asks again, this broker or another one.
            raise ConnectionClosingError(str(error)) from error

    return ask
