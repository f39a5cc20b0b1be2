"""The pointer of a partition's tier: the one small value that decides, in the metadata store.

It moves by versioned compare-and-set only. Each start and each leadership claims it, which fences
whoever held it before; each commit makes it name the next root. The value is JSON for people, in
one spelling, with a checksum at its end. ``root/LATEST`` in the bucket holds the same bytes as a
hint for those who have nothing but the bucket.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.object_keys import (
    CLAIM_MAX,
    EPOCH_MAX,
    OFFSET_MAX,
    VER_MAX,
    InvalidKeyError,
    Stamp,
    stamp_and_uid,
    uid_text,
)
from everlog.format.root import SHA256_BYTES, Root, RootRef
from everlog.model.errors import FencedError
from everlog.model.offsets import LeaderEpoch, Offset

POINTER_BYTES_MAX = 512
"""A hundred thousand partitions then cost the metadata store 50 MB."""

_FORMAT = 1
_WHAT = "tier pointer"
_TAIL = re.compile(rb'(\{"fmt":([1-9][0-9]{0,3}),.*),"crc32c":"([0-9a-f]{8})"\}', re.DOTALL)
_INT64_MAX = (1 << 63) - 1


class StaleEpochError(FencedError):
    """The tier was claimed in a later leader epoch than the caller's."""

    def __init__(self, *, epoch: int, claimed_epoch: int) -> None:
        super().__init__(f"epoch {epoch} is over: the tier is claimed in {claimed_epoch}")
        self.epoch = epoch
        self.claimed_epoch = claimed_epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """Where the tier of a partition stands.

    Attributes:
        stamp: Epoch and claim of its owner, and the number of the last commit; the greater of two
            pointers is the newer.
        root: The committed root; None before the first commit. It keeps the stamp under which it
            was written when the pointer is claimed again.
        tiered_end_epoch: Leader epoch of the last offset below ``tiered_end``; None before the
            first commit.
        bytes: Of all live objects.
        max_timestamp: No live record has a greater one, in ms; None when nothing is live.
    """

    stamp: Stamp
    root: RootRef | None
    tiered_start: Offset
    tiered_end: Offset
    tiered_end_epoch: LeaderEpoch | None
    bytes: int
    max_timestamp: int | None


def unclaimed(start: Offset) -> Pointer:
    """Return the pointer with which a partition's tier begins, at ``start``."""
    return Pointer(
        stamp=Stamp(LeaderEpoch(0), 0, 0),
        root=None,
        tiered_start=start,
        tiered_end=start,
        tiered_end_epoch=None,
        bytes=0,
        max_timestamp=None,
    )


def claimed(pointer: Pointer, *, epoch: LeaderEpoch) -> Pointer:
    """Return the pointer as the leader of ``epoch`` takes it over, again at every start.

    Raises:
        StaleEpochError: A later leader has claimed it.
    """
    stamp = pointer.stamp
    if epoch < stamp.epoch:
        raise StaleEpochError(epoch=epoch, claimed_epoch=stamp.epoch)
    return replace(pointer, stamp=Stamp(epoch, stamp.claim + 1, stamp.ver))


def committed(pointer: Pointer, root: Root, ref: RootRef) -> Pointer:
    """Return the pointer that names ``root``, stored as ``ref``, as the successor of its root."""
    assert (ref.stamp, ref.uid) == (root.stamp, root.uid), "the reference is another root's"
    after = pointer.stamp
    assert root.stamp == Stamp(after.epoch, after.claim, after.ver + 1), "not under this claim"
    assert root.previous == pointer.root, "the root does not follow the committed one"
    assert root.tiered_start >= pointer.tiered_start, "the start of the tier went back"
    assert root.tiered_end >= pointer.tiered_end, "the end of the tier went back"
    return pointer_to(root, ref)


def pointer_to(root: Root, ref: RootRef, *, owner: Stamp | None = None) -> Pointer:
    """Return a pointer to a root, for a commit or for a restore from the bucket.

    Args:
        root: What it names.
        ref: As it was stored.
        owner: For a restore: an epoch and a claim above all that were ever seen, and the root's
            own ``ver``.
    """
    assert owner is None or owner.ver == root.stamp.ver, "a restore makes no commit"
    return Pointer(
        stamp=owner or root.stamp,
        root=ref,
        tiered_start=root.tiered_start,
        tiered_end=root.tiered_end,
        tiered_end_epoch=root.tiered_end_epoch,
        bytes=root.totals.bytes,
        max_timestamp=root.max_timestamp,
    )


