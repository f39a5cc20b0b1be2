"""Who has the store of a cluster: asked by brokers, changed by a restore."""

from everlog.format.cluster_marker import MARKER_BYTES_MAX, ClusterMarker, decode_marker
from everlog.format.meta_keys import OwnerKey, owners_prefix, parse_meta_key
from everlog.format.object_keys import ClusterKey, Uid
from everlog.format.owner_record import (
    OWNER_BYTES_MAX,
    OwnerRecord,
    decode_owner,
    encode_owner,
)
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import RejectedError
from everlog.model.ids import id_text
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, list_all


class StoreTakenError(RejectedError):
    """Somebody else has taken the store at the same time."""


async def newest_owner(store: ObjectStore, cluster_id: str) -> OwnerKey | None:
    """Return the name of who has the store since the last restore; None if there was none.

    One LIST. Raises what `ObjectStore.list` does.
    """
    owners = await _owners(store, cluster_id)
    return max(owners, key=lambda each: each.order, default=None)


async def read_owner(store: ObjectStore, key: OwnerKey) -> OwnerRecord:
    """Return who has taken the store.

    Raises:
        ObjectMissingError: There is no such object.
        CorruptObjectError: It is damaged.
        UnsupportedFormatError: A newer Everlog wrote it.
        StoreUnavailableError: The store did not answer.
    """
    return decode_owner(await store.read_all(object_key(key.text), size_max=OWNER_BYTES_MAX))


async def read_marker(store: ObjectStore, cluster_id: str) -> ClusterMarker | None:
    """Return whose archive the store has from its beginning; None if it has none of that cluster.

    Raises:
        CorruptObjectError: The object is damaged.
        UnsupportedFormatError: A newer Everlog wrote it.
        StoreUnavailableError: The store did not answer.
    """
    key = object_key(ClusterKey(cluster_id=cluster_id).text)
    try:
        return decode_marker(await store.read_all(key, size_max=MARKER_BYTES_MAX))
    except ObjectMissingError:
        return None


def next_owner(
    seen: OwnerKey | None, cluster_id: str, *, clock: Clock, ids: IdSource
) -> OwnerRecord:
    """Return who will have the store once it is taken, after the owner that was seen."""
    return OwnerRecord(
        cluster_id=cluster_id,
        store_id=id_text(ids.uuid()),
        number=1 if seen is None else seen.number + 1,
        created_ms=clock.wall_ms(),
    )


async def take_store(store: ObjectStore, owner: OwnerRecord, *, uid: Uid) -> None:
    """Take the store from whoever has it; they stop at their next look at it.

    Of several that come after the same owner at most one gets it: whoever finds another one there
    goes away again, and who has looked and found nobody is found by all who come later.

    Raises:
        StoreTakenError: Somebody else has taken it since the owner before was seen.
        StoreUnavailableError: Whether it is taken is unknown.
    """
    key = OwnerKey(cluster_id=owner.cluster_id, number=owner.number, uid=uid)
    await store.create(object_key(key.text), encode_owner(owner))
    others = [
        each
        for each in await _owners(store, owner.cluster_id)
        if each.number >= key.number and each != key
    ]
    if others:
        await store.delete([object_key(key.text)])
        raise StoreTakenError(
            f"another restore has taken the store meanwhile ({others[0].text}): only one can have "
            "it; look whether the other one is wanted, and repeat this one if it is not"
        )


async def _owners(store: ObjectStore, cluster_id: str) -> list[OwnerKey]:
    names = [parse_meta_key(info.key) async for info in list_all(store, owners_prefix(cluster_id))]
    return [each for each in names if isinstance(each, OwnerKey)]
