"""A disk that keeps what a crash would have left, at every step of what is done to it."""

import random

from tests.simulation.disk import SimDisk


class CutDisk(SimDisk):
    """Cuts the power twice, and kills the process once, before every operation that changes it.

    Attributes:
        cuts: The operation that was next, and what was left.
        is_recording: Whether that is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cuts: list[tuple[str, SimDisk]] = []
        self.is_recording = False
        self._rng = random.Random(7)

    def check(self, operation: str, path: str) -> None:
        super().check(operation, path)
        if operation not in {"read", "open"}:
            self.cut(f"{operation} {path}")

    def unlink(self, path: str) -> None:
        if path in self._names:
            self.cut(f"unlink {path}")
        super().unlink(path)

    def cut(self, operation: str) -> None:
        if self.is_recording:
            self.cuts += [(operation, self.after_crash(self._rng)) for _ in range(2)]
            self.cuts.append((operation, self.after_kill()))
