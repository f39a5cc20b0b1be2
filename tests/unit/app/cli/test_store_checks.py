"""The doctor's checks pass on sound stores and say what an unsound one lacks."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.model.buffer import Buffer
from everlog.stores.errors import (
    ObjectMissingError,
    StoreDeniedError,
    StoreUnavailableError,
)
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)
from everlog.stores.s3_client import s3_client
from service.app.cli import store_checks as checks
from service.app.cli.doctor import CHECKS
from service.app.cli.store_checks import Level
from service.app.cli.store_site import StoreSite, store_site
from service.app.cli.store_timing import small_objects
from service.app.system import SystemClock, SystemIds
from tests.contract.object_stores import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    SteadyClock,
    s3_session,
    s3_settings,
)

CLOCK = SteadyClock()


@pytest.fixture
def memory() -> MemoryObjectStore:
    return MemoryObjectStore(clock=CLOCK)


def site_on(
    store: ObjectStore, *, in_parts: ObjectStore | None = None, keys: int = 30
) -> StoreSite:
    return StoreSite(
        raw=store,
        store=store,
        in_parts=in_parts,
        s3=None,
        prefix="doctor-x/",
        clock=CLOCK,
        keys=keys,
        samples=5,
    )


@pytest.mark.parametrize("name", [name for name, _ in CHECKS])
async def test_a_sound_store_passes(name: str, memory: MemoryObjectStore) -> None:
    verdict = await checks.verdict_of(dict(CHECKS)[name], site_on(memory, in_parts=memory))
    assert verdict.level is Level.OK, verdict.text


class Wrapped(MemoryObjectStore):
    """A store with something wrong about it, as its subclasses say."""

    def __init__(self) -> None:
        super().__init__(clock=CLOCK)


class LastWriterWins(Wrapped):
    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        await self.delete([key])
        return await super().create(key, body, crc32c=crc32c)


class Plain(Wrapped):
    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        return StoreCapabilities(
            creates_exclusively=False, verifies_checksums=False, keeps_checksums=False
        )


class Secretive(Wrapped):
    """Answers 403 for what is not there, as S3 does to those who may not list."""

    async def head(self, key: ObjectKey) -> ObjectInfo:
        try:
            return await super().head(key)
        except ObjectMissingError as error:
            raise StoreDeniedError("head", key, "AccessDenied") from error


class LateListing(Wrapped):
    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return (await super().list(prefix, start_after=start_after, limit=limit))[:-1]


class DeafToStartAfter(Wrapped):
    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return await super().list(prefix, limit=limit)


class Stale(Wrapped):
    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        if key not in self._objects:
            await super().overwrite(key, body)


class Grudging(Wrapped):
    """Does not delete as long as a name among those to delete is not there."""

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        if all(key in self._objects for key in keys):
            await super().delete(keys)


class ShortRanges(Wrapped):
    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await super().read(key, start, min(length, 4))


class LyingParts(Wrapped):
    """Answers 200 to the end of an upload by parts, and has nothing."""

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        raise StoreUnavailableError("create", key, "InternalError: in a 200")


class Ahead(Wrapped):
    async def head(self, key: ObjectKey) -> ObjectInfo:
        info = await super().head(key)
        return ObjectInfo(
            key=key, size=info.size, modified_ms=info.modified_ms + 600_000, checksum_crc32c=None
        )


class Down(Wrapped):
    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        raise StoreUnavailableError("create", key, "down")


@pytest.mark.rule("TIER-53")
@pytest.mark.parametrize(
    ("check", "kind", "level", "part"),
    [
        (checks.create_once, LastWriterWins, Level.DEGRADED, "8 won"),
        (checks.create_once, Plain, Level.DEGRADED, "names are never used twice"),
        (checks.checksums_kept, Plain, Level.DEGRADED, "--deep"),
        (checks.checksums_verified, Plain, Level.DEGRADED, "what is read is verified"),
        (checks.missing, Secretive, Level.FATAL, "refused instead of not found"),
        (checks.fresh_objects, LateListing, Level.DEGRADED, "not listed at once"),
        (checks.listing, LateListing, Level.FATAL, "names are listed"),
        (checks.overwrite, Stale, Level.DEGRADED, "only a hint"),
        (checks.ranges, ShortRanges, Level.FATAL, "are other ones"),
        (checks.clocks, Ahead, Level.DEGRADED, "600 s"),
        (checks.write_and_read, Down, Level.FATAL, "down"),
        (checks.listing, Down, Level.FATAL, "down"),
    ],
)
async def test_what_is_missing_is_told_with_what_is_done_without_it(
    check: checks.Check, kind: type[Wrapped], level: Level, part: str
) -> None:
    verdict = await checks.verdict_of(check, site_on(kind()))
    assert verdict.level is level
    assert part in verdict.text


async def test_a_listing_that_begins_where_it_should_not_is_fatal() -> None:
    verdict = await checks.verdict_of(checks.listing, site_on(DeafToStartAfter(), keys=30))
    assert (verdict.level, "begins before it" in verdict.text) == (Level.FATAL, True)


@pytest.mark.rule("TIER-53")
async def test_uploads_by_parts_that_fail_limit_the_size_of_objects(
    memory: MemoryObjectStore,
) -> None:
    verdict = await checks.verdict_of(checks.parts, site_on(memory, in_parts=LyingParts()))
    assert verdict.level is Level.DEGRADED
    assert "remote.object.bytes" in verdict.text


@pytest.mark.rule("TIER-47")
async def test_a_thousand_names_and_more_go_and_a_missing_one_is_no_error(
    memory: MemoryObjectStore,
) -> None:
    site = site_on(memory, keys=1001)
    assert (await checks.listing(site)).level is Level.OK
    assert (await checks.deleting(site)).level is Level.OK
    assert not memory._objects
    grudging = site_on(Grudging(), keys=5)
    await checks.listing(grudging)
    assert (await checks.deleting(grudging)).level is Level.FATAL


async def test_slow_writes_are_told(memory: MemoryObjectStore) -> None:
    class SlowClock(SteadyClock):
        def monotonic(self) -> float:
            self.now_s += 2.0
            return self.now_s

    site = site_on(memory)
    slow = StoreSite(
        raw=memory,
        store=memory,
        in_parts=None,
        s3=None,
        prefix=site.prefix,
        clock=SlowClock(),
        keys=1,
        samples=3,
    )
    verdict = await small_objects(slow)
    assert verdict.level is Level.DEGRADED
    assert verdict.text.startswith("PUT p50 2,000.0 ms p99 2,000.0 ms")


def files(directory: Path) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file()]


async def test_nothing_is_left_behind_whatever_happens(tmp_path: Path) -> None:
    directory = tmp_path / "store"

    async def broken_off() -> None:
        place = store_site(
            f"file://{directory}", clock=SystemClock(), ids=SystemIds(), keys=20, samples=2
        )
        async with place as site:
            for _, check in CHECKS[:8]:
                assert (await check(site)).level is Level.OK
            assert files(directory)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await broken_off()
    assert not files(directory)


async def test_a_bucket_passes_and_what_it_lacks_is_told(
    moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto checks no checksum; all else it has."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    url = f"s3://{BUCKET}/on-trial/here?endpoint={moto}&region=us-east-1"
    place = store_site(url, clock=SystemClock(), ids=SystemIds(), keys=30, samples=2)
    async with place as site:
        levels = {name: (await checks.verdict_of(check, site)) for name, check in CHECKS}
    assert {name for name, each in levels.items() if each.level is not Level.OK} == {
        "checksums verified"
    }
    plain = s3_client(s3_settings(moto), session=s3_session())
    assert plain.list_objects_v2(Bucket=BUCKET, Prefix="on-trial/")["KeyCount"] == 0
    plain.close()
