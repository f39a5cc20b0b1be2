"""Names of the objects that a cluster has besides those of its partitions, below ``meta/``.

::

    meta/{cluster}/cluster.json                                           whose store it is
    meta/{cluster}/owner-{number:06d}-{uid26}.json                        who has it since a restore
    meta/{cluster}/topics/{topic id, 32 hex}/{owner:06d}-{version:010d}-{uid26}.json   a topic
    meta/{cluster}/topics/{topic id, 32 hex}/deleted-{owner:06d}-{uid26}.json         it was deleted
    meta/{cluster}/cuts/{created ms:013d}-{owner:06d}-{uid26}.json[.gz]   the cluster at a time

All of them are written once. The greatest owner counts, and the greatest record of a topic; that a
topic was deleted counts unless a later owner has a record of it.
"""

import re
from dataclasses import dataclass

from everlog.format.object_keys import (
    ClusterKey,
    ForeignKey,
    InvalidKeyError,
    Uid,
    uid_bytes,
    uid_text,
)
from everlog.model.ids import TopicId

META = "meta/"
"""Everything that is no partition's is below it; no ``h4`` begins like this."""

OWNER_MAX = 10**6 - 1
VERSION_MAX = 10**10 - 1
CREATED_MS_MAX = 10**13 - 1

