"""Which fault comes next: seeded, and such that every kind gets its share."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import Generic, TypeVar

from typing_extensions import override

KindT = TypeVar("KindT", bound=Enum)

SHARE_MAX = 0.5
"""However much likelier a rare call is to fail, it has to succeed at last."""


class FaultPlan(Generic[KindT]):
    """Chooses faults; of those that a call can meet, rare ones are the likelier.

    Attributes:
        injected: How often each kind was chosen.
        is_on: Whether there are to be any.
        share: Of the calls that meet a fault.
        random: For whoever carries a fault out.
    """

    def __init__(self, seed: int = 0, *, share: float = 0.0) -> None:
        self.injected: Counter[KindT] = Counter()
        self.is_on = True
        self.share = share
        self.random = Random(seed)

    def choose(self, possible: Sequence[KindT], *, times: float = 1.0) -> KindT | None:
        """Return a fault for a call, or None; ``times`` makes a rare call likelier to meet one."""
        share = min(self.share * times, SHARE_MAX)
        if not self.is_on or not possible or self.random.random() >= share:
            return None
        weights = [1 / (1 + self.injected[kind]) for kind in possible]
        (kind,) = self.random.choices(possible, weights)
        self.injected[kind] += 1
        return kind

    def flipped(self, data: bytes) -> bytes:
        """Return some bytes, at least one, with one bit the other way."""
        place = self.random.randrange(len(data))
        bit = 1 << self.random.randrange(8)
        return b"".join((data[:place], bytes([data[place] ^ bit]), data[place + 1 :]))

    def __str__(self) -> str:
        total = sum(self.injected.values())
        kinds = ", ".join(f"{count} {kind.name.lower()}" for kind, count in sorted_by_name(self))
        return f"{total} faults: {kinds}"


class Once(FaultPlan[KindT]):
    """Lets the first call fail that can meet a kind of fault."""

    def __init__(self, kind: KindT) -> None:
        super().__init__()
        self._kind = kind

    @override
    def choose(self, possible: Sequence[KindT], *, times: float = 1.0) -> KindT | None:
        if self._kind not in possible or self.injected[self._kind]:
            return None
        self.injected[self._kind] += 1
        return self._kind


def sorted_by_name(plan: FaultPlan[KindT]) -> list[tuple[KindT, int]]:
    return sorted(plan.injected.items(), key=lambda each: each[0].name)
