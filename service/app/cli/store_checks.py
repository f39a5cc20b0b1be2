"""What a store has to do for an archive, one check after the other, and what is done without it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from everlog.model.errors import EverlogError
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreCorruptionError,
    StoreDeniedError,
)
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import LIST_OBJECTS_MAX, StoreCapabilities, list_all
from service.app.cli.sizes import plural
from service.app.cli.store_site import PART_BYTES, StoreSite, to_the_end

RACERS = 8
WRITERS = 16
FRESH_OBJECTS = 10
SKEW_MS_MAX = 60_000
"""A request that is 15 minutes off is refused by S3."""

_BODY = b"everlog doctor: hello world"


class Level(StrEnum):
    """How bad something is."""

    OK = "ok"
    DEGRADED = "degraded"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check has seen; where it is not ok, what Everlog does without it."""

    level: Level
    text: str


Check = Callable[[StoreSite], Awaitable[Verdict]]

_ok = partial(Verdict, Level.OK)
_degraded = partial(Verdict, Level.DEGRADED)
_fatal = partial(Verdict, Level.FATAL)


async def verdict_of(check: Check, site: StoreSite) -> Verdict:
    """Run a check; an error that it does not expect is fatal."""
    try:
        return await check(site)
    except* EverlogError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
    return _fatal(str(error))


async def write_and_read(site: StoreSite) -> Verdict:
    """Create an object, and read it back."""
    key = site.key("first")
    await site.store.create(key, _BODY)
    if await site.store.read_all(key, size_max=len(_BODY)) != _BODY:
        return _fatal("an object comes back with other bytes")
    info = await site.store.head(key)
    if info.size != len(_BODY):
        return _fatal(f"HEAD tells {info.size} bytes of {len(_BODY)}")
    return _ok("an object comes back as it was")


async def ranges(site: StoreSite) -> Verdict:
    """Read parts of an object, up to its end and beyond it."""
    key = site.key("ranges")
    await site.store.create(key, _BODY)
    size = len(_BODY)
    for start, length in ((0, 1), (3, 4), (size - 5, 5), (0, size)):
        if await site.store.read(key, start, length) != _BODY[start : start + length]:
            return _fatal(f"bytes {start} + {length} of an object are other ones")
    try:
        await site.store.read(key, size - 2, 10)
    except StoreCorruptionError:
        return _ok("ranges are exact, up to the end and not beyond")
    return _fatal("a range beyond the end of an object is answered")


async def missing(site: StoreSite) -> Verdict:
    """Ask for an object that is not there."""
    key = site.key("never-made")
    asks = (partial(site.store.head, key), partial(site.store.read, key, 0, 1))
    for ask in asks:
        try:
            await ask()
        except ObjectMissingError:
            continue
        except StoreDeniedError as error:
            return _fatal(f"a missing object is refused instead of not found: {error}")
        return _fatal("an object is there that was never made")
    return _ok("a missing object is not found (404), and not refused (403)")


async def create_once(site: StoreSite) -> Verdict:
    """Let several writers create one object at the same time."""
    able = await _capabilities(site)
    key = site.key("race")
    bodies = [b"%d" % number for number in range(RACERS)]
    results = await asyncio.gather(
        *(site.raw.create(key, body) for body in bodies), return_exceptions=True
    )
    refused = sum(1 for each in results if isinstance(each, ObjectExistsError))
    unclear = sum(1 for each in results if isinstance(each, EverlogError)) - refused
    winners = RACERS - refused - unclear
    seen = f"of {RACERS} writers {winners} won, {refused} were refused (412)"
    seen += f", {unclear} were told to try again (409)" if unclear else ""
    if able.creates_exclusively and winners <= 1:
        return _ok(seen)
    return _degraded(
        f"{seen}: conditional writes do not hold; names are never used twice, and what counts is"
        " decided in the metadata store, so nothing is lost"
    )


async def overwrite(site: StoreSite) -> Verdict:
    """Replace an object, and read it at once."""
    key = site.key("replaced")
    for number in range(FRESH_OBJECTS):
        body = b"version %d" % number
        await to_the_end(site.store.overwrite(key, body))
        if await site.store.read_all(key, size_max=100) != body:
            return _degraded(
                "an overwritten object still shows old bytes; only a hint depends on it"
            )
    return _ok("a replaced object shows its new bytes at once")


async def fresh_objects(site: StoreSite) -> Verdict:
    """Read, and list, objects as soon as they are there."""
    unlisted = 0
    for number in range(FRESH_OBJECTS):
        key = site.key(f"fresh/{number}")
        await site.store.create(key, _BODY)
        try:
            await site.raw.read(key, 0, len(_BODY))
        except ObjectMissingError:
            return _fatal("an object is not found right after it was stored")
        unlisted += key not in {info.key for info in await site.store.list(f"{site.prefix}fresh/")}
    if unlisted:
        return _degraded(
            f"{unlisted} of {FRESH_OBJECTS} fresh objects were not listed at once; no reader lists,"
            " but a restore should wait for a while"
        )
    return _ok("a new object is found and listed at once")


