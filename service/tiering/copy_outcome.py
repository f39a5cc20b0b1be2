"""What a copy of an archive has done, and what it could not do."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from everlog.format.object_keys import PartitionPath, RootKey
from everlog.model.storage_class import StorageClass

PROBLEMS_MAX = 1000
"""Problems of one partition that are kept; all are counted."""


@dataclass(frozen=True, slots=True)
class CopyProblem:
    """An object that the copy does not have as it should, and what to do about it."""

    key: str
    reason: str


@dataclass(slots=True, kw_only=True)
class CopyCounts:
    """What a copy has done so far, over all partitions.

    Attributes:
        found_bytes: Of the objects that the roots name, as far as they were read.
        kept_objects: That were in the copy already.
        puts: Requests that have written.
        gets: Requests that have read an object.
        class_bytes: Of the same objects as `found_bytes`, by the class that they should be in.
    """

    found_bytes: int = 0
    objects: int = 0
    bytes: int = 0
    kept_objects: int = 0
    kept_bytes: int = 0
    roots: int = 0
    puts: int = 0
    gets: int = 0
    class_bytes: Counter[StorageClass] = field(default_factory=Counter)


OnCount = Callable[[CopyCounts], None]
"""Told after each object."""


@dataclass(slots=True, kw_only=True)
class PartitionCopy:
    """What became of one partition.

    Attributes:
        root: The newest of the source; None without any.
        created_ms: When that was made.
        problems: The first `PROBLEMS_MAX` of them.
    """

    path: PartitionPath
    root: RootKey | None = None
    created_ms: int | None = None
    problems: list[CopyProblem] = field(default_factory=list)
    problem_count: int = 0

    def add(self, key: str, reason: str) -> None:
        """Take note of a problem."""
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(CopyProblem(key, reason))
