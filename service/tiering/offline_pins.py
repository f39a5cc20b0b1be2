"""What clones need of other topics, told from the bucket alone: by their records and roots."""

from collections.abc import Mapping, Sequence

from everlog.format.object_keys import PartitionPath
from everlog.format.pins import Pin, pins_of
from everlog.format.topic_record import CLONED_FROM, TopicRecord
from everlog.model.errors import CorruptionError
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore
from service.tiering.archive_listing import read_root, root_names
from service.tiering.topic_objects import TopicNames, TopicObjects

PinsByPartition = Mapping[PartitionPath, Sequence[Pin]]


async def pins_in(store: ObjectStore, objects: TopicObjects, *, cluster_id: str) -> PinsByPartition:
    """Return what the clones of a cluster need, by partition; raises what the store raises.

    A clone whose manifest cannot be read says nothing here; its broker keeps what it needs.
    """
    found: dict[PartitionPath, list[Pin]] = {}
    for names in (await objects.all()).values():
        record = await _newest(objects, names)
        if record is None or CLONED_FROM not in record.extra:
            continue
        for number in range(record.partitions):
            path = PartitionPath(cluster_id=cluster_id, topic_id=record.topic_id, partition=number)
            for home, pin in await _pins(store, path):
                found.setdefault(home, []).append(pin)
    return found


async def _newest(objects: TopicObjects, names: TopicNames) -> TopicRecord | None:
    # A deleted clone needs its sources, too, until its roots go: it may come back.
    if not names.records:
        return None
    try:
        return await objects.read(names.records[-1])
    except (ObjectMissingError, CorruptionError):
        return None


async def _pins(store: ObjectStore, path: PartitionPath) -> list[tuple[PartitionPath, Pin]]:
    names = await root_names(store, path)
    if names.newest is None:
        return []
    try:
        root = (await read_root(store, names, names.newest)).root
    except (ObjectMissingError, CorruptionError):
        return []
    return [(each.path, pin) for each, pin in zip(root.origins, pins_of(root), strict=True)]
