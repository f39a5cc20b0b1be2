"""Numbers of ZooKeeper's wire: operations, errors, and kinds of events."""

from enum import IntEnum

from service.coordination.embedded.tree import Change
from service.coordination.metadata_store import (
    BadVersionError,
    EphemeralParentError,
    NodeError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
)


class OpCode(IntEnum):
    """Operations that are known here (``ZooDefs.OpCode``)."""

    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    AUTH = 100
    CLOSE = -11


class ErrorCode(IntEnum):
    """Errors that are told here (``KeeperException.Code``)."""

    OK = 0
    RUNTIME_INCONSISTENCY = -2
    CONNECTION_LOSS = -4
    UNIMPLEMENTED = -6
    BAD_ARGUMENTS = -8
    NO_NODE = -101
    BAD_VERSION = -103
    NO_CHILDREN_FOR_EPHEMERALS = -108
    NODE_EXISTS = -110
    NOT_EMPTY = -111
    INVALID_ACL = -114
    AUTH_FAILED = -115


OF_NODE_ERRORS: dict[type[NodeError], ErrorCode] = {
    NoNodeError: ErrorCode.NO_NODE,
    BadVersionError: ErrorCode.BAD_VERSION,
    EphemeralParentError: ErrorCode.NO_CHILDREN_FOR_EPHEMERALS,
    NodeExistsError: ErrorCode.NODE_EXISTS,
    NotEmptyError: ErrorCode.NOT_EMPTY,
}

OF_CHANGES: dict[Change, int] = {
    Change.CREATED: 1,
    Change.DELETED: 2,
    Change.SET: 3,
    Change.CHILDREN: 4,
}
"""``Watcher.Event.EventType``."""

MULTI_END = -1
"""In place of an operation: no other one follows, or an error does."""
