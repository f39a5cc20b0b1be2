"""Object store in an S3 bucket, of Amazon's or of a server that speaks like it.

One boto3 client in a bounded pool of threads does everything. boto3 in threads takes a quarter of
the CPU of an asyncio client for each byte read, and about the same for small requests; so there is
no second client for those.
"""

from typing import Any

from everlog.stores.s3_client import s3_client
from everlog.stores.s3_objects import S3Objects
from everlog.stores.s3_settings import S3Settings
from everlog.stores.threaded import ThreadedObjectStore


class S3ObjectStore(ThreadedObjectStore):
    """Objects in a bucket, below the prefix of the settings."""

    def __init__(self, settings: S3Settings, *, client: Any = None) -> None:
        """Open a bucket without a request; blocks while boto3 loads.

        Args:
            settings: Where the bucket is.
            client: What `s3_client` made; the store closes it. None: one with the usual AWS
                credentials.
        """
        objects = S3Objects(s3_client(settings) if client is None else client, settings)
        super().__init__(
            objects,
            name="everlog-s3",
            threads_max=settings.threads_max,
            reads_max=settings.reads_max,
        )
