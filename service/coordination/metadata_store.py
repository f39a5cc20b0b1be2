"""Port for the cluster's metadata: a small versioned tree with ZooKeeper's semantics, and no more.

Every node has a path, at most `NODE_BYTES_MAX` bytes, and a version that starts at 0 and rises by
one with each set. All calls of all sessions have one order. What a call returns is durable, and so
is what a read has seen. Callbacks run on the event loop; they must return at once.

An outcome can be unknown (`ConnectionLostError`): whoever writes makes the call safe to repeat, by
its version.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from everlog.model.errors import FencedError, RejectedError, RetriableError

NODE_BYTES_MAX = 900 * 1024
"""Bytes of one node, and of one whole multi: ZooKeeper's jute.maxbuffer of 1 MiB less framing."""

SEQUENCE_DIGITS = 10
"""A sequential node's name ends in that many digits, as ZooKeeper writes them."""


class SessionState(Enum):
    """What is known about the session that holds the ephemeral nodes."""

    CONNECTED = "connected"
    """Calls work. After a SUSPENDED the watches are gone and what was read is stale: read again."""
    SUSPENDED = "suspended"
    """No answer at the moment. The session, and its ephemeral nodes, may or may not live on."""
    LOST = "lost"
    """The session has ended and its ephemeral nodes are gone; a new store object is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What the tree knows about a node besides its bytes.

    Attributes:
        version: Number of sets since the creation.
        czxid: Transaction that created the node: tells a recreated node from the old one.
        mzxid: Transaction that wrote its bytes last.
        ephemeral_owner: Session whose end removes the node; None when it stays.
    """

    version: int
    czxid: int
    mzxid: int
    ephemeral_owner: int | None


@dataclass(frozen=True, slots=True)
class Create:
    """Make a node below an existing parent; a sequential one ends in the parent's next number."""

    path: str
    data: bytes = b""
    ephemeral: bool = False
    sequential: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """Replace a node's bytes if it still has ``version``."""

    path: str
    data: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a childless node if it still has ``version``."""

    path: str
    version: int


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, but fail the whole multi unless the node has ``version``."""

    path: str
    version: int


Op = Create | Set | Delete | Check
Result = str | Stat | None
"""Of a create the actual path, of a set the new stat, of a delete or check None."""

Watcher = Callable[[str], None]
"""Called once, with the path that was watched. A hint to read again, never the news itself."""


class NodeError(RejectedError):
    """The tree is not as the call expected; nothing was changed."""

    reason = "the tree refused"

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: {self.reason}")
        self.path = path


class NodeExistsError(NodeError):
    """A create found its path taken."""

    reason = "the node exists already"


class NoNodeError(NodeError):
    """The node, or the parent of a node to create, is not there."""

    reason = "there is no such node"


class BadVersionError(NodeError):
    """Somebody wrote the node since it was read: read again and decide again, never just repeat."""

    reason = "the node has another version"


class NotEmptyError(NodeError):
    """A delete found children."""

    reason = "the node has children"


class EphemeralParentError(NodeError):
    """Ephemeral nodes cannot have children."""

    reason = "the parent is ephemeral"


class InvalidPathError(RejectedError):
    """A path that ZooKeeper would refuse."""


class NodeTooLargeError(RejectedError):
    """A node, or a whole multi, is above `NODE_BYTES_MAX`: split it."""


class SessionExpiredError(FencedError):
    """The session has ended and its ephemeral nodes are gone; somebody else may act instead."""


class ConnectionLostError(RetriableError):
    """The store did not answer; whether the call took effect is unknown, so read before a retry."""


