"""Objects of one partition that get old enough for another storage class, one after the other."""

from everlog.format.object_keys import Uid
from everlog.format.walk import drive_async
from everlog.model.offsets import Offset
from service.tiering.class_moves import find_move
from service.tiering.class_rules import ClassRules
from service.tiering.merging import MergePlan
from service.tiering.partition_tier import PartitionTier


class AgingObjects:
    """Remembers how far a partition was searched; forgotten at an end, and searched again."""

    __slots__ = ("_next_ms", "_place", "_rules", "_searched")

    def __init__(self) -> None:
        self._rules: ClassRules | None = None
        self._place = Offset(0)
        self._searched: Uid | None = None
        self._next_ms: int | None = None

    async def next(
        self, tier: PartitionTier, rules: ClassRules, *, now_ms: int
    ) -> tuple[MergePlan | None, bool]:
        """Search on for an object to move; return it, and whether to search on at once.

        Raises:
            RetriableError: The manifest, which is read only when something is due or may be, cannot
                be read now.
        """
        committed = tier.pointer.root
        if rules.later is None or committed is None:
            return None, False
        if rules != self._rules:
            self._rules, self._place, self._searched = rules, Offset(0), None
        is_due = self._next_ms is not None and self._next_ms <= now_ms
        if self._searched == committed.uid and not is_due:
            return None, False
        root = await tier.root(is_hasty=True)
        if root is None:
            return None, False
        search = await drive_async(find_move(root, self._place, rules, now_ms=now_ms), tier.page)
        self._place = max(self._place, search.resume)
        self._next_ms = search.next_ms
        self._searched = root.uid if search.is_over else None
        return search.plan, search.plan is None and not search.is_over

    def pass_over(self, end: Offset) -> None:
        """Leave what ends there as it is: it is damaged."""
        self._place = max(self._place, end)
