"""What every object store promises, as tests; a subclass brings a ``store`` fixture."""

import asyncio
import os
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.errors import RejectedError
from everlog.stores.body import BodyPart, FilePart
from everlog.stores.errors import ObjectExistsError, ObjectMissingError, StoreCorruptionError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore, StoreCapabilities, list_all

KEY = object_key("a3f0/seg/00000000000000000000-00000000000000000100-0000002a.seg")
OTHER = object_key("a3f0/seg/00000000000000000100-00000000000000000200-0000002a.seg")
CONTENT = bytes(range(256)) * 8

# More than goes out in one piece, so that it is streamed.
LARGE = CONTENT * 1024

IMPOSSIBLE_NAMES = (
    "", "a:b", "a b", "ü", "a\n", "/a", "a/", "a//b", "../a", "a/../../b", "a/.", "~tmp/a",
    "x" * 1025, "x" * 256,
)  # fmt: skip


async def keys_of(store: ObjectStore, prefix: str = "", **options: object) -> list[str]:
    return [info.key for info in await store.list(prefix, **options)]  # type: ignore[arg-type]


class ObjectStoreContract:
    async def test_a_created_object_has_its_bytes_size_and_checksum(
        self, store: ObjectStore
    ) -> None:
        created = await store.create(KEY, CONTENT)
        assert (created.key, created.size, created.crc32c) == (KEY, 2048, crc32c(CONTENT))
        assert await store.read_all(KEY, size_max=2048) == CONTENT
        info = await store.head(KEY)
        assert (info.key, info.size) == (KEY, 2048)
        assert info.checksum_crc32c in {None, crc32c(CONTENT)}
        assert info.modified_ms > 1_600_000_000_000

    @pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
    async def test_a_body_may_be_any_buffer(
        self, store: ObjectStore, make: type[bytes | bytearray | memoryview]
    ) -> None:
        await store.create(KEY, make(CONTENT))
        assert await store.read_all(KEY, size_max=2048) == CONTENT

    async def test_an_object_may_be_empty(self, store: ObjectStore) -> None:
        await store.create(KEY, b"")
        assert await store.read_all(KEY, size_max=0) == b""
        assert (await store.head(KEY)).size == 0

    @pytest.mark.rule("TIER-18")
    async def test_of_many_creators_of_one_key_exactly_one_wins(self, store: ObjectStore) -> None:
        bodies = [bytes([writer]) * 100 for writer in range(16)]
        outcomes = await asyncio.gather(
            *(store.create(KEY, body) for body in bodies), return_exceptions=True
        )
        lost = [isinstance(outcome, ObjectExistsError) for outcome in outcomes]
        assert lost.count(True) == 15, outcomes
        assert await store.read_all(KEY, size_max=100) == bodies[lost.index(False)]

    async def test_a_created_object_never_changes(self, store: ObjectStore, tmp_path: Path) -> None:
        await store.create(KEY, CONTENT)
        with pytest.raises(ObjectExistsError) as error:
            await store.create(KEY, b"another")
        assert error.value.key == KEY
        with pytest.raises(ObjectExistsError):
            await store.create_from_file(KEY, [LARGE], crc32c=crc32c(LARGE))
        assert await store.read_all(KEY, size_max=2048) == CONTENT

    async def test_overwriting_makes_or_replaces_an_object(self, store: ObjectStore) -> None:
        await store.overwrite(KEY, b"first")
        assert await store.read_all(KEY, size_max=100) == b"first"
        await store.overwrite(KEY, b"the second")
        assert await store.read_all(KEY, size_max=100) == b"the second"

    @pytest.mark.parametrize(("start", "length"), [(0, 2048), (2047, 1), (1000, 17)])
    async def test_a_range_is_read_exactly(
        self, store: ObjectStore, tmp_path: Path, start: int, length: int
    ) -> None:
        await store.create(KEY, CONTENT)
        wanted = CONTENT[start : start + length]
        assert await store.read(KEY, start, length) == wanted
        buffer = bytearray(length + 2)
        await store.read_into(KEY, start, memoryview(buffer)[1:-1])
        assert buffer == b"\0" + wanted + b"\0"
        path = tmp_path / "chunk"
        path.write_bytes(b"what was there before" * 1000)
        assert await store.read_into_file(KEY, start, length, str(path)) == crc32c(wanted)
        assert path.read_bytes() == wanted

    async def test_a_large_range_arrives_whole(self, store: ObjectStore, tmp_path: Path) -> None:
        await store.create(KEY, LARGE)
        size = len(LARGE) - 2
        assert await store.read(KEY, 1, size) == LARGE[1:-1]
        buffer = bytearray(size)
        await store.read_into(KEY, 1, buffer)
        assert buffer == LARGE[1:-1]
        path = tmp_path / "chunk"
        assert await store.read_into_file(KEY, 1, size, str(path)) == crc32c(LARGE[1:-1])
        assert path.read_bytes() == LARGE[1:-1]

    @pytest.mark.parametrize(("start", "length"), [(2048, 1), (2047, 2), (0, 2049), (9999, 1)])
    async def test_a_range_beyond_the_end_is_corruption(
        self, store: ObjectStore, tmp_path: Path, start: int, length: int
    ) -> None:
        await store.create(KEY, CONTENT)
        with pytest.raises(StoreCorruptionError):
            await store.read(KEY, start, length)
        with pytest.raises(StoreCorruptionError):
            await store.read_into(KEY, start, bytearray(length))
        path = tmp_path / "chunk"
        with pytest.raises(StoreCorruptionError):
            await store.read_into_file(KEY, start, length, str(path))
        assert not path.exists()

    @pytest.mark.parametrize(("start", "length"), [(0, 0), (-1, 5), (5, -1)])
    async def test_an_impossible_range_is_refused(
        self, store: ObjectStore, start: int, length: int
    ) -> None:
        await store.create(KEY, CONTENT)
        with pytest.raises(RejectedError):
            await store.read(KEY, start, length)

    async def test_an_object_larger_than_expected_is_not_read(self, store: ObjectStore) -> None:
        await store.create(KEY, CONTENT)
        with pytest.raises(StoreCorruptionError):
            await store.read_all(KEY, size_max=2047)

    async def test_a_missing_object_is_told_apart(self, store: ObjectStore, tmp_path: Path) -> None:
        await store.create(KEY, CONTENT)
        path = tmp_path / "chunk"
        for missing in (
            OTHER,
            object_key("a3f0"),
            object_key("a3f0/seg"),
            object_key("none/at/all"),
        ):
            for attempt in (
                store.read(missing, 0, 1),
                store.read_all(missing, size_max=10),
                store.read_into(missing, 0, bytearray(1)),
                store.read_into_file(missing, 0, 1, str(path)),
                store.head(missing),
            ):
                with pytest.raises(ObjectMissingError) as error:
                    await attempt
                assert error.value.key == missing
        assert not path.exists()

    async def test_an_object_is_made_of_file_ranges_and_buffers(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        log = tmp_path / "00000000000000000000.log"
        log.write_bytes(LARGE)
        descriptor = os.open(log, os.O_RDONLY)
        try:
            parts: list[BodyPart] = [
                FilePart(str(log), 100, 1_200_000),
                b"an index",
                FilePart(descriptor, 7, 300),
                b"",
                memoryview(b"a footer"),
            ]
            body = LARGE[100:1_200_100] + b"an index" + LARGE[7:307] + b"a footer"
            created = await store.create_from_file(KEY, parts, crc32c=crc32c(body))
            os.fstat(descriptor)
        finally:
            os.close(descriptor)
        assert (created.size, created.crc32c) == (len(body), crc32c(body))
        assert await store.read_all(KEY, size_max=len(body)) == body

    @pytest.mark.rule("TIER-7")
    @pytest.mark.parametrize("body", [CONTENT, LARGE], ids=["small", "large"])
    async def test_a_body_with_another_checksum_is_refused_and_leaves_nothing(
        self, store: ObjectStore, tmp_path: Path, body: bytes
    ) -> None:
        log = tmp_path / "log"
        log.write_bytes(body)
        with pytest.raises(StoreCorruptionError):
            await store.create(KEY, body, crc32c=crc32c(body) ^ 1)
        with pytest.raises(StoreCorruptionError):
            await store.create_from_file(
                KEY, [FilePart(str(log), 0, len(body))], crc32c=crc32c(body) ^ 1
            )
        with pytest.raises(StoreCorruptionError):
            await store.create(KEY, b"", crc32c=1)
        assert await keys_of(store) == []
        await store.create(KEY, body, crc32c=crc32c(body))
        assert await store.read_all(KEY, size_max=len(body)) == body

    @pytest.mark.rule("TIER-1")
    @pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
    async def test_a_file_shorter_than_planned_is_refused_and_leaves_nothing(
        self, store: ObjectStore, tmp_path: Path, content: bytes
    ) -> None:
        log = tmp_path / "log"
        log.write_bytes(content)
        with pytest.raises(StoreCorruptionError, match="too early"):
            await store.create_from_file(
                KEY, [FilePart(str(log), 0, len(content) + 1)], crc32c=crc32c(content)
            )
        with pytest.raises(StoreCorruptionError, match="cannot be read"):
            await store.create_from_file(KEY, [FilePart(str(tmp_path / "none"), 0, 9)], crc32c=0)
        assert await keys_of(store) == []

    async def test_a_listing_is_sorted_and_has_size_and_time(self, store: ObjectStore) -> None:
        keys = [object_key(f"p/{partition}/seg/{n:03d}") for partition in (1, 0) for n in range(5)]
        for key in keys:
            await store.create(key, CONTENT[: int(key[-3:])])
        await store.create(object_key("q/LATEST"), b"")
        listed = await store.list("p/")
        assert [info.key for info in listed] == sorted(keys)
        assert [info.size for info in listed] == [0, 1, 2, 3, 4] * 2
        assert all(info.modified_ms > 1_600_000_000_000 for info in listed)

    async def test_a_listing_begins_with_a_prefix_and_after_a_key(self, store: ObjectStore) -> None:
        for name in ("a/1", "a/2", "b/10/x", "b/11/x", "b/11/y", "b/2/x", "c"):
            await store.create(object_key(name), b"")
        assert await keys_of(store) == ["a/1", "a/2", "b/10/x", "b/11/x", "b/11/y", "b/2/x", "c"]
        assert await keys_of(store, "a/") == ["a/1", "a/2"]
        assert await keys_of(store, "b/1") == ["b/10/x", "b/11/x", "b/11/y"]
        assert await keys_of(store, "b/11/x") == ["b/11/x"]
        assert await keys_of(store, "none/") == []
        assert await keys_of(store, "a/1/x") == []
        assert await keys_of(store, "b/", start_after="b/11/x") == ["b/11/y", "b/2/x"]
        assert await keys_of(store, start_after="b/11/x") == ["b/11/y", "b/2/x", "c"]
        assert await keys_of(store, "b/", start_after="a") == await keys_of(store, "b/")
        assert await keys_of(store, "b/", start_after="c") == []
        assert await keys_of(store, "b/", start_after="b/10/x", limit=2) == ["b/11/x", "b/11/y"]

    @pytest.mark.parametrize("page", [1, 11, 12])
    async def test_pages_together_have_every_object_once(
        self, store: ObjectStore, page: int
    ) -> None:
        keys = [object_key(f"{n % 3}/{n:02d}/x") for n in range(12)]
        await asyncio.gather(*(store.create(key, b"") for key in keys))
        listed = [info.key async for info in list_all(store, "", page_objects_max=page)]
        assert listed == sorted(keys)

    @pytest.mark.rule("TIER-47")
    async def test_deleting_an_absent_object_succeeds(self, store: ObjectStore) -> None:
        await store.delete([])
        await store.delete([KEY, OTHER])
        await store.create(KEY, CONTENT)
        await store.delete([OTHER, KEY, object_key("none/at/all")])
        await store.delete([KEY])
        assert await keys_of(store) == []
        with pytest.raises(ObjectMissingError):
            await store.head(KEY)

    async def test_deleting_takes_the_named_objects_only(self, store: ObjectStore) -> None:
        keys = [object_key(f"p/{n}") for n in range(6)]
        await asyncio.gather(*(store.create(key, b"") for key in keys))
        await store.delete([key for key in keys if key not in {"p/2", "p/5"}])
        assert await keys_of(store) == ["p/2", "p/5"]

    async def test_more_objects_than_fit_one_request_are_deleted(self, store: ObjectStore) -> None:
        await store.create(object_key("p/1200"), b"")
        await store.delete([object_key(f"p/{n}") for n in range(1201)])
        assert await keys_of(store) == []

    @pytest.mark.rule("TIER-52")
    async def test_names_that_some_store_cannot_have_are_refused(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        for name in IMPOSSIBLE_NAMES:
            key = ObjectKey(name)
            for attempt in (
                store.create(key, b""),
                store.create_from_file(key, [b""], crc32c=0),
                store.overwrite(key, b""),
                store.read(key, 0, 1),
                store.read_all(key, size_max=1),
                store.read_into(key, 0, bytearray(1)),
                store.read_into_file(key, 0, 1, str(tmp_path / "chunk")),
                store.head(key),
                store.delete([KEY, key]),
                store.probe(key),
            ):
                with pytest.raises(RejectedError, match="cannot name an object"):
                    await attempt
            with pytest.raises(RejectedError, match="cannot name an object"):
                store.local_path(key)
        for prefix in ("../", "a/../", "a:", "//"):
            with pytest.raises(RejectedError, match="cannot name an object"):
                await store.list(prefix)
        assert await keys_of(store) == []

    async def test_a_local_path_leads_to_the_bytes(self, store: ObjectStore) -> None:
        await store.create(KEY, CONTENT)
        path = store.local_path(KEY)
        if path is not None:
            assert await asyncio.to_thread(Path(path).read_bytes) == CONTENT

    @pytest.mark.rule("TIER-17")
    async def test_a_probe_says_what_the_store_does_and_leaves_nothing(
        self, store: ObjectStore
    ) -> None:
        assert isinstance(await store.probe(KEY), StoreCapabilities)
        assert await store.probe(KEY) == await store.probe(KEY)
        assert await keys_of(store) == []
        await store.create(KEY, CONTENT)
        with pytest.raises(ObjectExistsError):
            await store.create(KEY, CONTENT)
