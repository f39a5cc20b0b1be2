"""Which objects a partition uploads next: its segments, handed to the planner."""

from dataclasses import replace

from everlog.model.offsets import Offset
from service.hot.boundaries import boundary_below
from service.hot.layout import PRODUCERS_SUFFIX, file_name
from service.hot.log import HotLog
from service.hot.segment import Segment
from service.hot.store import HotStore
from service.tiering.planner import Cut, SealedFile, UploadPlan, plan_next


async def plan_uploads(
    store: HotStore,
    log: HotLog,
    start: Offset,
    *,
    committed: Offset,
    object_bytes: int,
    plans_max: int,
    with_slice: bool = False,
) -> list[UploadPlan]:
    """Plan as many objects as are uploaded side by side.

    Args:
        store: Finds where large segments may be divided.
        log: What is uploaded.
        start: Where the tier ends.
        committed: See `plan_next`.
        object_bytes: See `plan_next`.
        plans_max: No more than so many.
        with_slice: Whether what is synced of the segment that takes appends goes, too.

    Raises:
        MissingRecordsError: The log begins after ``start``.
    """
    segments = [each for each in log.sealed if each.next_offset > start]
    part: Segment | None = None
    if with_slice:
        part = await _synced_part(store, log, committed)
        if part.size and part.next_offset > (segments[-1].next_offset if segments else start):
            segments.append(part)
    files: list[SealedFile] = []
    room = object_bytes * plans_max
    for segment in segments:
        file = await _sealed_file(store, segment, start, object_bytes)
        if segment is part:
            # Of a place inside a segment nobody has written the states of producers down.
            file = replace(file, producers_after=file.producers_before)
        files.append(file)
        room -= segment.size
        if room <= 0:
            break
    plans: list[UploadPlan] = []
    while len(plans) < plans_max:
        plan = plan_next(start, files, committed=committed, object_bytes=object_bytes)
        if plan is None:
            break
        plans.append(plan)
        start = plan.offsets.end
    return plans


async def _synced_part(store: HotStore, log: HotLog, end: Offset) -> Segment:
    """Return what is synced, below ``end``, of the segment at the synced end; it is frozen."""
    segment, size = log.synced_at
    part = segment.part(log.synced_end, size)
    if end < part.next_offset and size:
        part.next_offset, part.size = await store.in_file(part, boundary_below, end=end)
    return part


async def _sealed_file(
    store: HotStore, segment: Segment, start: Offset, object_bytes: int
) -> SealedFile:
    cuts: tuple[Cut, ...] = ()
    if segment.size > object_bytes // 2 or segment.base_offset < start:
        step = max(1, object_bytes // 4)
        found = await store.boundaries(segment, start, step=step)
        cuts = tuple(Cut(each.offset, each.position) for each in found)
    after = file_name(segment.next_offset, PRODUCERS_SUFFIX)
    return SealedFile(
        path=segment.path,
        base=segment.base_offset,
        end=segment.next_offset,
        size=segment.size,
        producers_before=segment.producers_path,
        producers_after=f"{segment.directory}/{after}",
        cuts=cuts,
    )
