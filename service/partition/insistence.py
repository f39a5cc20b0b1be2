"""Repeats a call while the store fails in a way that passes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from everlog.model.clock import IdSource
from everlog.model.errors import RetriableError
from everlog.stores.backoff import RetryPolicy, wait_s
from everlog.stores.errors import is_throttle
from service.tiering.uploader import BackOff

FOR_EVER = RetryPolicy(transient_wait_s_min=0.1, deadline_s=None)

ResultT = TypeVar("ResultT")

_log = structlog.get_logger(__name__)


async def insist(
    call: Callable[[], Awaitable[ResultT]], *, ids: IdSource, back_off: BackOff, partition: str
) -> ResultT:
    """Make a call until it succeeds; what does not pass is raised.

    Args:
        call: Safe to repeat.
        ids: For the length of the waits.
        back_off: Waits before another attempt.
        partition: Whose turn it is, for the log.
    """
    failures = 0
    while True:
        try:
            return await call()
        except RetriableError as error:
            failures += 1
            wait = wait_s(
                FOR_EVER, failures=failures, throttled=is_throttle(error), chance=ids.uniform()
            )
            if failures & (failures - 1) == 0:
                _log.warning(
                    "tier_commit_failed",
                    partition=partition,
                    failures=failures,
                    reason=str(error),
                )
            await back_off(wait)
