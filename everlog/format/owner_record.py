"""Who has a store since it was restored from: the newest of these counts, ``cluster.json`` else.

``cluster.json`` says whose archive a store has, and is never changed. A restore puts one of these
beside it; from then on the data directory that had the store before may not write to it any more.
"""

from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError
from everlog.format.sealed_json import seal_json, unseal_json

OWNER_BYTES_MAX = 4096
"""Far more than is written; what is larger is no owner."""

_FORMAT = 1
_WHAT = "owner of the store"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRecord:
    """A cluster that was restored from the store.

    Attributes:
        store_id: Random; the node ``/archive`` of the restored metadata has the same.
        number: Above those of all owners before.
        created_ms: When it was restored.
    """

    cluster_id: str
    store_id: str
    number: int
    created_ms: int


def encode_owner(owner: OwnerRecord) -> bytes:
    """Write the bytes of the object."""
    return seal_json(
        {
            "format": _FORMAT,
            "cluster_id": owner.cluster_id,
            "store_id": owner.store_id,
            "number": owner.number,
            "created_ms": owner.created_ms,
        }
    )


def decode_owner(content: bytes) -> OwnerRecord:
    """Read the bytes of the object.

    Raises:
        CorruptObjectError: They are not what `encode_owner` writes.
        UnsupportedFormatError: A later version wrote them.
    """
    fields = unseal_json(content, what=_WHAT, format_max=_FORMAT)
    try:
        return OwnerRecord(
            cluster_id=str(fields["cluster_id"]),
            store_id=str(fields["store_id"]),
            number=int(fields["number"]),
            created_ms=int(fields["created_ms"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptObjectError(_WHAT, f"{type(error).__name__}: {error}") from error
