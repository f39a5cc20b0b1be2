"""Structured log events on stderr: a line for people, or one JSON object a line."""

import logging
import sys
from typing import TextIO

import structlog

REPEATS_SECONDS = 10.0
"""The same complaint about the same thing is logged once in this time."""


def configure_logs(*, stream: TextIO = sys.stderr, level: str = "info", form: str = "auto") -> None:
    """Set up logging for this process; ``form`` is text, json, or auto for text on a terminal."""
    render: structlog.typing.Processor
    if form == "text" or (form == "auto" and stream.isatty()):
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    else:
        render = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


KEYS_MAX = 1000
"""Complaints told apart; with more the count starts again."""


class Limited:
    """Lets the first of many equal complaints through, and counts the others."""

    def __init__(self, *, seconds: float = REPEATS_SECONDS) -> None:
        self._seconds = seconds
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def admit(self, key: str, now: float) -> int | None:
        """Return how many were held back since the last one; None if this one is held back too.

        Args:
            key: What the complaint is about.
            now: Monotonic seconds.
        """
        last = self._last.get(key)
        if last is not None and now - last < self._seconds:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        if len(self._last) >= KEYS_MAX:
            self._last.clear()
        self._last[key] = now
        return self._held.pop(key, 0)
