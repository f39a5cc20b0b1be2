"""What boto3 raises, in the words of the port."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from everlog.model.errors import EverlogError
from everlog.stores.body import BodyReader
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreCorruptionError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.object_key import ObjectKey

_NO_ANSWER = (
    BotoConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    ResponseParserError,
    HTTPError,  # what botocore's streaming body lets through, such as a broken TLS record
)

_CREDENTIALS = "check the AWS credentials of this process (environment, profile or role)"
_WHAT_TO_CHECK = {
    "403": "check the credentials and their permissions",
    "AccessDenied": "the credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and "
    "s3:ListBucket; without the last one a missing object is answered like this, too",
    "AuthorizationHeaderMalformed": "check the region of the store's URL",
    "ExpiredToken": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidRequest": "archive.object.lock.mode of a topic needs a bucket with Object Lock, which "
    "everlog doctor store tells; else check the store's URL",
    "InvalidStorageClass": "the store does not have this class: change remote.storage.class or "
    "remote.storage.class.later, of the topic or of the broker",
    "InvalidToken": _CREDENTIALS,
    "NoSuchBucket": "create the bucket, or check its name and the endpoint",
    "NotImplemented": "the store lacks something that a probe at start finds out and does without",
    "PermanentRedirect": "check the region of the store's URL",
    "RequestTimeTooSkewed": "check the clock of this machine",
    "SignatureDoesNotMatch": _CREDENTIALS,
}
_CHECK_THE_URL = "check the store's URL"

_BY_CODE: Mapping[str, type[EverlogError]] = {
    **dict.fromkeys(_WHAT_TO_CHECK, StoreDeniedError),
    "404": ObjectMissingError,
    # The body was checked as it left, so it was damaged behind us.
    "BadDigest": StoreUnavailableError,
    "BandwidthLimitExceeded": StoreThrottledError,
    "ConditionalRequestConflict": StoreUnavailableError,
    "IncompleteBody": StoreUnavailableError,
    "InternalError": StoreUnavailableError,
    "InvalidRange": StoreCorruptionError,
    "NoSuchKey": ObjectMissingError,
    # The store dropped the upload: a repeated create starts a new one (AutoMQ issue 3206 repeated
    # the part instead).
    "NoSuchUpload": StoreUnavailableError,
    "OperationAborted": StoreUnavailableError,
    "PreconditionFailed": ObjectExistsError,
    "RequestLimitExceeded": StoreThrottledError,
    "RequestThrottled": StoreThrottledError,
    "RequestTimeout": StoreUnavailableError,
    "SlowDown": StoreThrottledError,
    "Throttling": StoreThrottledError,
    "ThrottlingException": StoreThrottledError,
    "TooManyRequests": StoreThrottledError,
    "TooManyRequestsException": StoreThrottledError,
    "XAmzContentSHA256Mismatch": StoreUnavailableError,  # like BadDigest
}

_BY_STATUS: Mapping[int, type[EverlogError]] = {
    408: StoreUnavailableError,
    409: StoreUnavailableError,
    412: ObjectExistsError,
    429: StoreThrottledError,
    500: StoreUnavailableError,
    502: StoreUnavailableError,
    503: StoreThrottledError,
    504: StoreUnavailableError,
}


@contextmanager
def translating(operation: str, key: str) -> Iterator[None]:
    """Turn what boto3 raises into errors of the port; everything else passes."""
    try:
        yield
    except ClientError as error:
        raise _answered(operation, key, error) from error
    except FlexibleChecksumError as error:
        raise StoreCorruptionError(operation, key, str(error)) from error
    except _NO_ANSWER as error:
        raise StoreUnavailableError(operation, key, str(error)) from error
    except BotoCoreError as error:
        raise StoreDeniedError(
            operation, key, f"{error}; {_CHECK_THE_URL}, and {_CREDENTIALS}"
        ) from error


def error_of(
    operation: str, key: str, *, code: str, message: str, status: int = 200
) -> EverlogError:
    """Return the error for an S3 error code.

    404, 409 and 412 mean different things: there is no such object; somebody else writes it at this
    moment, so ask again; it exists. A code wins over the status, since a failed upload may be
    answered with 200.
    """
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, StoreDeniedError)
    reason = f"{code}: {message}"
    if kind is ObjectExistsError or kind is ObjectMissingError:
        return kind(ObjectKey(key))
    if kind is StoreDeniedError:
        reason = f"{reason}; {_WHAT_TO_CHECK.get(code, _CHECK_THE_URL)}"
    return kind(operation, key, reason)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an answer."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _answered(operation: str, key: str, error: ClientError) -> EverlogError:
    answer = error.response.get("Error", {})
    return error_of(
        operation,
        key,
        code=answer.get("Code", ""),
        message=answer.get("Message", ""),
        status=status_of(error),
    )


@contextmanager
def sending(key: ObjectKey, body: BodyReader) -> Iterator[None]:
    """Translate, and raise what the body raised; boto3 hides that in an error of its own."""
    with translating("create", key):
        try:
            yield
        except HTTPClientError as error:
            if body.failure is not None:
                raise body.failure from error
            raise
