"""How far a follower is, as its fetches tell its leader."""

from dataclasses import dataclass, replace

from everlog.model.offsets import Offset

NOWHERE = Offset(-1)
"""The end of a replica that has told nothing in this term, whatever it has told another leader."""

NEVER = float("-inf")
"""When a replica that is just being added had everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a leader knows of one follower in one term; times are seconds of the monotonic clock.

    Attributes:
        durable_end: Below it the follower has everything, safely: synced with ``flush=always``.
        local_start: From there on it has it on its disk.
        broker_epoch: The registration with which it fetched last; -1 before.
        caught_up_at: When it last had all that the leader had; before its first fetch, when the
            term began, or `NEVER`.
        asked_at: When it fetched last.
        leader_end: Where the leader's own durable end was then.
    """

    durable_end: Offset = NOWHERE
    local_start: Offset = NOWHERE
    broker_epoch: int = -1
    caught_up_at: float
    asked_at: float
    leader_end: Offset = NOWHERE

    def holds(self, offset: int) -> bool:
        """Whether a consumer who wants this offset next finds it on the follower's disk."""
        return 0 <= self.local_start <= offset <= self.durable_end

    def after_fetch(
        self,
        *,
        durable_end: Offset,
        local_start: Offset = NOWHERE,
        broker_epoch: int,
        leader_end: Offset,
        now: float,
    ) -> "Progress":
        """Return what is known after a fetch in the leader's own term.

        A follower that always has what there was when it asked before is not behind, however fast
        the leader writes (KAFKA-4485).
        """
        caught_up_at = self.caught_up_at
        if durable_end >= leader_end:
            caught_up_at = now
        elif self.leader_end >= 0 and durable_end >= self.leader_end:
            caught_up_at = max(caught_up_at, self.asked_at)
        return replace(
            self,
            durable_end=durable_end,
            local_start=local_start,
            broker_epoch=broker_epoch,
            caught_up_at=caught_up_at,
            asked_at=now,
            leader_end=leader_end,
        )
