"""Asks the store of the archive, when somebody sets a lock, whether it has any."""

import asyncio
from collections.abc import Mapping

from everlog.model.errors import EverlogError
from everlog.stores.object_store import ObjectStore
from service.model.config_definition import InvalidConfigError
from service.model.topic_settings import LOCK_MODE, NO_LOCK

ANSWER_SECONDS_MAX = 10.0
"""Clients wait for half a minute."""


class LockCheck:
    """Refuses a mode that is new to a topic where the store cannot lock.

    A topic that has one already, as in a copied archive, can be altered in everything else.
    """

    def __init__(self, store: ObjectStore, *, seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        self._store = store
        self._seconds_max = seconds_max

    async def __call__(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Compare the settings of a topic.

        Raises:
            InvalidConfigError: The store cannot lock, or does not say so in time.
        """
        mode = after.get(LOCK_MODE, NO_LOCK)
        if mode in {NO_LOCK, before.get(LOCK_MODE)}:
            return
        try:
            async with asyncio.timeout(self._seconds_max):
                can_lock = await self._store.can_lock()
        except (EverlogError, TimeoutError) as error:
            why = str(error) or "no answer"
            advice = f"the store does not tell whether it has Object Lock ({why}); try again"
            raise InvalidConfigError(LOCK_MODE, mode, advice) from error
        if not can_lock:
            advice = (
                "the archive's store has no Object Lock; enable that for its bucket, or set "
                "store.url to a bucket that has it"
            )
            raise InvalidConfigError(LOCK_MODE, mode, advice)
