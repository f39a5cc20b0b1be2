"""Object Lock in the words of S3: of requests, of answers, and of a bucket."""

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from everlog.model.object_lock import LockMode, ObjectLock
from everlog.stores.errors import StoreDeniedError
from everlog.stores.s3_errors import status_of, translating

_FORBIDDEN = 403
_LOCKLESS = frozenset(
    {
        "InvalidRequest",
        "MethodNotAllowed",
        "NotImplemented",
        "ObjectLockConfigurationNotFoundError",
    }
)
"""What servers answer for a bucket that has no Object Lock, or if they have none."""

_OPERATION, _WHAT = "read", "the Object Lock configuration"


def lock_attributes(lock: ObjectLock | None) -> dict[str, Any]:
    """Return what a request says of a lock: nothing without one, which some servers do not know."""
    if lock is None:
        return {}
    return {
        "ObjectLockMode": lock.mode.name,
        "ObjectLockRetainUntilDate": datetime.fromtimestamp(lock.until_ms / 1000, UTC),
    }


def lock_in(answer: dict[str, Any]) -> ObjectLock | None:
    """Return the lock that an answer tells; None also where this process may not know."""
    mode, until = answer.get("ObjectLockMode"), answer.get("ObjectLockRetainUntilDate")
    if not isinstance(mode, str) or mode not in LockMode.__members__ or until is None:
        return None
    return ObjectLock(LockMode[mode], int(until.timestamp() * 1000))


def bucket_can_lock(client: Any, bucket: str) -> bool:
    """Whether a bucket has Object Lock enabled.

    Raises:
        StoreDeniedError: These credentials may not know, or there is no such bucket.
        StoreUnavailableError: The store did not answer.
    """
    with translating(_OPERATION, _WHAT):
        try:
            answer = client.get_object_lock_configuration(Bucket=bucket)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOCKLESS:
                return False
            if status_of(error) == _FORBIDDEN:
                reason = "the credentials need s3:GetBucketObjectLockConfiguration"
                raise StoreDeniedError(_OPERATION, _WHAT, reason) from error
            raise
    enabled: str = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled", "")
    return enabled == "Enabled"
