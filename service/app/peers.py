"""Ways from this broker to the others of its cluster."""

from everlog.model.ids import NodeId
from service.app.seams import Seams
from service.broker.metadata_view import Images
from service.model.broker_config import BrokerConfig
from service.net.peer_client import PeerClient
from service.net.peer_connection import PeerLimits


class Peers:
    """Makes clients of other brokers, by the listener that is meant for brokers.

    Args:
        images: Tell where they are.
    """

    def __init__(self, config: BrokerConfig, seams: Seams, *, images: Images) -> None:
        self._listener = config.inter_broker_listener_name
        self._network = seams.network
        self._clock = seams.clock
        self._ids = seams.ids
        self._images = images

    def client(self, broker_id: NodeId, *, name: str) -> PeerClient | None:
        """Return a client that calls itself so; None if the broker is not registered."""
        broker = self._images().brokers.get(broker_id)
        endpoint = None if broker is None else broker.endpoint(self._listener)
        if endpoint is None:
            return None
        return PeerClient(
            network=self._network,
            host=endpoint.host,
            port=endpoint.port,
            client_id=name,
            limits=PeerLimits(),
            clock=self._clock,
            ids=self._ids,
        )
