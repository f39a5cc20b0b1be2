"""The bytes of a cut: one line of JSON with a checksum, compressed when it is large.

It is written in pieces, so that whoever writes it can do something else in between.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from everlog.format.cut import Cut, CutOffset, CutRoot, CutTopic
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import OFFSET_MAX, stamp_and_uid
from everlog.format.sealed_json import seal_body, unseal_json
from everlog.model.errors import RejectedError
from everlog.model.ids import NO_TOPIC_ID, NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset

PLAIN_BYTES_MAX = 64 << 10
"""A larger cut is compressed; a smaller one can be read without any tool."""

CUT_BYTES_MAX = 32 << 20
"""What is stored; the channel to the transfer process takes 64 MiB at a time."""

TEXT_BYTES_MAX = 256 << 20
"""The same before it is compressed: more than two million partitions and offsets."""

ROWS_PER_PIECE = 500
"""Roots or offsets that are written at once; less than a millisecond."""

_FORMAT = 1
_WHAT = "cut"
_GZIP_BITS = 31
_GZIP_LEVEL = 1
_GZIP_MAGIC = b"\x1f\x8b"
_FOR_ALL = "default"
_TOPIC_KEYS = frozenset({"name", "topic_id", "partitions", "config", "epoch", "is_tiered", "roots"})
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class CutTooLargeError(RejectedError):
    """A cut has more partitions and offsets than fit into one object."""


def cut_head(cut: Cut) -> bytes:
    """Write how a cut begins: what tells one from another that has the same content."""
    fields = {
        "format": _FORMAT,
        "cluster_id": cut.cluster_id,
        "owner": cut.owner,
        "created_ms": cut.created_ms,
    }
    return _text(fields).removesuffix("}").encode()


def cut_pieces(cut: Cut) -> Iterator[bytes]:
    """Write everything behind the head but the checksum, in small pieces."""
    settings = {_owner_text(owner): dict(config) for owner, config in cut.settings.items()}
    yield f',"settings":{_text(settings)},"topics":['.encode()
    for number, topic in enumerate(cut.topics):
        yield b"," if number else b""
        yield from _topic_pieces(topic)
    yield b'],"groups":{'
    for number, (group_id, topics) in enumerate(cut.groups.items()):
        yield f"{',' if number else ''}{_text(group_id)}:".encode()
        yield from _group_pieces(topics)
    yield b"}"


def seal_cut(body: bytes, *, text_bytes_max: int = TEXT_BYTES_MAX) -> bytes:
    """Return the bytes of the object; blocks for as long as compressing takes.

    Args:
        body: The head and all pieces.
        text_bytes_max: The most that they may be.

    Raises:
        CutTooLargeError: They are more than a cut may have.
    """
    plain = seal_body(body)
    if len(plain) <= PLAIN_BYTES_MAX:
        return plain
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    packed = packer.compress(plain) + packer.flush()
    if len(packed) > CUT_BYTES_MAX or len(plain) > text_bytes_max:
        raise CutTooLargeError(
            f"a cut of {len(plain)} bytes ({len(packed)} compressed) is too large: "
            f"{text_bytes_max} and {CUT_BYTES_MAX} are the most"
        )
    return packed


def decode_cut(content: bytes, *, cluster_id: str, text_bytes_max: int = TEXT_BYTES_MAX) -> Cut:
    """Read the bytes of the object that was found among the cuts of a cluster.

    Args:
        content: The bytes.
        cluster_id: Whose cut it has to be.
        text_bytes_max: What is unpacked at most.

    Raises:
        CorruptObjectError: They are not what `seal_cut` makes, or another cluster's.
        UnsupportedFormatError: A later version wrote them.
    """
    fields = unseal_json(_unpacked(content, text_bytes_max), what=_WHAT, format_max=_FORMAT)
    try:
        cut = _of_fields(fields)
    except (KeyError, TypeError, ValueError, AttributeError, RejectedError) as error:
        raise CorruptObjectError(_WHAT, f"{type(error).__name__}: {error}") from error
    if cut.cluster_id != cluster_id:
        raise CorruptObjectError(_WHAT, f"it is of cluster {cut.cluster_id}")
    return cut


def _text(value: object) -> str:
    return _ENCODER.encode(value)


def _topic_pieces(topic: CutTopic) -> Iterator[bytes]:
    fields = {
        **topic.extra,
        "name": topic.name,
        "topic_id": topic.topic_id.hex(),
        "partitions": topic.partitions,
        "config": dict(topic.config),
        "epoch": topic.epoch,
        "is_tiered": topic.is_tiered,
    }
    yield f'{_text(fields).removesuffix("}")},"roots":['.encode()
    yield from _row_pieces(topic.roots)
    yield b"]}"


def _group_pieces(topics: Mapping[TopicId, Sequence[CutOffset]]) -> Iterator[bytes]:
    if sum(map(len, topics.values())) <= ROWS_PER_PIECE:
        # There are many of these; the text is the same.
        yield _text({topic_id.hex(): rows for topic_id, rows in topics.items()}).encode()
        return
    for number, (topic_id, rows) in enumerate(topics.items()):
        yield f"{',' if number else '{'}{_text(topic_id.hex())}:[".encode()
        yield from _row_pieces(rows)
        yield b"]"
    yield b"}"


def _row_pieces(rows: Sequence[CutRoot] | Sequence[CutOffset]) -> Iterator[bytes]:
    for first in range(0, len(rows), ROWS_PER_PIECE):
        some = rows[first : first + ROWS_PER_PIECE]
        yield f"{',' if first else ''}{_text(some)[1:-1]}".encode()


def _owner_text(owner: NodeId | None) -> str:
    return _FOR_ALL if owner is None else str(owner)


def _unpacked(content: bytes, text_bytes_max: int) -> bytes:
    if not content.startswith(_GZIP_MAGIC):
        return content
    unpacker = zlib.decompressobj(_GZIP_BITS)
    try:
        plain = unpacker.decompress(content, text_bytes_max)
    except zlib.error as error:
        raise CorruptObjectError(_WHAT, str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise CorruptObjectError(_WHAT, "its compressed bytes are not whole, or too many")
    return plain


def _of_fields(fields: Mapping[str, Any]) -> Cut:
    return Cut(
        cluster_id=_string(fields["cluster_id"]),
        owner=_count(fields["owner"]),
        created_ms=_count(fields["created_ms"]),
        settings={
            None if owner == _FOR_ALL else NodeId(int(owner)): _strings(config)
            for owner, config in fields["settings"].items()
        },
        topics=[_topic(each) for each in fields["topics"]],
        groups={
            group_id: {
                _topic_id(topic_id): [_offset(*row) for row in rows]
                for topic_id, rows in topics.items()
            }
            for group_id, topics in fields["groups"].items()
        },
    )


def _topic(fields: Mapping[str, Any]) -> CutTopic:
    return CutTopic(
        name=TopicName(_string(fields["name"])),
        topic_id=_topic_id(fields["topic_id"]),
        partitions=_count(fields["partitions"]),
        config=_strings(fields["config"]),
        epoch=LeaderEpoch(_count(fields["epoch"])),
        is_tiered=bool(fields["is_tiered"]),
        roots=[_root(*row) for row in fields["roots"]],
        extra={key: value for key, value in fields.items() if key not in _TOPIC_KEYS},
    )


def _topic_id(text: str) -> TopicId:
    topic_id = TopicId(bytes.fromhex(text))
    if len(topic_id) != len(NO_TOPIC_ID):
        raise ValueError(f"a topic id of {len(topic_id)} bytes")
    return topic_id


def _root(partition: object, name: str, end: object) -> CutRoot:
    stamp_and_uid(name)
    return CutRoot(_count(partition), name, Offset(_count(end)))


def _offset(
    partition: object, offset: object, epoch: object, metadata: object, retention_ms: object
) -> CutOffset:
    return CutOffset(
        _count(partition),
        Offset(_count(offset)),
        None if epoch is None else LeaderEpoch(_count(epoch)),
        _string(metadata),
        None if retention_ms is None else _count(retention_ms),
    )


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= OFFSET_MAX:
        raise ValueError(f"{value!r} is no number of anything")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _strings(config: Mapping[str, object]) -> dict[str, str]:
    return {name: _string(value) for name, value in config.items()}
