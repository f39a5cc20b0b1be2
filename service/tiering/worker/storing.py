"""Gets a built object into the store, and looks at what was stored."""

import asyncio

from everlog.format.segment_object import SealedSegment
from everlog.model.object_lock import ObjectLock
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreCorruptionError,
    StoreDeniedError,
    not_shown_yet,
)
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore
from service.tiering.worker.sealing import SealOrder, seal_object


async def upload_object(store: ObjectStore, order: SealOrder) -> SealedSegment:
    """Build an object and store it. Safe to repeat: same name and bytes.

    Raises:
        CorruptObjectError: The files do not hold what was ordered.
        StoreCorruptionError: The store has other bytes under that name.
        StoreDeniedError: The store does not lock it, or not as asked.
        StoreUnavailableError: The outcome is unknown.
    """
    sealed = await asyncio.get_running_loop().run_in_executor(None, seal_object, order)
    await put_object(store, order, sealed)
    return sealed


async def put_object(store: ObjectStore, order: SealOrder, sealed: SealedSegment) -> None:
    """Store the batches of an order and what was built for them; raises like `upload_object`."""
    key = object_key(order.key.text)
    try:
        await store.create_from_file(
            key,
            [*order.parts, sealed.tail],
            crc32c=sealed.crc32c,
            storage_class=order.storage_class,
            lock=order.lock,
        )
    except ObjectExistsError:
        # Names are used once, so this can only be an earlier attempt; the check below tells.
        info = await _verify(store, key, sealed, by_content=True)
        _check_lock(key, info, order.lock, is_older=True)
    else:
        info = await _verify(store, key, sealed, by_content=False)
        _check_lock(key, info, order.lock)


async def _verify(
    store: ObjectStore, key: ObjectKey, sealed: SealedSegment, *, by_content: bool
) -> ObjectInfo:
    """Make sure that the store has the whole object and nothing else (TIER-53)."""
    try:
        info = await store.head(key)
    except ObjectMissingError as error:
        raise not_shown_yet("verify", key) from error
    crc = info.checksum_crc32c
    if info.size != sealed.object_bytes or crc not in {None, sealed.crc32c}:
        reason = f"{info.size} bytes with checksum {crc} are stored"
        raise StoreCorruptionError("verify", key, reason)
    if by_content and crc is None:
        start = sealed.meta.data_bytes
        if await store.read(key, start, len(sealed.tail)) != sealed.tail:
            raise StoreCorruptionError("verify", key, "another object has this name")
    return info


def _check_lock(
    key: ObjectKey, info: ObjectInfo, wanted: ObjectLock | None, *, is_older: bool = False
) -> None:
    """Make sure that the store keeps the lock; an earlier attempt has asked for one as long."""
    if wanted is None:
        return
    found = info.lock
    if found is not None and (found.covers(wanted) or (is_older and found.mode >= wanted.mode)):
        return
    raise StoreDeniedError(
        "verify",
        key,
        f"the store shows {_text(found)} where {_text(wanted)} was asked for: the credentials need "
        "s3:GetObjectRetention and s3:PutObjectRetention, and the bucket Object Lock",
    )


def _text(lock: ObjectLock | None) -> str:
    return "no lock" if lock is None else f"{lock.mode.name} until {lock.until_ms} ms"
