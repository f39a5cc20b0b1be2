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
        throttled_wait_s_min: When the store asks for fewer requests; S3 takes minutes to spread
            load.
    """

    attempts_max: int | None = None
    deadline_s: float | None = 60.0
    transient_wait_s_min: float = 0.01
    transient_wait_s_max: float = 5.0
    throttled_wait_s_min: float = 1.0
    throttled_wait_s_max: float = 30.0


def wait_s(policy: RetryPolicy, *, failures: int, throttled: bool, chance: float) -> float:
    """Return how many seconds to wait after the given number of failures, at least one.

    Args:
        policy: The bounds.
        failures: How many attempts have failed by now.
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
