"""Pure: bytes a second, on average."""


class ByteBudget:
    """Work that takes bytes begins only when what began before it has been paid for.

    Args:
        bytes_per_second: What comes in.
    """

    def __init__(self, *, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._paid_at = 0.0

    def wait_s(self, size: int, now: float) -> float:
        """Take bytes from the budget; return how long to wait before they may be used.

        Args:
            size: Bytes to take.
            now: Monotonic time, in seconds.
        """
        begins = max(now, self._paid_at)
        self._paid_at = begins + size / self._rate
        return begins - now
