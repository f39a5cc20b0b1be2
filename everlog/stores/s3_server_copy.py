"""Copies between two buckets, or two prefixes, of one S3 endpoint: no byte comes by here."""

from typing import Any

from everlog.model.storage_class import StorageClass
from everlog.stores.call_threads import CallThreads
from everlog.stores.object_key import ObjectKey
from everlog.stores.s3_class import class_attribute
from everlog.stores.s3_client import s3_client
from everlog.stores.s3_errors import translating
from everlog.stores.s3_settings import S3Settings


class S3ServerCopy:
    """Has a server copy objects under their own names.

    Args:
        source: Where they are.
        target: Where they go; its credentials have to be able to read the source.
        client: Of the target's endpoint; closed with this.
    """

    def __init__(self, source: S3Settings, target: S3Settings, *, client: Any = None) -> None:
        self._source = source
        self._target = target
        self._client = s3_client(target) if client is None else client
        self._threads = CallThreads("everlog-s3-copy", threads_max=target.threads_max)

    async def copy(
        self, key: ObjectKey, *, storage_class: StorageClass = StorageClass.STANDARD
    ) -> None:
        """Copy one object of at most 5 GiB, whatever the target has under its name.

        Args:
            key: Of the object in both stores.
            storage_class: What the target is to keep it as.

        Raises:
            ObjectMissingError: The source does not have it.
            StoreDeniedError: The server does not let these credentials do that.
            StoreUnavailableError: Outcome unknown.
        """
        await self._threads.run(lambda: self._copy(key, storage_class))

    async def close(self) -> None:
        """Wait for the copies under way and close the connections."""
        await self._threads.close()
        self._client.close()

    def _copy(self, key: ObjectKey, storage_class: StorageClass) -> None:
        # The metadata comes along; the checksum is computed anew, over the whole object.
        with translating("copy", key):
            self._client.copy_object(
                Bucket=self._target.bucket,
                Key=self._target.prefix + key,
                CopySource={"Bucket": self._source.bucket, "Key": self._source.prefix + key},
                ChecksumAlgorithm="CRC32C",
                **class_attribute(storage_class),
            )
