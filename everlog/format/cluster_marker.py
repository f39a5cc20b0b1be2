"""The object ``cluster.json``: by its store id a cluster tells its store from every other one.

It is JSON for people, written once and never changed. Whoever moves an archive moves it along.
"""

import json
from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError

MARKER_BYTES_MAX = 4096
"""Far more than is written; what is larger is no marker."""

_FORMAT = 1
_WHAT = "cluster.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMarker:
    """Whose archive a store has.

    Attributes:
        store_id: Random, given to the store when the cluster took it.
    """

    cluster_id: str
    store_id: str


def encode_marker(marker: ClusterMarker) -> bytes:
    """Write the bytes of the object."""
    fields = {"format": _FORMAT, "cluster_id": marker.cluster_id, "store_id": marker.store_id}
    return json.dumps(fields).encode() + b"\n"


def decode_marker(content: bytes) -> ClusterMarker:
    """Read the bytes of the object.

    Raises:
        CorruptObjectError: They are not what `encode_marker` writes.
        UnsupportedFormatError: A later version wrote them.
    """
    try:
        fields = json.loads(content)
        found = fields["format"]
        marker = ClusterMarker(cluster_id=fields["cluster_id"], store_id=fields["store_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObjectError(_WHAT, f"it is not the JSON of a marker ({error})") from error
    if not isinstance(found, int) or found > _FORMAT:
        raise UnsupportedFormatError(_WHAT, found, _FORMAT)
    return marker
