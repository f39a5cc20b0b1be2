"""A point in time, by both clocks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happens.

    Attributes:
        monotonic_ms: Never goes back; deadlines are counted with it.
        wall_ms: Since the Unix epoch; what is written down.
    """

    monotonic_ms: int
    wall_ms: int
