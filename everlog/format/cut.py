"""A cut: a cluster at one point in time, as far as the archive can bring it back.

The committed root of every partition, the offsets that groups have committed, the settings of
brokers, and of every topic its name and settings. Brokers write one now and then; a restore reads
it. Records of topics stay the word on a tiered topic: they are there without any cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from everlog.format.object_keys import Stamp, Uid, stamp_and_uid, uid_text
from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class CutRoot(NamedTuple):
    """The committed root of one partition; a tuple, since there may be a hundred thousand.

    Attributes:
        name: ``{epoch}-{claim}-{ver}-{uid}``, as in the name of its object.
        end: Where the tier ended.
    """

    partition: int
    name: str
    end: Offset

    @property
    def uid(self) -> Uid:
        """Of the object."""
        return stamp_and_uid(self.name)[1]


class CutOffset(NamedTuple):
    """How far a group had read in one partition.

    Attributes:
        leader_epoch: Of the last record that was read; None if the client did not say.
        metadata: What the client noted with it.
        retention_ms: How long it asked for it to be kept; None for the broker's setting.
    """

    partition: int
    offset: Offset
    leader_epoch: LeaderEpoch | None
    metadata: str
    retention_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CutTopic:
    """A topic as the metadata had it.

    Attributes:
        config: All of the topic's own settings.
        epoch: No partition had been in a later leader epoch.
        is_tiered: Whether it was, or had ever been: then the store has a record of it.
        roots: Of the partitions of which anything was archived, by number.
        extra: Keys written by a newer version; they are kept.
    """

    name: TopicName
    topic_id: TopicId
    partitions: int
    config: Mapping[str, str]
    epoch: LeaderEpoch
    is_tiered: bool
    roots: Sequence[CutRoot] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cluster at one point in time.

    Attributes:
        owner: Number of the owner of the store; 0 for the cluster's first.
        created_ms: By then everything in it was there.
        settings: Dynamic ones by broker; under None those for all.
        groups: By group and topic. Offsets in topics that do not exist any more are left out.
    """

    cluster_id: str
    owner: int
    created_ms: int
    settings: Mapping[NodeId | None, Mapping[str, str]]
    topics: Sequence[CutTopic]
    groups: Mapping[str, Mapping[TopicId, Sequence[CutOffset]]]

    @property
    def partitions(self) -> int:
        """How many partitions have a root in it."""
        return sum(len(topic.roots) for topic in self.topics)

    @property
    def offsets(self) -> int:
        """How many committed offsets are in it."""
        return sum(len(rows) for topics in self.groups.values() for rows in topics.values())


def root_name(stamp: Stamp, uid: Uid) -> str:
    """Return what a cut calls a root."""
    return f"{stamp.text}-{uid_text(uid)}"
