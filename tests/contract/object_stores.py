"""Object stores for tests: servers to run them against, and one that fails on cue."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import boto3.session
from moto.server import ThreadedMotoServer

from bench.buckets.seaweedfs import CREDENTIALS, seaweedfs, weed_binary
from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import StoreThrottledError, StoreUnavailableError
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)
from everlog.stores.s3 import S3ObjectStore
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_settings import S3Settings

ResultT = TypeVar("ResultT")

__all__ = ["weed_binary"]  # who needs it looks for it beside `seaweedfs_endpoint`

BUCKET = "everlog-tests"
LOCKING_BUCKET = "everlog-locks"
ACCESS_KEY, SECRET_KEY = CREDENTIALS.values()


class SteadyClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000
        self.now_s = 0.0

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.now_s


class SeededIds:
    """Randomness that a seed repeats."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)

    def uuid(self) -> bytes:
        return self._random.randbytes(16)

    def uniform(self) -> float:
        return self._random.random()


@dataclass
class FailingStore:
    """A store whose calls fail as a plan says: before they do anything, or after they did it all.

    The second kind is the lost answer: the caller cannot tell one from the other.
    """

    store: ObjectStore
    plan: Callable[[], tuple[Exception | None, Exception | None]]
    calls: list[str] = field(default_factory=list)

    async def _run(self, name: str, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        self.calls.append(name)
        before, after = self.plan()
        if before is not None:
            raise before
        result = await call()
        if after is not None:
            raise after
        return result

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        return await self._run("create", lambda: self.store.create(key, body, crc32c=crc32c))

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        return await self._run(
            "create",
            lambda: self.store.create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
            ),
        )

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        await self._run("overwrite", lambda: self.store.overwrite(key, body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await self._run("read", lambda: self.store.read(key, start, length))

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return await self._run("read", lambda: self.store.read_all(key, size_max=size_max))

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        await self._run("read", lambda: self.store.read_into(key, start, buffer))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        return await self._run("read", lambda: self.store.read_into_file(key, start, length, path))

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return await self._run("head", lambda: self.store.head(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return await self._run(
            "list", lambda: self.store.list(prefix, start_after=start_after, limit=limit)
        )

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        await self._run("delete", lambda: self.store.delete(keys))

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        return await self._run("probe", lambda: self.store.probe(key))

    async def can_lock(self) -> bool:
        return await self._run("read", self.store.can_lock)

    def local_path(self, key: ObjectKey) -> str | None:
        return self.store.local_path(key)

    async def close(self) -> None:
        await self.store.close()


def unreliable(store: ObjectStore, *, seed: int) -> FailingStore:
    """Fail two calls of five for no lasting reason, half of them after they succeeded."""
    random = Random(seed)

    def plan() -> tuple[Exception | None, Exception | None]:
        chance = random.random()
        if chance < 0.2:
            return StoreThrottledError("call", "-", "SlowDown"), None
        if chance < 0.4:
            return None, StoreUnavailableError("call", "-", "the answer was lost")
        return None, None

    return FailingStore(store, plan)


@contextmanager
def moto_endpoint() -> Iterator[str]:
    """Run moto's S3 on a free port; it checks neither signatures nor checksums."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = s3_client(s3_settings(endpoint), session=s3_session())
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield endpoint
    finally:
        server.stop()


@contextmanager
def seaweedfs_endpoint(program: str) -> Iterator[str]:
    """Run SeaweedFS on free ports, with real signatures, checksums and files."""
    with (
        tempfile.TemporaryDirectory(prefix="weed") as home,
        seaweedfs(Path(home), program=program, name=BUCKET, is_kept=False) as bucket,
    ):
        yield bucket.endpoint


@cache
def s3_session() -> boto3.session.Session:
    """Return credentials that the servers here take, whatever the environment says.

    One session for all tests, since it keeps the models that take boto3 half a second to read.
    """
    return boto3.session.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


def s3_settings(endpoint: str, **others: Any) -> S3Settings:
    """Return settings for a server of this module."""
    return S3Settings(
        bucket=BUCKET, endpoint=endpoint, region="us-east-1", path_style=True, **others
    )


def s3_store(endpoint: str, *, signs_bodies: bool = True, **others: Any) -> S3ObjectStore:
    """Open the bucket of a server of this module.

    Args:
        endpoint: The server.
        signs_bodies: False sends bodies as over TLS: unread until they leave, and not signed.
        others: More settings.
    """
    settings = s3_settings(endpoint, **others)
    client = s3_client(settings, session=s3_session())
    client.meta.config.s3["payload_signing_enabled"] = signs_bodies
    return S3ObjectStore(settings, client=client)


def locking_bucket(endpoint: str, **others: Any) -> S3ObjectStore:
    """Open a bucket with Object Lock, made if it is not there yet."""
    settings = replace(s3_settings(endpoint, **others), bucket=LOCKING_BUCKET)
    client = s3_client(settings, session=s3_session())
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=LOCKING_BUCKET, ObjectLockEnabledForBucket=True)
    return S3ObjectStore(settings, client=client)


async def class_of(endpoint: str, name: str) -> str:
    """Ask a server for the storage class of an object, by its whole name in the bucket."""
    client = s3_client(s3_settings(endpoint), session=s3_session())
    try:
        found = await asyncio.to_thread(client.head_object, Bucket=BUCKET, Key=name)
    finally:
        client.close()
    return str(found.get("StorageClass", "STANDARD"))