_CLUSTER = re.compile(r"meta/([^/]+)/cluster\.json")
_OWNER = re.compile(r"meta/([^/]+)/owner-([0-9]{6})-([a-z2-7]{26})\.json")
_TOPIC = re.compile(
    r"meta/([^/]+)/topics/([0-9a-f]{32})/([0-9]{6})-([0-9]{10})-([a-z2-7]{26})\.json"
)
_DELETED = re.compile(
    r"meta/([^/]+)/topics/([0-9a-f]{32})/deleted-(?:([0-9]{6})-)?([a-z2-7]{26})\.json"
)
_CUT = re.compile(r"meta/([^/]+)/cuts/([0-9]{13})-([0-9]{6})-([a-z2-7]{26})\.json(\.gz)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerKey:
    """Name of the object by which a restored cluster has taken the store over."""

    cluster_id: str
    number: int
    uid: Uid

    def __post_init__(self) -> None:
        if not 0 < self.number <= OWNER_MAX:
            raise InvalidKeyError(f"owner {self.number} is outside 1 to {OWNER_MAX}")

    @property
    def order(self) -> tuple[int, Uid]:
        """The owner with the greatest one has the store, whatever it holds of older ones."""
        return self.number, self.uid

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        name = f"owner-{self.number:06d}-{uid_text(self.uid)}.json"
        return f"{cluster_prefix(self.cluster_id)}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRecordKey:
    """Name of what was known of a topic.

    Attributes:
        owner: Number of the owner whose metadata it is from; 0 for the cluster's first.
        version: Of the topic in that metadata; only ever rises there.
    """

    cluster_id: str
    topic_id: TopicId
    owner: int
    version: int
    uid: Uid

    def __post_init__(self) -> None:
        if not 0 <= self.owner <= OWNER_MAX or not 0 <= self.version <= VERSION_MAX:
            raise InvalidKeyError(f"version {self.version} of owner {self.owner} has no name")

    @property
    def order(self) -> tuple[int, int, Uid]:
        """The record with the greatest one is the newest."""
        return self.owner, self.version, self.uid

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        name = f"{self.owner:06d}-{self.version:010d}-{uid_text(self.uid)}.json"
        return f"{topic_prefix(self.cluster_id, self.topic_id)}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedTopicKey:
    """Name of the object that tells that a topic was deleted, and its objects may be half gone.

    Attributes:
        named_owner: Number of the owner that deleted it; None in names from before it was in them.
    """

    cluster_id: str
    topic_id: TopicId
    named_owner: int | None
    uid: Uid

    def __post_init__(self) -> None:
        if not 0 <= self.owner <= OWNER_MAX:
            raise InvalidKeyError(f"owner {self.owner} is outside 0 to {OWNER_MAX}")

    @property
    def owner(self) -> int:
        """Number of the owner that deleted it, the lowest there is if the name does not tell."""
        return self.named_owner or 0

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        owner = "" if self.named_owner is None else f"{self.named_owner:06d}-"
        name = f"deleted-{owner}{uid_text(self.uid)}.json"
        return f"{topic_prefix(self.cluster_id, self.topic_id)}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutKey:
    """Name of a cut.

    Attributes:
        created_ms: By then everything that it names was there.
        owner: Number of the owner who made it; 0 for the cluster's first.
        is_packed: Whether it is compressed.
    """

    cluster_id: str
    created_ms: int
    owner: int
    uid: Uid
    is_packed: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.created_ms <= CREATED_MS_MAX or not 0 <= self.owner <= OWNER_MAX:
            raise InvalidKeyError(f"a cut of owner {self.owner} at {self.created_ms} has no name")

    @property
    def order(self) -> tuple[int, int, Uid]:
        """The cut with the greatest one is the newest.

        Owners first: what one has done before it found out about its successor does not count.
        """
        return self.owner, self.created_ms, self.uid

    @property
    def text(self) -> str:
        """The key, without the store's prefix."""
        name = f"{self.created_ms:013d}-{self.owner:06d}-{uid_text(self.uid)}.json"
        return f"{cuts_prefix(self.cluster_id)}{name}{'.gz' if self.is_packed else ''}"


MetaKey = ClusterKey | OwnerKey | TopicRecordKey | DeletedTopicKey | CutKey
"""Names of a cluster's own objects."""


def cluster_prefix(cluster_id: str) -> str:
    """Return what the names of a cluster's own objects begin with."""
    return ClusterKey(cluster_id=cluster_id).text.removesuffix("cluster.json")


def owners_prefix(cluster_id: str) -> str:
    """Return what the names of a cluster's owners begin with."""
    return f"{cluster_prefix(cluster_id)}owner-"


def cuts_prefix(cluster_id: str) -> str:
    """Return what the names of a cluster's cuts begin with."""
    return f"{cluster_prefix(cluster_id)}cuts/"


def topics_prefix(cluster_id: str) -> str:
    """Return what the names of all that is known of topics begin with."""
    return f"{cluster_prefix(cluster_id)}topics/"


def topic_prefix(cluster_id: str, topic_id: TopicId) -> str:
    """Return what the names of all that is known of one topic begin with."""
    return f"{topics_prefix(cluster_id)}{topic_id.hex()}/"


def parse_meta_key(text: str) -> MetaKey | ForeignKey:
    """Read a key below `META`, without the store's prefix; its ``text`` gives it back unchanged."""
    try:
        key = _parsed(text)
    except InvalidKeyError as error:
        return ForeignKey(text, str(error))
    if key is None:
        return ForeignKey(text, "no name of this shape is written")
    if key.text != text:
        return ForeignKey(text, f"the name would be {key.text}")
    return key


def _parsed(text: str) -> MetaKey | None:
    if match := _CLUSTER.fullmatch(text):
        return ClusterKey(cluster_id=match[1])
    if match := _OWNER.fullmatch(text):
        return OwnerKey(cluster_id=match[1], number=int(match[2]), uid=uid_bytes(match[3]))
    if match := _CUT.fullmatch(text):
        return CutKey(
            cluster_id=match[1],
            created_ms=int(match[2]),
            owner=int(match[3]),
            uid=uid_bytes(match[4]),
            is_packed=match[5] is not None,
        )
    if match := _TOPIC.fullmatch(text):
        return TopicRecordKey(
            cluster_id=match[1],
            topic_id=TopicId(bytes.fromhex(match[2])),
            owner=int(match[3]),
            version=int(match[4]),
            uid=uid_bytes(match[5]),
        )
    if match := _DELETED.fullmatch(text):
        return DeletedTopicKey(
            cluster_id=match[1],
            topic_id=TopicId(bytes.fromhex(match[2])),
            named_owner=None if match[3] is None else int(match[3]),
            uid=uid_bytes(match[4]),
        )
    return None
