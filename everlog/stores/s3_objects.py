"""Objects in an S3 bucket, with blocking calls; `S3ObjectStore` runs them in threads."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from crc32c import crc32c as crc32c_of

from everlog.model.errors import EverlogError, RetriableError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart, BodyReader, body_size
from everlog.stores.byte_range import larger_than, range_beyond_end, range_end
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreCorruptionError,
    StoreUnavailableError,
    not_shown_yet,
)
from everlog.stores.object_key import ObjectKey, is_object_key
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    StoreCapabilities,
)
from everlog.stores.received import Chunks
from everlog.stores.s3_checksum import checksum_in, checksum_text
from everlog.stores.s3_class import class_attribute
from everlog.stores.s3_errors import error_of, sending, translating
from everlog.stores.s3_lock import bucket_can_lock, lock_attributes, lock_in
from everlog.stores.s3_multipart import create_in_parts
from everlog.stores.s3_probe import PROBE_BODY, refuses_second_create, refuses_wrong_checksum
from everlog.stores.s3_settings import S3Settings
from everlog.stores.s3_signed_reads import SignedReads

_READ_BYTES = 256 << 10
"""Larger reads are no faster, and their memory is less often reused (boto3 issue 4342)."""

_DELETE_OBJECTS_MAX = 1000
"""In one DeleteObjects request, by the S3 API."""


class S3Objects:
    """The objects of one bucket below one prefix. Keys are checked by the caller."""

    def __init__(self, client: Any, settings: S3Settings) -> None:
        self._creates_exclusively = True
        self._client = client
        self._settings = settings
        self._signed = SignedReads(client, bucket=settings.bucket, prefix=settings.prefix)

    def create(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
        stop: threading.Event,
    ) -> CreatedObject:
        """Store an object and see that the store has the same bytes."""
        if not self._creates_exclusively:
            self._check_free(key)
        size = body_size(parts)
        attributes = {**class_attribute(storage_class), **lock_attributes(lock)}
        if size >= self._settings.multipart_bytes_min:
            answer = create_in_parts(
                self._client,
                self._target(key),
                key,
                parts,
                crc32c=crc32c,
                part_bytes=self._settings.part_bytes,
                attributes=attributes,
                condition=self._condition(),
                stop=stop,
            )
        else:
            with BodyReader(key, parts, crc32c=crc32c, stop=stop) as body:
                answer = self._put(key, body, crc32c, {**attributes, **self._condition()})
        self._check_stored(key, answer, size=size, crc32c=crc32c)
        return CreatedObject(key=key, size=size, crc32c=crc32c)

    def overwrite(self, key: ObjectKey, content: bytes) -> None:
        """Store an object in place of another."""
        crc32c = crc32c_of(content)
        with BodyReader(key, (content,), crc32c=crc32c, stop=threading.Event()) as body:
            self._put(key, body, crc32c, {})

    def chunks(self, key: ObjectKey, start: int, length: int, stop: threading.Event) -> Chunks:
        """Yield the bytes of a range."""
        end = range_end(start, length)
        with closing(self._signed.open(key, start, end, otherwise=self._open)) as body:
            while start < end:
                if stop.is_set():
                    raise CallStoppedError
                with translating("read", key):
                    chunk: bytes = body.read(min(_READ_BYTES, end - start))
                if not chunk:
                    raise StoreUnavailableError("read", key, f"the answer ends before {end}")
                start += len(chunk)
                yield chunk

    def _open(self, key: ObjectKey, start: int, end: int) -> Any:
        with translating("read", key):
            answer = self._client.get_object(**self._target(key), Range=f"bytes={start}-{end - 1}")
        with ExitStack() as cleanup:
            cleanup.callback(answer["Body"].close)
            _check_range(key, answer, start, end)
            cleanup.pop_all()
        return answer["Body"]

    def read_all(self, key: ObjectKey, size_max: int) -> bytes:
        """Return a whole object, verified if the store sends its checksum."""
        with translating("read", key):
            answer = self._client.get_object(**self._target(key), ChecksumMode="ENABLED")
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > size_max:
                    raise larger_than(key, answer["ContentLength"], size_max)
                content: bytes = body.read()
        kept = checksum_in(answer)
        if kept is not None and kept != crc32c_of(content):
            raise StoreCorruptionError(
                "read", key, f"its bytes have crc32c {crc32c_of(content):08x}, not {kept:08x}"
            )
        return content

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Return size, time and, where kept, checksum."""
        with translating("head", key):
            answer = self._client.head_object(**self._target(key), ChecksumMode="ENABLED")
        return ObjectInfo(
            key=key,
            size=answer["ContentLength"],
            modified_ms=_milliseconds(answer["LastModified"]),
            checksum_crc32c=checksum_in(answer),
            lock=lock_in(answer),
        )

    def list(self, prefix: str, start_after: str | None, limit: int) -> Sequence[ObjectInfo]:
        """Return one page of objects, of as many requests as it takes."""
        found: list[ObjectInfo] = []
        place = {} if start_after is None else {"StartAfter": self._settings.prefix + start_after}
        while len(found) < limit:
            with translating("list", prefix):
                answer = self._client.list_objects_v2(
                    Bucket=self._settings.bucket,
                    Prefix=self._settings.prefix + prefix,
                    MaxKeys=min(limit - len(found), LIST_OBJECTS_MAX),
                    **place,
                )
            found += self._listed(answer.get("Contents", ()))
            if not answer["IsTruncated"]:
                break
            following = {"ContinuationToken": answer.get("NextContinuationToken", "")}
            if following in ({"ContinuationToken": ""}, place):
                raise StoreUnavailableError("list", prefix, "the store answers the same page again")
            place = following
        return found

    def delete(self, keys: Sequence[ObjectKey]) -> None:
        """Delete objects in batches; what fails does not keep the others from going."""
        failures: dict[ObjectKey, EverlogError] = {}
        for at in range(0, len(keys), _DELETE_OBJECTS_MAX):
            batch = keys[at : at + _DELETE_OBJECTS_MAX]
            try:
                failures |= self._delete_batch(batch)
            except RetriableError as error:
                # The next batches would meet the same, and a throttled store wants none of them
                # now.
                failures |= dict.fromkeys(keys[at:], error)
                break
        if failures:
            raise ObjectsNotDeletedError(failures)

    def probe(self, key: ObjectKey) -> StoreCapabilities:
        """Try the bucket out with one object, and from now on do without what it lacks.

        Raises:
            StoreDeniedError: The bucket cannot be written, read or deleted from.
        """
        self.delete([key])
        self.overwrite(key, PROBE_BODY)
        with translating("probe", key):
            exclusive = refuses_second_create(self._client, self._target(key))
            verified = refuses_wrong_checksum(self._client, self._target(key))
        self.overwrite(key, PROBE_BODY)
        kept = self._head_of_new("probe", key).checksum_crc32c == crc32c_of(PROBE_BODY)
        self.delete([key])
        self._creates_exclusively = exclusive
        return StoreCapabilities(
            creates_exclusively=exclusive, verifies_checksums=verified, keeps_checksums=kept
        )

    def can_lock(self) -> bool:
        """Ask whether the bucket has Object Lock."""
        return bucket_can_lock(self._client, self._settings.bucket)

    def local_path(self, _key: ObjectKey) -> None:
        """Nothing is local."""
        return

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _target(self, key: ObjectKey) -> dict[str, str]:
        return {"Bucket": self._settings.bucket, "Key": self._settings.prefix + key}

    def _condition(self) -> dict[str, str]:
        return {"IfNoneMatch": "*"} if self._creates_exclusively else {}

    def _put(
        self, key: ObjectKey, body: BodyReader, crc32c: int, others: dict[str, Any]
    ) -> dict[str, Any]:
        with sending(key, body):
            answer: dict[str, Any] = self._client.put_object(
                **self._target(key),
                **others,
                Body=body,
                ContentType="application/octet-stream",
                ChecksumAlgorithm="CRC32C",
                ChecksumCRC32C=checksum_text(crc32c),
            )
        return answer

    def _check_free(self, key: ObjectKey) -> None:
        try:
            self.head(key)
        except ObjectMissingError:
            return
        raise ObjectExistsError(key)

    def _check_stored(
        self, key: ObjectKey, answer: dict[str, Any], *, size: int, crc32c: int
    ) -> None:
        kept = checksum_in(answer)
        if kept is None:
            # The store did not say what it has, so ask for it.
            info = self._head_of_new("create", key)
            kept = info.checksum_crc32c
            if info.size != size:
                raise StoreCorruptionError(
                    "create", key, f"the store has {info.size} bytes of {size}"
                )
        if kept is not None and kept != crc32c:
            raise StoreCorruptionError(
                "create", key, f"the store has crc32c {kept:08x}, {crc32c:08x} was sent"
            )

    def _head_of_new(self, operation: str, key: ObjectKey) -> ObjectInfo:
        try:
            return self.head(key)
        except ObjectMissingError as error:
            raise not_shown_yet(operation, key) from error

    def _listed(self, contents: Sequence[dict[str, Any]]) -> Sequence[ObjectInfo]:
        names = ((entry, entry["Key"][len(self._settings.prefix) :]) for entry in contents)
        return [
            ObjectInfo(
                key=ObjectKey(name),
                size=entry["Size"],
                modified_ms=_milliseconds(entry["LastModified"]),
                checksum_crc32c=None,
            )
            for entry, name in names
            if is_object_key(name)
        ]

    def _delete_batch(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, EverlogError]:
        prefix = self._settings.prefix
        with translating("delete", keys[0]):
            answer = self._client.delete_objects(
                Bucket=self._settings.bucket,
                Delete={"Quiet": True, "Objects": [{"Key": prefix + key} for key in keys]},
            )
        errors = {
            ObjectKey(failed["Key"][len(prefix) :]): error_of(
                "delete",
                failed["Key"][len(prefix) :],
                code=failed.get("Code", ""),
                message=failed.get("Message", ""),
            )
            for failed in answer.get("Errors", ())
        }
        return {
            key: error for key, error in errors.items() if not isinstance(error, ObjectMissingError)
        }


def _check_range(key: ObjectKey, answer: dict[str, Any], start: int, end: int) -> None:
    """See that the store sends what was asked for: some cut a range short, some ignore it."""
    sent, _, size = answer.get("ContentRange", "").partition("/")
    if sent == f"bytes {start}-{end - 1}" or (start, end) == (0, answer.get("ContentLength")):
        return
    if size.isdigit() and int(size) < end:
        raise range_beyond_end(key, start, end, size=int(size))
    raise StoreCorruptionError("read", key, f"asked for [{start}, {end}), the store sent {sent!r}")


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
