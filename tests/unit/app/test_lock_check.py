"""A lock can be set where the store has locks, and nowhere else."""

import asyncio

import pytest
from typing_extensions import override

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.app.lock_check import LockCheck
from service.model.config_definition import InvalidConfigError
from tests.contract.locking_store import LockingStore
from tests.contract.object_stores import FailingStore, SteadyClock

STRICT = {"archive.object.lock.mode": "compliance", "archive.object.lock.ms": "86400000"}
CLOCK = SteadyClock()


async def test_a_mode_is_taken_where_the_store_locks() -> None:
    await LockCheck(LockingStore(clock=CLOCK))({}, STRICT)


async def test_a_mode_is_refused_where_the_store_has_no_locks() -> None:
    with pytest.raises(InvalidConfigError, match="no Object Lock; enable that for its bucket"):
        await LockCheck(MemoryObjectStore(clock=CLOCK))({}, STRICT)


async def test_only_a_mode_that_is_new_is_asked_about() -> None:
    check = LockCheck(MemoryObjectStore(clock=CLOCK))
    await check(STRICT, {**STRICT, "retention.ms": "-1"})
    await check(STRICT, {**STRICT, "archive.object.lock.mode": "none"})
    await check(STRICT, {})
    with pytest.raises(InvalidConfigError):
        await check({**STRICT, "archive.object.lock.mode": "governance"}, STRICT)


async def test_a_store_that_is_away_has_not_said_yes() -> None:
    away = StoreUnavailableError("read", "-", "connection refused")
    store = FailingStore(LockingStore(clock=CLOCK), lambda: (away, None))
    with pytest.raises(InvalidConfigError, match=r"connection refused.*try again"):
        await LockCheck(store)({}, STRICT)


async def test_a_store_that_does_not_answer_is_not_waited_for() -> None:
    class Silent(LockingStore):
        @override
        async def can_lock(self) -> bool:
            await asyncio.Event().wait()
            return True

    with pytest.raises(InvalidConfigError, match="no answer"):
        await LockCheck(Silent(clock=CLOCK), seconds_max=0.0)({}, STRICT)
