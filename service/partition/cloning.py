"""The tier of a clone: made of its source's when it is first opened, and what it then needs of it.

The pin that keeps the source's objects is older than the first look at the source, so whatever that
lists stays. It moves on, and goes, only a grace after the clone has let go of objects: its readers,
and a restore to an earlier time, may still want them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from everlog.format.manifest import first_root
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.pins import NOTHING, Pin, pins_of
from everlog.format.pointer import Pointer, decode_pointer
from everlog.format.root import Root, RootRef
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch
from everlog.stores.errors import ObjectMissingError
from service.coordination.clone_pins import Cloned, ClonePins
from service.tiering.authority import PointerStore
from service.tiering.manifest_store import ManifestStore
from service.tiering.partition_tier import PartitionTier

_log = structlog.get_logger(__name__)


class SourceNotReadyError(RetriableError):
    """The source cannot be looked at now; the clone is opened later."""


@dataclass(slots=True)
class _Need:
    """What a partition needs of its sources.

    Attributes:
        pins: As last seen in the committed root; one for each of `sources`.
        seen: The root that they are from.
        since_ms: When they were first seen.
        noted: As they are written down; None while that is not known here.
        is_new: Whether there was no root before, so that nobody can need more.
    """

    sources: Sequence[Cloned]
    pins: Sequence[Pin] = ()
    seen: RootRef | None = None
    since_ms: int = 0
    noted: Sequence[Pin] | None = None
    is_new: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether what is written down is not what was seen."""
        return self.pins != self.noted

    @property
    def is_over(self) -> bool:
        """Whether it is written down that nothing is needed any more."""
        return self.noted is not None and all(pin.is_over for pin in self.noted)


class Cloning:
    """Makes the first commit of clones, and keeps their pins.

    Args:
        grace_ms: How long objects are needed that the committed root does not list any more.
    """

    def __init__(
        self,
        pins: ClonePins,
        *,
        pointers: PointerStore,
        manifests: ManifestStore,
        clock: Clock,
        ids: IdSource,
        grace_ms: int,
    ) -> None:
        self._pins = pins
        self._pointers = pointers
        self._manifests = manifests
        self._clock = clock
        self._ids = ids
        self._grace_ms = grace_ms
        self._needs: dict[PartitionId, _Need] = {}

    async def open(self, tier: PartitionTier) -> bool:
        """Take a claimed tier on; return whether it has just been made of another one.

        Raises:
            SourceNotReadyError: What the clone is to begin with is not to be had now.
            CorruptionError: The source's manifest is damaged.
            RetriableError: A store did not answer.
        """
        partition = _partition(tier.path)
        sources = await self._pins.sources_of(partition)
        if not sources:
            return False
        need = self._needs[partition] = _Need(sources)
        if tier.pointer.root is not None:
            return False
        need.is_new = True
        root = await self._source(tier, sources)
        await tier.begin_as_clone(root)
        await tier.hint()
        _log.info(
            "partition_cloned",
            topic_id=partition.topic_id.hex(),
            partition=partition.partition,
            source_topic_id=sources[0].source.hex(),
            offsets=[tier.start, tier.end],
        )
        await self.step(tier)
        return True

    def close(self, partition: PartitionId) -> None:
        """Forget a partition that is not led here any more."""
        self._needs.pop(partition, None)

    async def step(self, tier: PartitionTier) -> None:
        """Write down what a clone needs of its sources, where that has changed for long enough."""
        need = self._needs.get(_partition(tier.path))
        if need is None or need.is_over:
            return
        try:
            await self._step(tier, need)
        except (RetriableError, CorruptionError, RejectedError) as error:
            # What is written down is more than is needed, and another turn looks again.
            _log.warning("pins_not_moved", partition=tier.path.prefix, reason=str(error))

    async def _step(self, tier: PartitionTier, need: _Need) -> None:
        now_ms, ref = self._clock.wall_ms(), tier.pointer.root
        if need.seen != ref:
            root = await tier.root()
            if root is None:
                return
            pins = _pins(root, need.sources)
            if pins != need.pins or need.seen is None:
                # Who needed more before a start may need it until the grace is over, too.
                need.pins, need.since_ms = pins, 0 if need.is_new else now_ms
                need.is_new = False
            need.seen = ref
        if need.is_moved and now_ms - need.since_ms >= self._grace_ms:
            for cloned, pin in zip(need.sources, need.pins, strict=True):
                await self._pins.note(cloned, tier.path.partition, pin)
            need.noted = need.pins

    async def _source(self, tier: PartitionTier, sources: Sequence[Cloned]) -> Root:
        """Return the committed root of the source, or one for a source that has none.

        A source that is a clone and was not made yet, or never will be, would begin as its own
        source is now, so that one's root will do.
        """
        paths = [replace(tier.path, topic_id=each.source) for each in sources]
        found = [await self._pointer(tier, path) for path in paths]
        for path, pointer in zip(paths, found, strict=True):
            if pointer is not None and pointer.root is not None:
                return await self._root(path, pointer.root)
        return first_root(
            paths[0],
            uid=Uid(self._ids.uuid()),
            stamp=Stamp(LeaderEpoch(0), 0, 0),
            start=tier.start if found[0] is None else found[0].tiered_end,
            created_ms=self._clock.wall_ms(),
        )

    async def _pointer(self, tier: PartitionTier, path: PartitionPath) -> Pointer | None:
        (found,) = await self._pointers.read([_partition(path)])
        pointer = decode_pointer(found.payload) if found is not None and found.payload else None
        if pointer is not None and pointer.stamp.epoch >= tier.next_stamp.epoch:
            raise SourceNotReadyError(
                f"{path.prefix} is in epoch {pointer.stamp.epoch}, and its clone in "
                f"{tier.next_stamp.epoch}, which has to be above it: delete the clone and make it "
                "again"
            )
        return pointer

    async def _root(self, path: PartitionPath, ref: RootRef) -> Root:
        try:
            return await self._manifests.root(path, ref)
        except ObjectMissingError as error:
            raise SourceNotReadyError(
                f"the manifest of {path.prefix} has gone on or is missing: {error}"
            ) from error


def _partition(path: PartitionPath) -> PartitionId:
    return PartitionId(path.topic_id, path.partition)


def _pins(root: Root, sources: Sequence[Cloned]) -> list[Pin]:
    """Return what a root needs of each source; nothing of one that it does not know any more."""
    known = {each.path.topic_id: pin for each, pin in zip(root.origins, pins_of(root), strict=True)}
    return [known.get(each.source, NOTHING) for each in sources]
