import pytest

from everlog.model.errors import CorruptionError, EverlogError, RejectedError, RetriableError
from everlog.stores import errors
from everlog.stores.object_key import object_key

KEY = object_key("a/seg")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.StoreUnavailableError("read", KEY, "timeout"), RetriableError),
        (errors.StoreThrottledError("read", KEY, "SlowDown"), RetriableError),
        (errors.StoreDeniedError("read", KEY, "no permission"), RejectedError),
        (errors.StoreCorruptionError("read", KEY, "another checksum"), CorruptionError),
    ],
)
def test_an_error_of_a_call_can_be_made_again_from_its_attributes(
    error: errors.StoreUnavailableError, kind: type[EverlogError]
) -> None:
    assert isinstance(error, kind)
    again = type(error)(error.operation, error.key, error.reason)
    assert str(again) == str(error)
    assert "read a/seg: " in str(error)


def test_an_error_of_a_batch_says_how_many_and_why() -> None:
    why = errors.StoreThrottledError("delete", KEY, "SlowDown")
    error = errors.ObjectsNotDeletedError({KEY: why, object_key("b"): why})
    assert str(error) == "2 objects were not deleted; the first: delete a/seg: throttled: SlowDown"
    assert error.failures[KEY] is why
