"""Reads again what arrived damaged: bits flip, and answers end early, on their way, too."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from everlog.model.errors import CorruptionError

ResultT = TypeVar("ResultT")

_log = structlog.get_logger(__name__)


async def second_look(read: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Read and verify; only what is wrong twice is taken to be wrong in the store.

    Raises:
        CorruptionError: It was wrong both times.
        EverlogError: Whatever else ``read`` raises.
    """
    try:
        return await read()
    except CorruptionError as error:
        first = error
    found = await read()
    # What is wrong both times is for whoever asked to tell, once and not at every attempt.
    _log.warning("read_again", reason=str(first))
    return found
