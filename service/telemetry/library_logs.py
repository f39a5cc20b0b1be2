"""What libraries log, in our form and without its repetitions."""

import logging
from collections.abc import Callable

import structlog
from typing_extensions import override

from service.telemetry.logs import Limited

_log = structlog.get_logger(__name__)


class LibraryLogs(logging.Handler):
    """A handler for the logger of a library; the same message comes once in a while.

    Args:
        now: Monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._limited = Limited()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # By the text before its values: a complaint about each of many clients is one complaint.
        held_back = self._limited.admit(f"{record.name} {record.msg}", self._now())
        if held_back is None:
            return
        _log.log(
            record.levelno,
            "library_message",
            library=record.name,
            message=record.getMessage().rstrip(),
            held_back=held_back,
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )

    def take(self, name: str) -> None:
        """Become the only handler of a logger and of all below it."""
        logger = logging.getLogger(name)
        logger.handlers = [self]
        logger.propagate = False
