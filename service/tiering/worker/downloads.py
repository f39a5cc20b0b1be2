"""Downloads into files; one that takes too long gets a second, and whichever ends first counts."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from everlog.model.errors import EverlogError
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectStore
from service.tiering.worker.hedging import Hedging

PART_SUFFIX = ".part"
"""What a file is called until all of it is there."""

Outcome = int | EverlogError
"""The checksum of what has arrived, or why nothing has."""

SpawnDownload = Callable[[Coroutine[Any, Any, Outcome]], "asyncio.Task[Outcome]"]
"""Starts a download under an owner that outlives the call: the slower of two ends later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that is whole.

    Attributes:
        is_hedged: Whether there was a second download of it.
        hedge_won: Whether the second was the faster one.
    """

    crc32c: int
    is_hedged: bool
    hedge_won: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    path: str
    task: "asyncio.Task[Outcome]"

    def call_off(self) -> None:
        """See that nothing is left of a download that nobody wants any more."""
        if not self.task.done():
            self.task.cancel()
        elif not self.task.cancelled() and not isinstance(self.task.result(), EverlogError):
            _remove(self.path)


class Downloads:
    """Brings ranges of objects into files, each complete or absent.

    Args:
        store: Where they come from.
        hedging: When to begin a second download.
        spawn: Owns the downloads.
    """

    def __init__(self, store: ObjectStore, *, hedging: Hedging, spawn: SpawnDownload) -> None:
        self._store = store
        self._hedging = hedging
        self._spawn = spawn

    async def download(self, key: ObjectKey, start: int, length: int, path: str) -> Downloaded:
        """Write a range of an object to a new file; raises like `ObjectStore.read_into_file`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempts = [self._begin(key, start, length, f"{path}-1{PART_SUFFIX}")]
        winner = attempts[0]
        try:
            patience_s = self._hedging.patience_s(length)
            done, _ = await asyncio.wait([winner.task], timeout=patience_s)
            if not done and self._hedging.admit():
                attempts.append(self._begin(key, start, length, f"{path}-2{PART_SUFFIX}"))
            winner = await _first_whole(attempts)
            outcome = winner.task.result()
            if isinstance(outcome, EverlogError):
                raise outcome
            os.replace(winner.path, path)
        except asyncio.CancelledError:
            winner.call_off()
            raise
        finally:
            for each in attempts:
                if each is not winner:
                    each.call_off()
        self._hedging.ended(length, loop.time() - began)
        return Downloaded(
            crc32c=outcome, is_hedged=len(attempts) > 1, hedge_won=winner is not attempts[0]
        )

    def _begin(self, key: ObjectKey, start: int, length: int, path: str) -> _Attempt:
        return _Attempt(path, self._spawn(self._attempt(key, start, length, path)))

    async def _attempt(self, key: ObjectKey, start: int, length: int, path: str) -> Outcome:
        try:
            return await self._store.read_into_file(key, start, length, path)
        except EverlogError as error:
            return error
        except asyncio.CancelledError:
            # It may have been whole already when it was called off.
            _remove(path)
            raise
        except Exception as error:  # noqa: BLE001  (a full disk must not end all other transfers)
            _remove(path)
            return StoreUnavailableError("read", key, f"it cannot be kept: {error!r}")


async def _first_whole(attempts: list[_Attempt]) -> _Attempt:
    """Return the first attempt that succeeds; the first of all if none does."""
    pending = {each.task for each in attempts}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for each in attempts:
            if each.task in done and not isinstance(each.task.result(), EverlogError):
                return each
    return attempts[0]


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
