import pytest
from kazoo import exceptions as kazoo

from everlog.model.errors import EverlogError, RejectedError
from service.coordination.metadata_store import (
    BadVersionError,
    Check,
    ConnectionLostError,
    Create,
    EphemeralParentError,
    InvalidPathError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    SessionExpiredError,
)
from service.coordination.zookeeper.errors import transaction_error, translated


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (kazoo.NoNodeError(), NoNodeError),
        (kazoo.NodeExistsError(), NodeExistsError),
        (kazoo.BadVersionError(), BadVersionError),
        (kazoo.NotEmptyError(), NotEmptyError),
        (kazoo.NoChildrenForEphemeralsError(), EphemeralParentError),
        (kazoo.SessionExpiredError(), SessionExpiredError),
        (kazoo.ConnectionClosedError(), SessionExpiredError),
        (kazoo.BadArgumentsError(), InvalidPathError),
        (kazoo.ConnectionLoss(), ConnectionLostError),
        (kazoo.OperationTimeoutError(), ConnectionLostError),
        (kazoo.ThrottledOpError(), ConnectionLostError),
        (kazoo.SessionMovedError(), ConnectionLostError),
        (kazoo.SystemZookeeperError(), ConnectionLostError),
        (RuntimeError("xids do not match"), ConnectionLostError),
        (kazoo.NoAuthError(), RejectedError),
        (kazoo.AuthFailedError(), RejectedError),
        (kazoo.QuotaExceededError(), RejectedError),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_an_error_says_what_its_caller_can_do(
    error: BaseException, kind: type[EverlogError]
) -> None:
    found = translated(error, "/a")
    assert type(found) is kind
    assert "/a" in str(found) or kind is SessionExpiredError


OPS = [Create("/a"), Check("/b", 1), Create("/c")]


@pytest.mark.rule("REL-K1")
@pytest.mark.parametrize(
    ("results", "kind", "path"),
    [
        (
            [kazoo.RolledBackError(), kazoo.BadVersionError(), kazoo.RuntimeInconsistency()],
            BadVersionError,
            "/b",
        ),
        (
            [kazoo.RuntimeInconsistency(), kazoo.RuntimeInconsistency(), kazoo.NoNodeError()],
            NoNodeError,
            "/c",
        ),
        ([kazoo.NodeExistsError(), kazoo.RuntimeInconsistency()] * 2, NodeExistsError, "/a"),
    ],
)
def test_the_first_real_error_of_a_transaction_counts(
    results: list[object], kind: type[EverlogError], path: str
) -> None:
    error = transaction_error(results[:3], OPS)
    assert type(error) is kind
    assert path in str(error)


def test_a_transaction_that_was_only_rolled_back_may_be_tried_again() -> None:
    assert isinstance(
        transaction_error([kazoo.RuntimeInconsistency()] * 3, OPS), ConnectionLostError
    )


def test_a_transaction_without_errors_has_none() -> None:
    assert transaction_error(["/a", True, "/c"], OPS) is None
