"""Port for what the operating system knows of a thread that is ready to run and may not yet."""

from typing import NamedTuple, Protocol


class ProcessorWaits(NamedTuple):
    """What the calling thread has waited for a processor, ever.

    Attributes:
        seconds: In all.
        times: Turns on a processor that it has had, each after a wait, however short.
    """

    seconds: float
    times: int


class Processor(Protocol):
    """The machine's processors, as one thread meets them."""

    def waits(self) -> ProcessorWaits | None:
        """Return what the calling thread has waited; None where the system does not tell."""
        ...
