"""The frames that both files of the tree are made of, and the two texts that they hold.

```
frame     = magic "EvM1" | length u32 | crc32c of the payload u32 | payload, UTF-8 JSON
log       = frame*                                        one frame for each synced group
  payload = {"format":1,"transactions":[[zxid, session, [op*]]*]}
  op      = ["c", path, data, ephemeral] | ["s", path, data, version] | ["d", path, version]
snapshot  = head frame, node frame*
  head    = {"format":1,"zxid":Z,"nodes":N}
  nodes   = [[path, data, version, czxid, mzxid, owner or null, children made]*]
data      = the node's bytes, each as the character of that number (Latin-1)
```
Integers are big-endian. A frame of the log is written only after the one before it has been
synced. So after a crash the last frame alone can be torn, and whatever is wrong before a whole
frame was damaged later.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from crc32c import crc32c

from everlog.model.errors import CorruptionError, RejectedError
from service.coordination.embedded.tree import Node, Snapshot, Transaction
from service.coordination.metadata_store import Create, Delete, Set

FORMAT = 1
MAGIC = b"EvM1"
NODES_PER_FRAME = 512
"""Keeps one call of the JSON encoder, which holds the interpreter lock, near a millisecond."""

_HEADER = struct.Struct(">4sII")


def encode_frame(payload: bytes) -> bytes:
    """Wrap a payload."""
    return _HEADER.pack(MAGIC, len(payload), crc32c(payload)) + payload


def frame_at(content: bytes, position: int) -> bytes | None:
    """Return the payload of the frame at ``position``, or None if no sound one is there."""
    start = position + _HEADER.size
    if start > len(content):
        return None
    magic, length, crc = _HEADER.unpack_from(content, position)
    payload = content[start : start + length]
    if magic != MAGIC or len(payload) != length or crc32c(payload) != crc:
        return None
    return payload


def split_log(content: bytes) -> tuple[list[bytes], int]:
    """Return the payloads of a log and the position behind the last; what follows is a torn tail.

    Raises:
        CorruptionError: A whole frame follows a damaged one, so this is no torn tail.
    """
    payloads: list[bytes] = []
    end = 0
    while (payload := frame_at(content, end)) is not None:
        payloads.append(payload)
        end += _HEADER.size + len(payload)
    later = content.find(MAGIC, end + 1)
    while later >= 0:
        if frame_at(content, later) is not None:
            raise CorruptionError(
                f"damaged at byte {end}, with sound transactions from byte {later} on"
            )
        later = content.find(MAGIC, later + 1)
    return payloads, end


def encode_transactions(transactions: Iterable[Transaction]) -> bytes:
    """Write one group of the log as a frame."""
    rows = [[t.zxid, t.session, [_encode_op(op) for op in t.ops]] for t in transactions]
    return encode_frame(_json({"format": FORMAT, "transactions": rows}))


def decode_transactions(payload: bytes) -> Iterator[Transaction]:
    """Read what `encode_transactions` wrote."""
    group = json.loads(payload)
    _check_format(group)
    for zxid, session, ops in group["transactions"]:
        yield Transaction(zxid=zxid, session=session, ops=tuple(map(_decode_op, ops)))


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Write all nodes as frames."""
    head = {"format": FORMAT, "zxid": snapshot.zxid, "nodes": len(snapshot.nodes)}
    frames = [encode_frame(_json(head))]
    nodes = iter(snapshot.nodes.items())
    while part := list(islice(nodes, NODES_PER_FRAME)):
        frames.append(encode_frame(_json([_encode_node(path, node) for path, node in part])))
    return b"".join(frames)


def decode_snapshot(content: bytes) -> Snapshot:
    """Read what `encode_snapshot` wrote.

    Raises:
        CorruptionError: It is not whole, which no crash explains: it was written in one step.
    """
    payloads, end = split_log(content)
    if not payloads or end != len(content):
        raise CorruptionError(f"damaged at byte {end}")
    head = json.loads(payloads[0])
    _check_format(head)
    nodes = {
        row[0]: Node(row[1].encode("latin-1"), *row[2:])
        for payload in payloads[1:]
        for row in json.loads(payload)
    }
    if len(nodes) != head["nodes"]:
        raise CorruptionError(f"holds {len(nodes)} nodes instead of {head['nodes']}")
    return Snapshot(head["zxid"], nodes)


def _encode_node(path: str, node: Node) -> Sequence[object]:
    data = node.data.decode("latin-1")
    return (path, data, node.version, node.czxid, node.mzxid, node.owner, node.children_made)


def _encode_op(op: Create | Set | Delete) -> Sequence[object]:
    match op:
        case Create():
            return ("c", op.path, op.data.decode("latin-1"), op.ephemeral)
        case Set():
            return ("s", op.path, op.data.decode("latin-1"), op.version)
        case Delete():
            return ("d", op.path, op.version)


def _decode_op(row: Sequence[Any]) -> Create | Set | Delete:
    match row:
        case ["c", path, data, ephemeral]:
            return Create(path, data.encode("latin-1"), ephemeral)
        case ["s", path, data, version]:
            return Set(path, data.encode("latin-1"), version)
        case ["d", path, version]:
            return Delete(path, version)
        case _:
            raise CorruptionError(f"unknown operation {row[:2]}")


def _check_format(head: Any) -> None:
    if head["format"] != FORMAT:
        raise RejectedError(
            f"the metadata has format {head['format']}, and this version reads {FORMAT}: "
            "start the version that wrote it, or a newer one"
        )


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
