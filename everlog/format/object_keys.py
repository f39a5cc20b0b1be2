"""Names of the archive's objects, written and read back.

Below the store's own prefix, one partition has::

    {h4}/{cluster}/{topic id, 32 hex}/{partition:06d}/
        seg/{base:020d}-{end:020d}-{epoch:08x}-{claim:08x}-{ver:012d}-{uid26}.seg
        page/{first:020d}-{end:020d}-{uid26}.pg
        root/{epoch:08x}-{claim:08x}-{ver:012d}-{uid26}.root
        root/LATEST

and a cluster has one object that says whose store this is, ``meta/{cluster}/cluster.json``.

``h4``, the first four hex digits of a BLAKE2b-512, spreads partitions over the store's index; it
follows from the partition, so one LIST still finds everything that a partition has. A uid is
never used twice, so no name is ever contended for (TIER-18). Names keep to ``[0-9a-zA-Z/_.=-]``,
which every store takes (TIER-52).
"""

import re
from base64 import b32decode, b32encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import NewType

from everlog.model.errors import RejectedError
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

Uid = NewType("Uid", bytes)
"""Sixteen random bytes that name one attempt to write one object."""

UID_BYTES = 16
OFFSET_MAX = (1 << 63) - 1
EPOCH_MAX = (1 << 31) - 1
CLAIM_MAX = (1 << 32) - 1
VER_MAX = 10**12 - 1
PARTITION_MAX = (1 << 31) - 1

LATEST = "root/LATEST"

_TOPIC_ID_BYTES = 16
_CLUSTER_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_KEY = re.compile(r"([0-9a-f]{4})/([^/]+)/([0-9a-f]{32})/([0-9]{6,10})/(.+)")
_STAMP = r"([0-9a-f]{8})-([0-9a-f]{8})-([0-9]{12})"
_OFFSETS = r"([0-9]{20})-([0-9]{20})"
_UID = r"([a-z2-7]{26})"
_SEGMENT = re.compile(rf"seg/{_OFFSETS}-{_STAMP}-{_UID}\.seg")
_PAGE = re.compile(rf"page/{_OFFSETS}-{_UID}\.pg")
_ROOT = re.compile(rf"root/{_STAMP}-{_UID}\.root")


class InvalidKeyError(RejectedError):
    """A part of a key is outside what keys can hold."""


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When, in the order of the tier's authority, something was made; the greatest is newest.

    Attributes:
        epoch: Leader epoch of whoever made it.
        claim: Number of the claim under which it was made; every start makes a new one.
        ver: Number of the commit for which it was made.
    """

    epoch: LeaderEpoch
    claim: int
    ver: int

    def __post_init__(self) -> None:
        _check("epoch", self.epoch, EPOCH_MAX)
        _check("claim", self.claim, CLAIM_MAX)
        _check("ver", self.ver, VER_MAX)

    @property
    def text(self) -> str:
        """As keys have it; texts sort as stamps do."""
        return f"{self.epoch:08x}-{self.claim:08x}-{self.ver:012d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionPath:
    """Whose objects they are: a partition of a topic, by id, of a cluster."""

    cluster_id: str
    topic_id: TopicId
    partition: int

    def __post_init__(self) -> None:
        _check_cluster_id(self.cluster_id)
        if len(self.topic_id) != _TOPIC_ID_BYTES:
            raise InvalidKeyError(f"a topic id has 16 bytes, not {len(self.topic_id)}")
        _check("partition", self.partition, PARTITION_MAX)

    @property
    def prefix(self) -> str:
        """What the key of each of its objects begins with, the last slash included."""
        spread = blake2b(self.topic_id + self.partition.to_bytes(4, "little")).hexdigest()[:4]
        return f"{spread}/{self.cluster_id}/{self.topic_id.hex()}/{self.partition:06d}/"

    @property
    def segments(self) -> str:
        """Prefix of its segment objects; their keys sort by base offset."""
        return f"{self.prefix}seg/"

    @property
    def pages(self) -> str:
        """Prefix of its manifest pages."""
        return f"{self.prefix}page/"

    @property
    def roots(self) -> str:
        """Prefix of its manifest roots, and of the hint; the last key but that is the newest."""
        return f"{self.prefix}root/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentKey:
    """Name of a segment object: which offsets it holds, and who made it when."""

    path: PartitionPath
    offsets: OffsetRange
    stamp: Stamp
    uid: Uid

    def __post_init__(self) -> None:
        _check_offsets(self.offsets)
        _check_uid(self.uid)

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        name = f"{_offsets_text(self.offsets)}-{self.stamp.text}-{uid_text(self.uid)}.seg"
        return f"{self.path.segments}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey:
    """Name of a manifest page, with the offsets that its rows cover."""

    path: PartitionPath
    offsets: OffsetRange
    uid: Uid

    def __post_init__(self) -> None:
        _check_offsets(self.offsets)
        _check_uid(self.uid)

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        return f"{self.path.pages}{_offsets_text(self.offsets)}-{uid_text(self.uid)}.pg"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """Name of a manifest root."""

    path: PartitionPath
    stamp: Stamp
    uid: Uid

    def __post_init__(self) -> None:
        _check_uid(self.uid)

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        return f"{self.path.roots}{self.stamp.text}-{uid_text(self.uid)}.root"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestKey:
    """Name of the one object that is overwritten: a hint where the newest root is."""

    path: PartitionPath

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        return f"{self.path.prefix}{LATEST}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKey:
    """Name of the object by which a cluster knows its store; to partitions it is a foreign one."""

    cluster_id: str

    def __post_init__(self) -> None:
        _check_cluster_id(self.cluster_id)

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        return f"meta/{self.cluster_id}/cluster.json"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A name that Everlog did not write, and why it is none of ours; leave such objects alone."""

    text: str
    reason: str


