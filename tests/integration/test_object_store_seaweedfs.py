"""The port's promises on a server that really checks signatures and checksums: SeaweedFS."""

import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import boto3.session
import pytest
from botocore.exceptions import ClientError
from crc32c import crc32c

from everlog.model.object_lock import LockMode, ObjectLock
from everlog.stores.body import BodyPart, FilePart
from everlog.stores.errors import ObjectExistsError, StoreDeniedError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore, StoreCapabilities
from everlog.stores.s3 import S3ObjectStore
from everlog.stores.s3_client import s3_client
from tests.contract.object_store_contract import KEY, ObjectStoreContract
from tests.contract.object_stores import (
    LOCKING_BUCKET,
    locking_bucket,
    s3_session,
    s3_settings,
    s3_store,
)

TESTS = itertools.count()


@pytest.fixture(params=["signed", "unsigned"])
async def store(seaweedfs: str, request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    opened = s3_store(
        seaweedfs, prefix=f"test-{next(TESTS)}/", signs_bodies=request.param == "signed"
    )
    yield opened
    await opened.close()


class TestSeaweedFS(ObjectStoreContract):
    async def test_folders_sort_before_longer_names_and_no_page_misses_any(
        self, store: ObjectStore
    ) -> None:
        names = ["A", "a/1", "a-b/1", "a.b", "a0", "a=b", "a_b"]
        for name in names:
            await store.create(object_key(f"p/{name}"), b"")
        listed: list[str] = []
        while batch := await store.list("p/", start_after=listed[-1] if listed else "", limit=2):
            listed += [info.key for info in batch]
        assert listed == [f"p/{name}" for name in names]

    async def test_it_has_every_second_line_of_defence(self, store: ObjectStore) -> None:
        assert await store.probe(KEY) == StoreCapabilities(
            creates_exclusively=True, verifies_checksums=True, keeps_checksums=True
        )

    async def test_large_objects_go_in_parts(self, seaweedfs: str, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_bytes(bytes(range(256)) * (12 << 12))
        body = log.read_bytes() + b"footer"
        opened = s3_store(
            seaweedfs,
            prefix=f"test-{next(TESTS)}/",
            multipart_bytes_min=6 << 20,
            part_bytes=5 << 20,
        )
        parts: list[BodyPart] = [FilePart(str(log), 0, 12 << 20), b"footer"]
        await opened.create_from_file(KEY, parts, crc32c=crc32c(body))
        info = await opened.head(KEY)
        assert (info.size, info.checksum_crc32c) == (len(body), crc32c(body))
        assert await opened.read_all(KEY, size_max=len(body)) == body
        with pytest.raises(ObjectExistsError):
            await opened.create_from_file(KEY, parts, crc32c=crc32c(body))
        await opened.close()


@pytest.mark.parametrize("multipart_bytes_min", [5 << 20, 64 << 20])
@pytest.mark.parametrize("mode", LockMode)
async def test_what_is_locked_is_only_hidden_by_a_deletion(
    seaweedfs: str, mode: LockMode, multipart_bytes_min: int
) -> None:
    prefix = f"test-{next(TESTS)}/"
    store = locking_bucket(
        seaweedfs, prefix=prefix, multipart_bytes_min=multipart_bytes_min, part_bytes=5 << 20
    )
    assert await store.can_lock()
    lock = ObjectLock(mode, (int(time.time()) + 3600) * 1000)
    body = b"x" * (6 << 20)
    await store.create_from_file(KEY, [body], crc32c=crc32c(body), lock=lock)
    assert (await store.head(KEY)).lock == lock
    await store.delete([KEY])
    assert await store.list("") == []
    client = s3_client(s3_settings(seaweedfs), session=s3_session())
    (kept,) = client.list_object_versions(Bucket=LOCKING_BUCKET, Prefix=prefix)["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=LOCKING_BUCKET, Key=kept["Key"], VersionId=kept["VersionId"])
    client.close()
    await store.close()


async def test_a_bucket_without_object_lock_cannot_lock(seaweedfs: str) -> None:
    store = s3_store(seaweedfs, prefix=f"test-{next(TESTS)}/")
    assert not await store.can_lock()
    lock = ObjectLock(LockMode.GOVERNANCE, (int(time.time()) + 3600) * 1000)
    with pytest.raises(StoreDeniedError, match="a bucket with Object Lock"):
        await store.create_from_file(KEY, [b"x"], crc32c=crc32c(b"x"), lock=lock)
    await store.close()


@pytest.mark.parametrize("attempt", ["create", "head", "list", "delete"])
async def test_wrong_credentials_are_a_matter_for_people(seaweedfs: str, attempt: str) -> None:
    settings = s3_settings(seaweedfs)
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="wrong")  # noqa: S106 - on purpose
    store = S3ObjectStore(settings, client=s3_client(settings, session=session))
    attempts: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: store.create(KEY, b""),
        "head": lambda: store.head(KEY),
        "list": lambda: store.list(""),
        "delete": lambda: store.delete([KEY]),
    }
    with pytest.raises(StoreDeniedError, match=r"the AWS credentials|the credentials and"):
        await attempts[attempt]()
    await store.close()
