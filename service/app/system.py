"""The real clock and the real randomness."""

import os
import random
import time
import uuid


class SystemClock:
    """Clock of the operating system."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """Randomness of the operating system."""

    def uuid(self) -> bytes:
        return uuid.UUID(bytes=os.urandom(16), version=4).bytes

    def uniform(self) -> float:
        return random.random()  # noqa: S311  (jitter, not secrets)