ArchiveKey = SegmentKey | PageKey | RootKey | LatestKey
"""Names of a partition's objects."""


def parse_key(text: str) -> ArchiveKey | ForeignKey:
    """Read a key, without the store's prefix; its ``text`` gives it back unchanged."""
    try:
        key = _parsed(text)
    except InvalidKeyError as error:
        return ForeignKey(text, str(error))
    if key is None:
        return ForeignKey(text, "no name of this shape is written")
    if key.text != text:
        return ForeignKey(text, f"the name would be {key.text}")
    return key


def uid_text(uid: Uid) -> str:
    """Write a uid as keys have it: 26 characters of lower-case base32 (RFC 4648), no padding."""
    return b32encode(uid).decode("ascii").rstrip("=").lower()


def uid_bytes(text: str) -> Uid:
    """Read what `uid_text` wrote.

    Raises:
        InvalidKeyError: The text is not one that `uid_text` writes.
    """
    if not re.fullmatch(_UID, text):
        raise InvalidKeyError(f"{text!r} is not a uid")
    uid = Uid(b32decode(text.upper() + "======"))
    if uid_text(uid) != text:
        # 26 characters hold two bits more than 16 bytes; a second spelling would be a second name.
        raise InvalidKeyError(f"{text!r} is not the spelling of a uid")
    return uid


def stamp_and_uid(text: str) -> tuple[Stamp, Uid]:
    """Read ``{epoch}-{claim}-{ver}-{uid26}``, as names of roots and the pointer have it.

    Raises:
        InvalidKeyError: The text is something else.
    """
    match = re.fullmatch(f"{_STAMP}-{_UID}", text)
    if not match:
        raise InvalidKeyError(f"{text!r} does not name a root")
    epoch, claim, ver, uid = match.groups()
    return _stamp(epoch, claim, ver), uid_bytes(uid)


def _parsed(text: str) -> ArchiveKey | None:
    whole = _KEY.fullmatch(text)
    if not whole:
        return None
    _, cluster_id, topic_id, partition, name = whole.groups()
    path = PartitionPath(
        cluster_id=cluster_id,
        topic_id=TopicId(bytes.fromhex(topic_id)),
        partition=int(partition),
    )
    if name == LATEST:
        return LatestKey(path=path)
    if match := _SEGMENT.fullmatch(name):
        base, end, epoch, claim, ver, uid = match.groups()
        return SegmentKey(
            path=path,
            offsets=_offset_range(base, end),
            stamp=_stamp(epoch, claim, ver),
            uid=uid_bytes(uid),
        )
    if match := _PAGE.fullmatch(name):
        first, end, uid = match.groups()
        return PageKey(path=path, offsets=_offset_range(first, end), uid=uid_bytes(uid))
    if match := _ROOT.fullmatch(name):
        epoch, claim, ver, uid = match.groups()
        return RootKey(path=path, stamp=_stamp(epoch, claim, ver), uid=uid_bytes(uid))
    return None


def _offset_range(start: str, end: str) -> OffsetRange:
    if int(start) >= int(end):
        raise InvalidKeyError(f"offsets {start} to {end} are no range")
    return OffsetRange(Offset(int(start)), Offset(int(end)))


def _stamp(epoch: str, claim: str, ver: str) -> Stamp:
    return Stamp(LeaderEpoch(int(epoch, 16)), int(claim, 16), int(ver))


def _offsets_text(offsets: OffsetRange) -> str:
    return f"{offsets.start:020d}-{offsets.end:020d}"


def _check_cluster_id(cluster_id: str) -> None:
    if not _CLUSTER_ID.fullmatch(cluster_id):
        raise InvalidKeyError(f"cluster id {cluster_id!r} is not [0-9A-Za-z_-]{{1,64}}")


def _check_offsets(offsets: OffsetRange) -> None:
    if offsets.start == offsets.end:
        raise InvalidKeyError(f"an object without offsets, at {offsets.start}, has no name")
    _check("end offset", offsets.end, OFFSET_MAX)


def _check_uid(uid: Uid) -> None:
    if len(uid) != UID_BYTES:
        raise InvalidKeyError(f"a uid has {UID_BYTES} bytes, not {len(uid)}")


def _check(name: str, value: int, greatest: int) -> None:
    if not 0 <= value <= greatest:
        raise InvalidKeyError(f"{name} {value} is outside 0 to {greatest}")
