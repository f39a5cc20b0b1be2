"""What kazoo's errors mean to whoever calls the metadata store."""

from collections.abc import Sequence

from kazoo import exceptions as kazoo

from everlog.model.errors import EverlogError, RejectedError
from service.coordination.metadata_store import (
    BadVersionError,
    ConnectionLostError,
    EphemeralParentError,
    InvalidPathError,
    NodeError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    Op,
    SessionExpiredError,
)

_OF_NODES: dict[type[BaseException], type[NodeError]] = {
    kazoo.NoNodeError: NoNodeError,
    kazoo.BadVersionError: BadVersionError,
    kazoo.NodeExistsError: NodeExistsError,
    kazoo.NotEmptyError: NotEmptyError,
    kazoo.NoChildrenForEphemeralsError: EphemeralParentError,
}

_REFUSED: dict[type[BaseException], str] = {
    kazoo.NoAuthError: (
        "this user may not do that; connect as the one who created the node, or change its ACL"
    ),
    kazoo.AuthFailedError: "the user or the password is wrong",
    kazoo.SessionClosedRequireSaslError: "it wants SASL; set zookeeper.sasl.user and its password",
    kazoo.InvalidACLError: (
        "it knows no user to give the node to; set zookeeper.digest.user or zookeeper.sasl.user, "
        "or zookeeper.set.acl=false"
    ),
    kazoo.QuotaExceededError: "the path has a quota, and it is used up; raise it with setquota",
    kazoo.MarshallingError: "the request is not as it expects; is it ZooKeeper 3.5 or newer?",
    kazoo.EphemeralOnLocalSessionError: "local sessions have no ephemeral nodes; disable them",
}

_ROLLED_BACK = (kazoo.RolledBackError, kazoo.RuntimeInconsistency)
"""What a transaction says of operations that failed only because another one did."""


def translated(error: BaseException, path: str) -> EverlogError:
    """Return the port's error for one of kazoo's.

    Args:
        error: What kazoo has raised, or returned in place of a result.
        path: What the call was about.
    """
    if type(error) in _OF_NODES:
        return _OF_NODES[type(error)](path)
    if isinstance(error, kazoo.SessionExpiredError):
        return SessionExpiredError("the session with ZooKeeper has ended")
    if isinstance(error, kazoo.BadArgumentsError):
        return InvalidPathError(f"{path!r} is no path of ZooKeeper")
    if type(error) in _REFUSED:
        return RejectedError(f"ZooKeeper refused {path}: {_REFUSED[type(error)]}")
    # Also what nobody expects: if it is not known to have failed, it may have been done.
    reason = str(error) or type(error).__name__
    return ConnectionLostError(f"{path}: ZooKeeper did not answer ({reason})")


def transaction_error(results: Sequence[object], ops: Sequence[Op]) -> EverlogError | None:
    """Return why a transaction was not done: its first real error (REL-K1); None if it was done.

    kazoo raises nothing: it returns an error for each operation, also for those that were rolled
    back, or not tried, because of another one.
    """
    errors = [
        (result, op.path)
        for result, op in zip(results, ops, strict=True)
        if isinstance(result, BaseException)
    ]
    for error, path in errors:
        if not isinstance(error, _ROLLED_BACK):
            return translated(error, path)
    return translated(*errors[0]) if errors else None
