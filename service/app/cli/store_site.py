"""Where a store is tried out: below a prefix of its own, which is emptied at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from everlog.format.object_keys import Uid, uid_text
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError
from everlog.stores.backoff import RetryPolicy
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore, list_all
from everlog.stores.retrying import RetryingObjectStore
from everlog.stores.s3_settings import S3Settings
from everlog.stores.url import open_store, parse_store_url

ResultT = TypeVar("ResultT")

PATIENCE = RetryPolicy(deadline_s=10.0)
PART_BYTES = 5 << 20
"""The least that S3 takes as a part."""

_EMPTY_ROUNDS_MAX = 3


class NotCleanedError(EverlogError):
    """Objects of a trial may be left in the store."""

    def __init__(self, url: str, prefix: str, error: EverlogError) -> None:
        super().__init__(
            f"objects may be left in {url}, remove those that begin with {prefix}: {error}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSite:
    """A store on trial.

    Attributes:
        raw: The store as it answers.
        store: The same, repeating what fails for a while.
        in_parts: The same, uploading even small objects by parts; None where nothing is.
        s3: Where the bucket is; None for other stores.
        prefix: What the names of all objects begin with.
        keys: How many names are listed and deleted.
        samples: How many small objects are timed.
    """

    raw: ObjectStore
    store: ObjectStore
    in_parts: ObjectStore | None
    s3: S3Settings | None
    prefix: str
    clock: Clock
    keys: int
    samples: int

    def key(self, name: str) -> ObjectKey:
        """Name an object of the trial."""
        return object_key(f"{self.prefix}{name}")


@asynccontextmanager
async def store_site(
    url: str, *, clock: Clock, ids: IdSource, keys: int, samples: int
) -> AsyncIterator[StoreSite]:
    """Open a store for a trial; at the end, however it ends, the trial's objects are deleted.

    Raises:
        RejectedError: The URL names no store.
        NotCleanedError: Some objects could not be deleted.
    """
    location = parse_store_url(url)
    raw = open_store(url, clock=clock)
    in_parts: ObjectStore | None = None
    s3 = location if isinstance(location, S3Settings) else None
    if s3 is not None:
        from everlog.stores.s3 import S3ObjectStore

        in_parts = S3ObjectStore(replace(s3, multipart_bytes_min=PART_BYTES, part_bytes=PART_BYTES))
    site = StoreSite(
        raw=raw,
        store=RetryingObjectStore(raw, clock=clock, ids=ids, policy=PATIENCE),
        in_parts=in_parts,
        s3=s3,
        # No key of an archive begins like this.
        prefix=f"doctor-{uid_text(Uid(ids.uuid()))}/",
        clock=clock,
        keys=keys,
        samples=samples,
    )
    try:
        yield site
    finally:
        await _clean(site, url)
        for each in (raw, in_parts):
            if each is not None:
                await each.close()


async def to_the_end(call: Awaitable[ResultT]) -> ResultT:
    """Await a call that must not go on unseen behind a cancellation: it would write later."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _clean(site: StoreSite, url: str) -> None:
    try:
        for _ in range(_EMPTY_ROUNDS_MAX):
            left = [info.key async for info in list_all(site.store, site.prefix)]
            if not left:
                return
            await site.store.delete(left)
    except EverlogError as error:
        raise NotCleanedError(url, site.prefix, error) from error
