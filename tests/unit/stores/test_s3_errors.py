import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)
from urllib3.exceptions import SSLError

from everlog.model.errors import EverlogError
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreCorruptionError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.s3_errors import error_of, translating


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("NoSuchKey", 404, ObjectMissingError),
        ("404", 404, ObjectMissingError),
        ("NoSuchBucket", 404, StoreDeniedError),
        ("NoSuchUpload", 404, StoreUnavailableError),
        ("PreconditionFailed", 412, ObjectExistsError),
        ("412", 412, ObjectExistsError),
        ("ConditionalRequestConflict", 409, StoreUnavailableError),
        ("OperationAborted", 409, StoreUnavailableError),
        ("SlowDown", 503, StoreThrottledError),
        ("SlowDown", 200, StoreThrottledError),
        ("ServiceUnavailable", 503, StoreThrottledError),
        ("InternalError", 200, StoreUnavailableError),
        ("XAmzContentSHA256Mismatch", 400, StoreUnavailableError),
        ("504", 504, StoreUnavailableError),
        ("InvalidRange", 416, StoreCorruptionError),
        ("InvalidAccessKeyId", 403, StoreDeniedError),
        ("403", 403, StoreDeniedError),
        ("EntityTooLarge", 400, StoreDeniedError),
        ("PermanentRedirect", 301, StoreDeniedError),
        ("RequestTimeTooSkewed", 403, StoreDeniedError),
        ("NotImplemented", 501, StoreDeniedError),
    ],
)
def test_answers_are_told_apart_by_what_the_caller_does(
    code: str, status: int, expected: type[EverlogError]
) -> None:
    assert type(error_of("create", "a/seg", code=code, message="", status=status)) is expected


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("SignatureDoesNotMatch", "credentials"),
        ("AccessDenied", "s3:ListBucket"),
        ("PermanentRedirect", "region"),
        ("RequestTimeTooSkewed", "clock"),
        ("SomethingNew", "the store's URL"),
    ],
)
def test_a_refusal_says_what_to_check(code: str, hint: str) -> None:
    error = error_of("create", "a/seg", code=code, message="no", status=403)
    assert code in str(error)
    assert hint in str(error)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), StoreUnavailableError),
        (ConnectTimeoutError(endpoint_url="http://x"), StoreUnavailableError),
        (ReadTimeoutError(endpoint_url="http://x"), StoreUnavailableError),
        (HTTPClientError(error=OSError()), StoreUnavailableError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), StoreUnavailableError),
        (CredentialRetrievalError(provider="role", error_msg="down"), StoreUnavailableError),
        (SSLError("a broken record"), StoreUnavailableError),
        (FlexibleChecksumError(error_msg="bad"), StoreCorruptionError),
        (NoCredentialsError(), StoreDeniedError),
    ],
)
def test_failures_before_an_answer_are_translated(
    raised: Exception, expected: type[EverlogError]
) -> None:
    with pytest.raises(expected) as caught, translating("read", "a/seg"):
        raise raised
    assert caught.value.__cause__ is raised


def test_errors_of_others_pass() -> None:
    with pytest.raises(ZeroDivisionError), translating("read", "a/seg"):
        _ = 1 // 0
