"""Which store holds the cluster's archive: the node ``/archive``, made when the store is taken."""

from dataclasses import dataclass

from service.coordination.metadata_store import MetadataStore
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import ARCHIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecord:
    """The store of the archive.

    Attributes:
        store_id: What the store's own ``cluster.json`` says, too.
        url: Where the store was when a broker last found it.
    """

    store_id: str
    url: str


async def read_archive_record(store: MetadataStore) -> tuple[ArchiveRecord, int] | None:
    """Return the record and its version; None while no store was taken."""
    (found,) = await store.get_many([ARCHIVE])
    if found is None:
        return None
    payload = unpack(found[0], ARCHIVE)
    record = ArchiveRecord(store_id=str(payload["store_id"]), url=str(payload["url"]))
    return record, found[1].version


async def create_archive_record(store: MetadataStore, record: ArchiveRecord) -> None:
    """Write down which store was taken.

    Raises:
        NodeExistsError: One was taken already.
    """
    await store.create(ARCHIVE, _content(record))


async def move_archive_record(store: MetadataStore, record: ArchiveRecord, version: int) -> None:
    """Write down where the store is now.

    Raises:
        BadVersionError: Somebody wrote the node since it was read.
    """
    await store.set(ARCHIVE, _content(record), version=version)


def _content(record: ArchiveRecord) -> bytes:
    return pack({"store_id": record.store_id, "url": record.url})
