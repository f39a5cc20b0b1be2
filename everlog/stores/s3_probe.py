"""What an S3-compatible store really does with conditions and checksums."""

from typing import Any

from botocore.exceptions import ClientError
from crc32c import crc32c as crc32c_of

from everlog.stores.s3_checksum import checksum_text
from everlog.stores.s3_errors import status_of

PROBE_BODY = b"everlog probe"

_BAD_REQUEST = 400
_PRECONDITION_FAILED = 412
_NOT_IMPLEMENTED = 501


def refuses_second_create(client: Any, target: dict[str, str]) -> bool:
    """Create an object that exists. Some stores do it, some do not know the condition at all (501).

    Raises:
        ClientError: The store failed at something else.
    """
    try:
        client.put_object(**target, Body=PROBE_BODY, IfNoneMatch="*")
    except ClientError as error:
        if status_of(error) == _PRECONDITION_FAILED:
            return True
        if status_of(error) != _NOT_IMPLEMENTED:
            raise
    return False


def refuses_wrong_checksum(client: Any, target: dict[str, str]) -> bool:
    """Overwrite an object with bytes of another checksum than the request says.

    Raises:
        ClientError: The store failed at something else.
    """
    wrong = checksum_text(crc32c_of(PROBE_BODY) ^ 1)
    try:
        client.put_object(
            **target, Body=PROBE_BODY, ChecksumAlgorithm="CRC32C", ChecksumCRC32C=wrong
        )
    except ClientError as error:
        if status_of(error) != _BAD_REQUEST:
            raise
        return True
    return False
