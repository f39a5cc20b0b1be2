"""Which segment objects make up the log of a partition when only their names are left to tell.

Committed objects follow each other without a gap. Beside them there may be others: uploads that no
commit ever named, objects that have expired and are half deleted, and rewrites with what they
replace. Nothing is invented: what is chosen is contiguous, and all else is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from everlog.format.object_keys import SegmentKey, Stamp
from everlog.model.offsets import LeaderEpoch, Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFile:
    """A segment object by its name, and its size."""

    key: SegmentKey
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The log that objects make up.

    Attributes:
        chosen: Each begins where the one before it ends; none if there are no objects.
        left_out: All others, by their offsets.
    """

    chosen: Sequence[SegmentFile]
    left_out: Sequence[SegmentFile]

    @property
    def beyond(self) -> Sequence[SegmentFile]:
        """Those left out that hold offsets which the chosen ones do not reach."""
        if not self.chosen:
            return self.left_out
        start, end = self.chosen[0].key.offsets.start, self.chosen[-1].key.offsets.end
        return [
            each
            for each in self.left_out
            if each.key.offsets.start < start or each.key.offsets.end > end
        ]


@dataclass(frozen=True, slots=True)
class _Step:
    """The best object that begins at an offset, and what follows from taking it."""

    file: SegmentFile
    reach: Offset
    bytes: int


def cover(files: Iterable[SegmentFile]) -> Cover:
    """Choose the objects of a log.

    Of the runs that are left if there are gaps, the one with the most bytes is chosen: an upload
    that came to nothing is a few objects, and so is what deletion has not got to yet. Within it
    the objects that lead farthest are taken, and of two that lead equally far the newer one.
    """
    everything = list(files)
    possible = _without_stale(everything)
    best: dict[Offset, _Step] = {}
    for file in sorted(possible, key=lambda each: each.key.offsets.start, reverse=True):
        offsets = file.key.offsets
        after = best.get(offsets.end)
        reach, size = (offsets.end, 0) if after is None else (after.reach, after.bytes)
        step = _Step(file, reach, size + file.size)
        known = best.get(offsets.start)
        if known is None or _rank(step) > _rank(known):
            best[offsets.start] = step
    chosen = _run_with_most(best)
    taken = {each.key.uid for each in chosen}
    rest = [each for each in everything if each.key.uid not in taken]
    return Cover(chosen=chosen, left_out=sorted(rest, key=lambda each: each.key.offsets.start))


def _run_with_most(best: Mapping[Offset, _Step]) -> list[SegmentFile]:
    """Return the run that holds the most bytes, from its first offset on."""
    sizes: dict[Offset, int] = {}
    for step in best.values():
        sizes[step.reach] = max(sizes.get(step.reach, 0), step.bytes)
    if not sizes:
        return []
    end = max(sizes, key=lambda reach: (sizes[reach], reach))
    at = min(offset for offset, step in best.items() if step.reach == end)
    run: list[SegmentFile] = []
    while at < end:
        run.append(best[at].file)
        at = run[-1].key.offsets.end
    return run


def _rank(step: _Step) -> tuple[Offset, Stamp]:
    return step.reach, step.file.key.stamp


def _without_stale(files: Sequence[SegmentFile]) -> list[SegmentFile]:
    """Leave out what provably never became part of the log.

    An object is made for the next commit, and commits are counted. So when a later owner has made
    one for commit 7, the tier had six when it was claimed, and no earlier owner has committed
    anything that was made for the seventh.
    """
    first: dict[tuple[LeaderEpoch, int], int] = {}
    for each in files:
        stamp = each.key.stamp
        owner = stamp.epoch, stamp.claim
        first[owner] = min(first.get(owner, stamp.ver), stamp.ver)
    possible: list[SegmentFile] = []
    bounds: dict[tuple[LeaderEpoch, int], int | None] = {}
    least: int | None = None
    for owner in sorted(first, reverse=True):
        bounds[owner] = least
        least = first[owner] if least is None else min(least, first[owner])
    for each in files:
        stamp = each.key.stamp
        bound = bounds[stamp.epoch, stamp.claim]
        if bound is None or stamp.ver < bound:
            possible.append(each)
    return possible