async def listing(site: StoreSite) -> Verdict:
    """List more objects than one answer holds."""
    keys = [site.key(f"list/{number % 7}/{number:05d}") for number in range(site.keys)]
    await _create_all(site, keys)
    found = [info.key async for info in list_all(site.store, f"{site.prefix}list/")]
    if len(found) != len(set(found)) or set(found) != set(keys):
        return _fatal(f"{len(set(found))} of {len(keys)} names are listed, {len(found)} in all")
    middle = sorted(keys)[len(keys) // 2]
    behind = await site.store.list(f"{site.prefix}list/", start_after=middle)
    if any(info.key <= middle for info in behind):
        return _fatal("a listing that should begin after a name begins before it")
    order = "by bytes" if found == sorted(found) else "by folder, which is as good here"
    return _ok(f"{plural(len(keys), 'name')} in pages of {LIST_OBJECTS_MAX:,}, sorted {order}")


async def deleting(site: StoreSite) -> Verdict:
    """Delete many objects at once, and some that are not there."""
    keys = [info.key async for info in list_all(site.store, f"{site.prefix}list/")]
    await site.store.delete([*keys, site.key("never-made")])
    left = await site.store.list(f"{site.prefix}list/")
    if left:
        return _fatal(f"{len(left)} objects are still listed after they were deleted")
    return _ok(f"{plural(len(keys), 'object')} in batches; a missing one is no error")


async def checksums_kept(site: StoreSite) -> Verdict:
    """See whether the store can tell an object's checksum."""
    if (await _capabilities(site)).keeps_checksums:
        return _ok("HEAD tells the CRC-32C of an object")
    return _degraded(
        "no CRC-32C is kept: objects are compared by size, and by reading them"
        " (tier verify --deep, archive.scrub.bytes.per.day)"
    )


async def checksums_verified(site: StoreSite) -> Verdict:
    """See whether the store refuses damaged bytes."""
    if (await _capabilities(site)).verifies_checksums:
        return _ok("bytes with another checksum than announced are refused")
    return _degraded(
        "bytes that are damaged on their way are stored; what is read is verified, so it shows then"
    )


async def parts(site: StoreSite) -> Verdict:
    """Upload an object in parts."""
    if site.in_parts is None:
        return _ok("not needed here")
    body = bytes(PART_BYTES) + b"everlog" * 1000
    key = site.key("parts")
    try:
        await site.in_parts.create(key, body)
        found = await site.store.read_all(key, size_max=len(body))
    except EverlogError as error:
        return _degraded(f"{error}; keep remote.object.bytes below 128 MiB")
    if found != body:
        return _fatal("an object that was uploaded in parts comes back with other bytes")
    return _ok("an object of two parts comes back as it was")


async def suffix(site: StoreSite) -> Verdict:
    """Ask for the last bytes of an object without knowing its size."""
    if site.s3 is None:
        return _ok("not needed here")
    from everlog.stores.s3_client import s3_client

    key, settings = site.key("suffix"), site.s3
    await site.store.create(key, _BODY)

    def last_bytes() -> bytes:
        client = s3_client(settings)
        try:
            target = {"Bucket": settings.bucket, "Key": settings.prefix + key}
            answer: bytes = client.get_object(**target, Range="bytes=-5")["Body"].read()
        finally:
            client.close()
        return answer

    found = await asyncio.get_running_loop().run_in_executor(None, last_bytes)
    if found == _BODY[-5:]:
        return _ok("the last bytes of an object can be asked for")
    return _degraded(
        "suffix ranges are answered otherwise; sizes are in the manifest, so none is sent"
    )


async def clocks(site: StoreSite) -> Verdict:
    """Compare the store's clock with this one."""
    key = site.key("clock")
    before = site.clock.wall_ms()
    await site.store.create(key, _BODY)
    after = site.clock.wall_ms()
    told = (await site.store.head(key)).modified_ms
    # Stores tell whole seconds.
    skew = max(before - 1000 - told, told - after, 0)
    if skew <= SKEW_MS_MAX:
        return _ok(f"the clocks differ by {skew / 1000:.0f} s at most")
    return _degraded(
        f"the clocks differ by {skew / 1000:,.0f} s; orphans go so much earlier or later than"
        " archive.orphan.grace.ms says"
    )


async def _capabilities(site: StoreSite) -> StoreCapabilities:
    return await to_the_end(site.store.probe(site.key("probe")))


async def _create_all(site: StoreSite, keys: list[ObjectKey]) -> None:
    left = iter(keys)

    async def some() -> None:
        for key in left:
            await site.store.create(key, b"x")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(some())
