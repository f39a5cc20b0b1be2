"""How long to wait before the next attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a failed call is repeated.

    Waits double from ``min`` to ``max``; half of each is random, so that many clients do not come
    back together.

    Attributes:
        attempts_max: The first attempt included. None: any number.
        deadline_s: No wait goes beyond this time after the first attempt. None: for ever. One
            minute, as Kafka's clients give a call (``default.api.timeout.ms``).
        transient_wait_s_min: After an outage or a lost connection, which is often over at once.
        throttled_wait_s_min: When the store asks for fewer requests.
        throttled_wait_s_max: No more than after an outage. How many calls a throttling store gets
            is up to `AdaptiveObjectStore`, which goes down to one at a time; longer waits would
            only leave it idle once it is well.
    """

    attempts_max: int | None = None
    deadline_s: float | None = 60.0
    transient_wait_s_min: float = 0.01
    transient_wait_s_max: float = 5.0
    throttled_wait_s_min: float = 1.0
    throttled_wait_s_max: float = 5.0


def wait_s(policy: RetryPolicy, *, failures: int, throttled: bool, chance: float) -> float:
    """Return how many seconds to wait after the given number of failures, at least one.

    Args:
        policy: The bounds.
        failures: How many attempts have failed by now, in the way the last one has.
        throttled: Whether the last failure was the store asking for fewer requests.
        chance: A random number in ``[0, 1)``.
    """
    if throttled:
        low, high = policy.throttled_wait_s_min, policy.throttled_wait_s_max
    else:
        low, high = policy.transient_wait_s_min, policy.transient_wait_s_max
    # Doubling more often than this leaves any bound behind, and large powers do not fit a float.
    longest = min(high, low * 2.0 ** min(failures - 1, 64))
    return longest * (0.5 + chance / 2)


class Waits:
    """The waits of one call between its attempts.

    Outages and throttling are counted apart: a store that was away for minutes, and throttles for a
    moment when it is back, has asked once for fewer requests.

    Attributes:
        failures: How many attempts have failed, of both kinds.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self.failures = 0
        self._policy = policy
        self._throttles = 0

    def after_failure(self, *, throttled: bool, chance: float) -> float:
        """Note a failure; return how many seconds to wait, see `wait_s`."""
        self.failures += 1
        self._throttles += throttled
        alike = self._throttles if throttled else self.failures - self._throttles
        return wait_s(self._policy, failures=alike, throttled=throttled, chance=chance)
