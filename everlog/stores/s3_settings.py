"""Where an S3 bucket is and how patient we are with it."""

from dataclasses import dataclass

MULTIPART_BYTES_MIN = 128 << 20
"""Larger objects go in parts: S3 takes 5 GiB at once, but a failure would repeat it all."""

PART_BYTES = 64 << 20
"""S3 asks for at least 5 MiB and takes 10,000 parts, so objects end at 625 GiB."""

READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Everything about a store but its credentials, which come from the usual AWS chain.

    Attributes:
        prefix: What all names in the bucket begin with: empty, or ending with a slash.
        endpoint: URL of a server other than Amazon's.
        path_style: The bucket is in the path of a URL instead of in its host name.
        threads_max: Requests under way at a time, each with a connection, but for reads of ranges.
        reads_max: Reads of ranges under way at a time, each with a connection.
        connect_timeout_s: Also the longest that one write to a socket may wait while a body is sent
            (urllib3 2 keeps this timeout until the response is due), so no shorter than a store's
            own hiccups.
        read_timeout_s: The longest wait for the next bytes of a response.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    path_style: bool = False
    threads_max: int = 16
    reads_max: int = 64
    connect_timeout_s: float = 5.0
    read_timeout_s: float = READ_TIMEOUT_S
    multipart_bytes_min: int = MULTIPART_BYTES_MIN
    part_bytes: int = PART_BYTES
