"""What coordinators of groups hand in for a cut of the cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everlog.format.cut import CutOffset
from everlog.model.ids import TopicName


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedOffsets:
    """The committed offsets of some groups.

    Attributes:
        partitions: Those of the offsets topic whose groups are all in it.
        groups: By group id and topic; groups without offsets are left out.
    """

    partitions: frozenset[int]
    groups: Mapping[str, Mapping[TopicName, Sequence[CutOffset]]]
