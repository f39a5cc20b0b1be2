"""Making the boto3 client: one for a store, shared by its threads."""

import base64
import hashlib
from typing import Any

import boto3.session
from botocore.config import Config
from botocore.handlers import add_expect_header

from everlog.stores.s3_settings import S3Settings


def s3_client(settings: S3Settings, *, session: boto3.session.Session | None = None) -> Any:
    """Make a client for a bucket. Blocks for half a second: boto3 reads its models from disk.

    Args:
        settings: Where the bucket is.
        session: Whose credentials to use. None: the usual AWS chain.
    """
    # With an endpoint of its own, "auto" always means the path.
    virtual = "auto" if settings.endpoint is None else "virtual"
    over_tls = settings.endpoint is None or settings.endpoint.startswith("https:")
    client = (session or boto3.session.Session()).client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        config=Config(
            # What boto3 uses anyway, but for signed URLs, where it is not the default.
            signature_version="s3v4",
            s3={
                "addressing_style": "path" if settings.path_style else virtual,
                # Signing reads and hashes the body once more (twice the CPU); over TLS nobody can
                # change it anyway.
                "payload_signing_enabled": not over_tls,
            },
            # Repeating is RetryingObjectStore's business, which can tell a repeated create from a
            # second one.
            retries={"total_max_attempts": 1, "mode": "standard"},
            # We send CRC32C as a header; botocore's default is a trailer, which some stores do not
            # take.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=settings.threads_max + settings.reads_max,
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            tcp_keepalive=True,
        ),
    )
    # Where a server answers at once instead of with "100 Continue", botocore takes that status for
    # the one of the next request on the connection, too (botocore issues 3755 and 1863): an upload
    # that failed would count as stored. Not waiting for a 100 also saves a round trip.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_content_md5)
    return client


def _add_content_md5(request: Any, **_: object) -> None:
    """Send the checksum of old; some stores still take no other for this request."""
    digest = hashlib.md5(request.data, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
