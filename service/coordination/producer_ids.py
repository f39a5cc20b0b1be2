"""Producer ids: each is given out once in the life of the cluster."""

import asyncio

from everlog.model.ids import NodeId, ProducerId
from service.coordination.metadata_store import BadVersionError, MetadataStore
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import PRODUCER_IDS

BLOCK_IDS = 1000
"""Ids that a broker takes at once, as in Kafka; what is left of them when it stops is lost."""


class ProducerIds:
    """Gives out ids from a block that belongs to this broker alone."""

    def __init__(self, *, store: MetadataStore, broker_id: NodeId) -> None:
        self._store = store
        self._broker_id = broker_id
        self._block = iter(range(0))
        self._taking = asyncio.Lock()

    async def next_id(self) -> ProducerId:
        """Return an id that nobody has ever had.

        Raises:
            ConnectionLostError: The store does not answer; a block may have been lost.
        """
        found = next(self._block, None)
        if found is None:
            async with self._taking:
                # Who waited for the lock finds the block that the one before has taken.
                found = next(self._block, None)
                if found is None:
                    self._block = iter(await self._take_block())
                    found = next(self._block)
        return ProducerId(found)

    async def _take_block(self) -> range:
        while True:
            content, stat = await self._store.get(PRODUCER_IDS)
            first = int(unpack(content, PRODUCER_IDS)["next"])
            taken = pack({"next": first + BLOCK_IDS, "broker": self._broker_id})
            try:
                await self._store.set(PRODUCER_IDS, taken, version=stat.version)
            except BadVersionError:
                # Another broker took that block; the next one is free.
                continue
            return range(first, first + BLOCK_IDS)
