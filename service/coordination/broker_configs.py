"""Changes the dynamic settings of brokers: the controller's work, like that on topics."""

from collections.abc import Callable, Mapping
from functools import partial

from everlog.model.ids import NodeId
from service.coordination.changes import BrokerConfigChange, Edit, encode_row
from service.coordination.cluster_image import ImageFollower
from service.coordination.controller import Controller
from service.coordination.controller_term import ControllerTerm, MetadataConflictError
from service.coordination.metadata_store import Create, MetadataStore, NodeError, Op, Set
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import broker_config_path

ATTEMPTS_MAX = 5
"""How often a change is decided again because somebody wrote at the same time."""

ChangeConfig = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Turns settings into others and checks them; may be called again, and may raise RejectedError."""


class BrokerConfigs:
    """What handlers call to change brokers' settings. Works on the controller only."""

    def __init__(
        self, *, store: MetadataStore, images: ImageFollower, controller: Controller
    ) -> None:
        self._store = store
        self._images = images
        self._controller = controller

    async def alter(self, broker_id: NodeId | None, change: ChangeConfig) -> Mapping[str, str]:
        """Change one broker's settings, or those for all (None); on return this image has them.

        Raises:
            NotControllerError: Another broker is the controller.
            MetadataConflictError: Somebody kept writing at the same time.
            ConnectionLostError: The outcome is unknown.
            RejectedError: ``change`` refuses.
        """
        return await self._controller.perform(partial(self._alter, broker_id, change))

    async def _alter(
        self, broker_id: NodeId | None, change: ChangeConfig, term: ControllerTerm
    ) -> Mapping[str, str]:
        path = broker_config_path(broker_id)
        for _ in range(ATTEMPTS_MAX):
            (found,) = await self._store.get_many([path])
            held = {} if found is None else unpack(found[0], path)["config"]
            config = dict(change(held))
            version = 0 if found is None else found[1].version + 1
            payload = pack({"config": config})
            op: Op = Set(path, payload, version - 1) if found else Create(path, payload)
            row = encode_row(BrokerConfigChange(broker_id, config, version))
            try:
                sequence = await term.publish(self._store, [Edit((op,), (row,))], leaders={})
            except NodeError:
                continue
            await self._images.reached(sequence)
            return config
        raise MetadataConflictError(f"{path} kept changing")
