"""Which topics are clones of which, and what each partition still needs of its sources.

A node ``/clones/<source id>.<clone id>`` is made by the transaction that makes the clone, for the
topic that it is made from and for every topic that this one was made from in turn. A node below it
tells what one partition needs; until there is one, that is everything. Both go when the last object
of the deleted clone has gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.format.object_keys import PartitionPath
from everlog.format.pins import EVERYTHING, Pin
from everlog.model.ids import PartitionId, TopicId, id_bytes, id_text
from everlog.model.offsets import Offset
from service.coordination.metadata_store import (
    BadVersionError,
    Create,
    Delete,
    MetadataStore,
    NodeExistsError,
    NoNodeError,
)
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import CLONES

DELETES_MAX = 512
"""Nodes removed in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloned:
    """That a topic was made of another one.

    Attributes:
        rank: 0 for the topic that it was made from, 1 for the one that this was made from, ...
        partitions: How many there were; later ones have nothing of the source.
    """

    source: TopicId
    clone: TopicId
    rank: int
    partitions: int

    @property
    def path(self) -> str:
        """Where that is written."""
        return f"{CLONES}/{id_text(self.source)}.{id_text(self.clone)}"

    @property
    def creation(self) -> Create:
        """Write it down."""
        return Create(self.path, pack({"rank": self.rank, "partitions": self.partitions}))


class ClonePins:
    """Reads and moves them. Every method raises ConnectionLostError (the outcome is unknown)."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def of(self, path: PartitionPath) -> Sequence[Pin]:
        """Return what clones need of a partition, as the newest write has left it."""
        clones = await self._found(prefix=f"{id_text(path.topic_id)}.")
        pinned = [each for each in clones if path.partition < each.partitions]
        nodes = await self._store.get_many([f"{each.path}/{path.partition}" for each in pinned])
        pins = [EVERYTHING if node is None else _pin(node[0]) for node in nodes]
        return [pin for pin in pins if not pin.is_over]

    async def sources_of(self, partition: PartitionId) -> Sequence[Cloned]:
        """Return what a partition was made from, the nearest first; nothing if it is no clone."""
        found = await self._found(suffix=f".{id_text(partition.topic_id)}")
        mine = (each for each in found if partition.partition < each.partitions)
        return sorted(mine, key=lambda each: each.rank)

    async def note(self, cloned: Cloned, partition: int, pin: Pin) -> None:
        """Say what a partition still needs; safe to repeat."""
        path, content = f"{cloned.path}/{partition}", _content(pin)
        while True:
            (node,) = await self._store.get_many([path])
            try:
                if node is None:
                    await self._store.create(path, content)
                elif node[0] != content:
                    await self._store.set(path, content, version=node[1].version)
            except (NodeExistsError, BadVersionError):
                continue  # an attempt of ours whose answer was lost
            except NoNodeError:
                pass  # the clone was deleted meanwhile
            return

    async def forget(self, clone: TopicId) -> None:
        """Let go of everything that a clone needed, once the last of its objects is gone."""
        for each in await self._found(suffix=f".{id_text(clone)}"):
            below = [f"{each.path}/{number}" for number in range(each.partitions)]
            for first in range(0, len(below), DELETES_MAX):
                await self._delete(below[first : first + DELETES_MAX])
            await self._delete([each.path])

    async def _delete(self, paths: Sequence[str]) -> None:
        nodes = await self._store.get_many(paths)
        deletes = [
            Delete(path, node[1].version)
            for path, node in zip(paths, nodes, strict=True)
            if node is not None
        ]
        if deletes:
            await self._store.multi(deletes)

    async def _found(self, *, prefix: str = "", suffix: str = "") -> list[Cloned]:
        await self._store.sync(CLONES)
        try:
            names = await self._store.children(CLONES)
        except NoNodeError:
            return []  # no broker of this version has laid the tree out
        wanted = [name for name in names if name.startswith(prefix) and name.endswith(suffix)]
        nodes = await self._store.get_many([f"{CLONES}/{name}" for name in wanted])
        return [
            _cloned(name, node[0])
            for name, node in zip(wanted, nodes, strict=True)
            if node is not None
        ]


def _cloned(name: str, content: bytes) -> Cloned:
    source, clone = name.split(".")
    fields = unpack(content, f"{CLONES}/{name}")
    return Cloned(
        source=TopicId(id_bytes(source)),
        clone=TopicId(id_bytes(clone)),
        rank=fields["rank"],
        partitions=fields["partitions"],
    )


def _content(pin: Pin) -> bytes:
    return pack({"start": pin.start, "end": pin.end, "ver": pin.ver})


def _pin(content: bytes) -> Pin:
    fields = unpack(content, CLONES)
    return Pin(start=Offset(fields["start"]), end=Offset(fields["end"]), ver=fields["ver"])
