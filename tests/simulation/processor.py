"""A processor that nobody else wants."""

from typing_extensions import override

from service.model.processor import Processor, ProcessorWaits


class ProcessorForOne(Processor):
    """Nobody waits for a turn."""

    @override
    def waits(self) -> ProcessorWaits | None:
        return ProcessorWaits(seconds=0.0, times=0)
