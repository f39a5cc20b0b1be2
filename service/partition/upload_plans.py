"""Which objects a partition uploads next: its sealed segments, handed to the planner."""

from everlog.model.offsets import Offset
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
) -> list[UploadPlan]:
    """Plan as many objects as are uploaded side by side.

    Args:
        store: Finds where large segments may be divided.
        log: What is uploaded.
        start: Where the tier ends.
        committed: See `plan_next`.
        object_bytes: See `plan_next`.
        plans_max: No more than so many.

    Raises:
        MissingRecordsError: The log begins after ``start``.
    """
    files: list[SealedFile] = []
    room = object_bytes * plans_max
    for segment in log.sealed:
        if segment.next_offset <= start:
            continue
        files.append(await _sealed_file(store, segment, start, object_bytes))
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
