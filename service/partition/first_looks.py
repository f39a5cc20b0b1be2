"""Which manifests are read only to learn what goes first, and how many of them at a time."""

LOOKS_PER_CHECK_MAX = 1024
"""First looks of one look at all partitions: three reads a second at five minutes in between."""


class FirstLooks:
    """Lets partitions look at their manifest for the first time since their start, some at a time.

    From then on they know when the next object can expire. Ten thousand of them must not all read
    theirs right after a start.
    """

    def __init__(self, *, looks_per_check_max: int = LOOKS_PER_CHECK_MAX) -> None:
        self._looks_per_check_max = looks_per_check_max
        self._left = looks_per_check_max

    def renew(self) -> None:
        """Begin to count anew: another look at all partitions begins."""
        self._left = self._looks_per_check_max

    def take(self) -> bool:
        """Whether one more may look; whoever may not is asked again at the next look at all."""
        self._left -= 1
        return self._left >= 0
