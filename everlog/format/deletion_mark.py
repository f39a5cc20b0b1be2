"""What the archive holds of a topic that was deleted, so that a restore passes it over."""

from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError
from everlog.format.sealed_json import seal_json, unseal_json
from everlog.model.ids import TopicId

MARK_BYTES_MAX = 1 << 16
"""Far more than a mark takes."""

_FORMAT = 1
_WHAT = "deletion mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionMark:
    """A topic was deleted.

    Attributes:
        deleted_ms: Wall time of the deletion.
        goes_ms: Before this time none of its objects goes; None in marks of older versions, whose
            objects may have gone at once.
        version: The topic's last; a record of a later one tells that it was brought back. None in
            marks of older versions, which bring nothing back.
    """

    topic_id: TopicId
    deleted_ms: int
    goes_ms: int | None
    version: int | None


def encode_deletion_mark(mark: DeletionMark) -> bytes:
    """Write the bytes of the object."""
    return seal_json(
        {
            "format": _FORMAT,
            "topic_id": mark.topic_id.hex(),
            "deleted_ms": mark.deleted_ms,
            "goes_ms": mark.goes_ms,
            "version": mark.version,
        }
    )


def decode_deletion_mark(content: bytes, *, topic_id: TopicId) -> DeletionMark:
    """Read the bytes of the object that was found below the topic's name.

    Raises:
        CorruptObjectError: They are not what `encode_deletion_mark` writes, or another topic's.
        UnsupportedFormatError: A later version wrote them.
    """
    fields = unseal_json(content, what=_WHAT, format_max=_FORMAT)
    if fields.get("topic_id") != topic_id.hex():
        raise CorruptObjectError(_WHAT, f"it is about topic {fields.get('topic_id')}")
    deleted_ms, goes_ms = fields.get("deleted_ms"), fields.get("goes_ms")
    version = fields.get("version")
    if type(deleted_ms) is not int or not (_is_number(goes_ms) and _is_number(version)):
        raise CorruptObjectError(_WHAT, "its times or its version are none")
    return DeletionMark(topic_id=topic_id, deleted_ms=deleted_ms, goes_ms=goes_ms, version=version)


def _is_number(value: object) -> bool:
    return value is None or type(value) is int