def encode_pointer(pointer: Pointer) -> bytes:
    """Write a pointer down, in at most `POINTER_BYTES_MAX` bytes; equal ones give equal bytes."""
    root = pointer.root
    fields = {
        "fmt": _FORMAT,
        "epoch": pointer.stamp.epoch,
        "claim": pointer.stamp.claim,
        "ver": pointer.stamp.ver,
        "root": f"{root.stamp.text}-{uid_text(root.uid)}" if root else None,
        "sha256": root.sha256.hex() if root else None,
        "tiered_start": pointer.tiered_start,
        "tiered_end": pointer.tiered_end,
        "tiered_end_epoch": pointer.tiered_end_epoch,
        "bytes": pointer.bytes,
        "max_ts": pointer.max_timestamp,
    }
    body = json.dumps(fields, separators=(",", ":")).removesuffix("}").encode("ascii")
    payload = b'%s,"crc32c":"%08x"}' % (body, crc32c(body))
    assert len(payload) <= POINTER_BYTES_MAX, f"a pointer of {len(payload)} bytes"
    return payload


def decode_pointer(payload: bytes) -> Pointer:
    """Read what `encode_pointer` wrote, and nothing else.

    Raises:
        CorruptObjectError: It is something else.
        UnsupportedFormatError: A newer Everlog wrote it.
    """
    frame = _TAIL.fullmatch(payload) if len(payload) <= POINTER_BYTES_MAX else None
    if not frame or crc32c(frame[1]) != int(frame[3], 16):
        raise CorruptObjectError(_WHAT, "it is no pointer with a matching checksum")
    if int(frame[2]) > _FORMAT:
        raise UnsupportedFormatError(_WHAT, int(frame[2]), _FORMAT)
    try:
        pointer = _of_fields(json.loads(payload))
    except (ValueError, KeyError, InvalidKeyError) as error:
        raise CorruptObjectError(_WHAT, f"{type(error).__name__}: {error}") from error
    if encode_pointer(pointer) != payload:
        raise CorruptObjectError(_WHAT, "it is not spelled as Everlog spells pointers")
    if fault := _fault(pointer):
        raise CorruptObjectError(_WHAT, fault)
    return pointer


def _of_fields(fields: dict[str, Any]) -> Pointer:
    end_epoch = _number(fields, "tiered_end_epoch", 0, EPOCH_MAX)
    return Pointer(
        stamp=Stamp(
            LeaderEpoch(_count(fields, "epoch", EPOCH_MAX)),
            _count(fields, "claim", CLAIM_MAX),
            _count(fields, "ver", VER_MAX),
        ),
        root=_root_ref(fields["root"], fields["sha256"]),
        tiered_start=Offset(_count(fields, "tiered_start", OFFSET_MAX)),
        tiered_end=Offset(_count(fields, "tiered_end", OFFSET_MAX)),
        tiered_end_epoch=None if end_epoch is None else LeaderEpoch(end_epoch),
        bytes=_count(fields, "bytes", _INT64_MAX),
        max_timestamp=_number(fields, "max_ts", -_INT64_MAX - 1, _INT64_MAX),
    )


def _root_ref(name: object, digest: object) -> RootRef | None:
    if name is None and digest is None:
        return None
    if not isinstance(name, str) or not isinstance(digest, str):
        raise ValueError("it names half a root")  # noqa: TRY004 - translated by the caller
    stamp, uid = stamp_and_uid(name)
    return RootRef(stamp=stamp, uid=uid, sha256=bytes.fromhex(digest))


def _count(fields: dict[str, Any], name: str, greatest: int) -> int:
    number = _number(fields, name, 0, greatest)
    if number is None:
        raise ValueError(f"{name} is missing")
    return number


def _number(fields: dict[str, Any], name: str, least: int, greatest: int) -> int | None:
    value = fields[name]
    if value is None:
        return None
    if type(value) is not int or not least <= value <= greatest:
        raise ValueError(f"{name} is {value!r}")
    return value


def _fault(pointer: Pointer) -> str | None:
    root, stamp = pointer.root, pointer.stamp
    if pointer.tiered_start > pointer.tiered_end:
        return f"the tier starts at {pointer.tiered_start} and ends at {pointer.tiered_end}"
    if (root is None) != (stamp.ver == 0):
        return f"commit {stamp.ver} and its root disagree"
    if root and (root.stamp > stamp or root.stamp.ver != stamp.ver):
        return f"the root of {root.stamp.text} is not that of commit {stamp.ver}"
    if root and len(root.sha256) != SHA256_BYTES:
        return f"a SHA-256 of {len(root.sha256)} bytes"
    return None