class MetadataStore(Protocol):
    """One session with the tree.

    Besides the errors named below, every call raises `SessionExpiredError` after the session's end,
    `ConnectionLostError` when there is no answer, and `InvalidPathError`.
    """

    @property
    def session_id(self) -> int:
        """The owner of this session's ephemeral nodes; never used again by another session."""
        ...

    @property
    def state(self) -> SessionState:
        """The last known state; it may lag behind the truth, so only versions protect a write."""
        ...

    def subscribe(self, callback: Callable[[SessionState], None]) -> None:
        """Call back at every change of `state`, until the session has ended."""
        ...

    async def get(self, path: str, *, watch: Watcher | None = None) -> tuple[bytes, Stat]:
        """Read a node; ``watch`` hears of its next set or deletion.

        Raises:
            NoNodeError: There is none, and nothing is watched.
        """
        ...

    async def get_many(self, paths: Sequence[str]) -> list[tuple[bytes, Stat] | None]:
        """Read many nodes, pipelined, in order; None for a missing one. Not one moment's image."""
        ...

    async def exists(self, path: str, *, watch: Watcher | None = None) -> Stat | None:
        """Look for a node; ``watch`` hears of its creation, next set or deletion."""
        ...

    async def children(self, path: str, *, watch: Watcher | None = None) -> list[str]:
        """Return the names below a node, sorted; ``watch`` hears when one comes or goes.

        Raises:
            NoNodeError: There is no such node.
        """
        ...

    async def create(
        self, path: str, data: bytes = b"", *, ephemeral: bool = False, sequential: bool = False
    ) -> str:
        """Make a node and return its path.

        Raises:
            NodeExistsError: The path is taken.
            NoNodeError: The parent does not exist.
            EphemeralParentError: The parent is ephemeral.
            NodeTooLargeError: The bytes are above the limit.
        """
        ...

    async def set(self, path: str, data: bytes, *, version: int) -> Stat:
        """Replace a node's bytes and return its new stat.

        Raises:
            NoNodeError: There is no such node.
            BadVersionError: It has another version.
            NodeTooLargeError: The bytes are above the limit.
        """
        ...

    async def delete(self, path: str, *, version: int) -> None:
        """Remove a node.

        Raises:
            NoNodeError: There is no such node.
            BadVersionError: It has another version.
            NotEmptyError: It has children.
        """
        ...

    async def multi(self, ops: Sequence[Op]) -> list[Result]:
        """Do all of it, in order, or nothing.

        Raises:
            NodeError: The first op that failed, as its own call would have; ``path`` says which.
                Nothing changed, the numbers of sequential nodes included.
            NodeTooLargeError: One node, or all of it together, is above the limit.
        """
        ...

    async def sync(self, path: str) -> None:
        """Wait until this session's reads see whatever any session had written before the call."""
        ...

    async def close(self) -> None:
        """End the session; its ephemeral nodes go and `state` becomes LOST. Safe to repeat."""
        ...


def check_path(path: str) -> None:
    """Refuse a path that ZooKeeper would refuse.

    Raises:
        InvalidPathError: It is relative, or has an empty, ``.``, ``..`` or unprintable part.
    """
    if path == "/":
        return
    first, *parts = path.split("/")
    is_absolute = not first and bool(parts)
    if not is_absolute or not {"", ".", ".."}.isdisjoint(parts) or not path.isprintable():
        raise InvalidPathError(f"{path!r} is no path of the metadata tree")


def check_op(op: Op) -> None:
    """Refuse an operation that no tree could do.

    Raises:
        InvalidPathError: The path is malformed, or the root is to be deleted.
    """
    check_path(op.path)
    if op.path == "/" and isinstance(op, Delete):
        raise InvalidPathError("the root of the metadata tree cannot be deleted")


def check_ops(ops: Sequence[Op]) -> None:
    """Refuse what no store would take, before anything is sent.

    Raises:
        InvalidPathError: As `check_op`.
        NodeTooLargeError: One node, or all of it together, is above the limit.
    """
    total_bytes = 0
    for op in ops:
        check_op(op)
        total_bytes += len(op.path)
        if isinstance(op, Create | Set):
            total_bytes += len(op.data)
    if total_bytes > NODE_BYTES_MAX:
        what = ops[0].path if len(ops) == 1 else f"a transaction of {len(ops)} operations"
        raise NodeTooLargeError(
            f"{what} has {total_bytes} bytes; the metadata store takes {NODE_BYTES_MAX}"
        )
