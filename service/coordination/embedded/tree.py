"""The versioned tree itself: nodes, versions, sequence numbers, ephemerals by owner. No I/O.

A transaction is drafted beside the tree and taken over only when every operation of it has
succeeded, so a failed one leaves nothing to undo. Nodes are immutable: a copy of the dictionary is
a snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from service.coordination.metadata_store import (
    SEQUENCE_DIGITS,
    BadVersionError,
    Check,
    Create,
    Delete,
    EphemeralParentError,
    NodeError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    Op,
    Result,
    Set,
    Stat,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``children_made`` counts creations below it and is the next sequence number."""

    data: bytes
    version: int
    czxid: int
    mzxid: int
    owner: int | None
    children_made: int

    def stat(self) -> Stat:
        """What a caller may know of it."""
        return Stat(
            version=self.version, czxid=self.czxid, mzxid=self.mzxid, ephemeral_owner=self.owner
        )

    def with_data(self, data: bytes, zxid: int) -> "Node":
        """Return it as it is after a set."""
        return Node(data, self.version + 1, self.czxid, zxid, self.owner, self.children_made)

    def with_another_child(self) -> "Node":
        """Return it as it is after a creation below it."""
        made = self.children_made + 1
        return Node(self.data, self.version, self.czxid, self.mzxid, self.owner, made)


class WatchKind(Enum):
    """What a watch waits for: the node's own existence and bytes, or the names below it."""

    DATA = "data"
    CHILDREN = "children"


class Change(Enum):
    """What has happened to the node that a watch was set on."""

    CREATED = "created"
    DELETED = "deleted"
    SET = "set"
    CHILDREN = "children"


Target = tuple[WatchKind, str]
"""What a watch waits for."""

Event = tuple[WatchKind, str, Change]

ANY_VERSION = -1
"""In an operation, as on ZooKeeper's wire: whichever version the node has, if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What is written down of a committed transaction: enough to repeat it on the same tree.

    ``ops`` carry actual paths in place of sequential ones, actual versions, and no checks.
    """

    zxid: int
    session: int
    ops: tuple[Create | Set | Delete, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A transaction that the tree has taken over, and what it takes to take it back."""

    transaction: Transaction
    results: list[Result]
    events: list[Event]
    replaced: Mapping[str, Node | None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All nodes as of the transaction ``zxid``."""

    zxid: int
    nodes: Mapping[str, Node]


K = TypeVar("K", str, int)

_ROOT = Node(b"", 0, 0, 0, None, 0)


def parent_of(path: str) -> str:
    """Return the path of the node above."""
    return path[: path.rfind("/")] or "/"


class Tree:
    """All nodes, by path."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.zxid = snapshot.zxid if snapshot else 0
        self._nodes: dict[str, Node] = {}
        self._children: dict[str, set[str]] = {}
        self._owned: dict[int, set[str]] = {}
        self._install(snapshot.nodes if snapshot else {"/": _ROOT})

    def find(self, path: str) -> Node | None:
        """Return a node, or None."""
        return self._nodes.get(path)

    def get(self, path: str) -> Node:
        """Return a node.

        Raises:
            NoNodeError: There is none.
        """
        node = self._nodes.get(path)
        if node is None:
            raise NoNodeError(path)
        return node

    def children(self, path: str) -> list[str]:
        """Return the sorted names below a node.

        Raises:
            NoNodeError: There is no such node.
        """
        self.get(path)
        start = len(path) + (path != "/")
        return sorted(child[start:] for child in self._children.get(path, ()))

    def child_count(self, path: str) -> int:
        """Return how many nodes are right below a path."""
        return len(self._children.get(path, ()))

    @property
    def node_count(self) -> int:
        """How many nodes there are, the root among them."""
        return len(self._nodes)

    def owned(self, session: int) -> list[str]:
        """Return the paths of a session's ephemeral nodes."""
        return sorted(self._owned.get(session, ()))

    def owners(self) -> list[int]:
        """Return the sessions that own an ephemeral node."""
        return sorted(self._owned)

    def apply(self, ops: Sequence[Op], *, session: int) -> Applied:
        """Do all of it as the next transaction, or nothing.

        Raises:
            NodeError: The first op that failed; the tree is as it was.
        """
        draft = _Draft(self, zxid=self.zxid + 1, session=session)
        results = [draft.apply(op) for op in ops]
        replaced = self._install(draft.changed)
        self.zxid += 1
        return Applied(
            transaction=Transaction(zxid=self.zxid, session=session, ops=tuple(draft.written)),
            results=results,
            events=_events(draft.changed, replaced),
            replaced=replaced,
        )

    def first_failing(self, ops: Sequence[Op], *, session: int) -> int:
        """Return the index of the operation that `apply` would fail at; their count if at none."""
        draft = _Draft(self, zxid=self.zxid + 1, session=session)
        for index, op in enumerate(ops):
            try:
                draft.apply(op)
            except NodeError:
                return index
        return len(ops)

    def undo(self, applied: Applied) -> None:
        """Take back the newest transaction, as if it had never been."""
        assert applied.transaction.zxid == self.zxid, "only the newest transaction can be undone"
        self._install(applied.replaced)
        self.zxid -= 1

    def snapshot(self) -> Snapshot:
        """Return all nodes as they are now; later transactions do not show in it."""
        return Snapshot(self.zxid, dict(self._nodes))

    def _install(self, changed: Mapping[str, Node | None]) -> dict[str, Node | None]:
        replaced: dict[str, Node | None] = {}
        for path, node in changed.items():
            old = self._nodes.get(path)
            replaced[path] = old
            if node is None:
                self._nodes.pop(path, None)
            else:
                self._nodes[path] = node
            if (old is None) != (node is None) and path != "/":
                _toggle(self._children, parent_of(path), path)
            self._own(path, old, node)
        return replaced

    def _own(self, path: str, old: Node | None, new: Node | None) -> None:
        was = old.owner if old else None
        now = new.owner if new else None
        if was != now:
            for owner in (was, now):
                if owner is not None:
                    _toggle(self._owned, owner, path)


def _toggle(members: dict[K, set[str]], key: K, path: str) -> None:
    paths = members.setdefault(key, set())
    paths ^= {path}
    if not paths:
        del members[key]


class _Draft:
    """What one transaction would change. Drop it, and nothing has happened."""

    def __init__(self, tree: Tree, *, zxid: int, session: int) -> None:
        self._tree = tree
        self._zxid = zxid
        self._session = session
        self._child_counts: dict[str, int] = {}
        self.changed: dict[str, Node | None] = {}
        self.written: list[Create | Set | Delete] = []

    def apply(self, op: Op) -> Result:
        """Try one operation on top of those before it."""
        match op:
            case Create():
                return self._create(op)
            case Set():
                return self._set(op)
            case Delete():
                self._delete(op)
            case Check():
                self._expect(op.path, op.version)
        return None

    def _create(self, op: Create) -> str:
        above = parent_of(op.path)
        parent = self._find(above)
        if parent is None:
            raise NoNodeError(op.path)
        if parent.owner is not None:
            raise EphemeralParentError(op.path)
        path = f"{op.path}{parent.children_made:0{SEQUENCE_DIGITS}}" if op.sequential else op.path
        if self._find(path) is not None:
            raise NodeExistsError(path)
        owner = self._session if op.ephemeral else None
        self.changed[path] = Node(op.data, 0, self._zxid, self._zxid, owner, 0)
        self.changed[above] = parent.with_another_child()
        self._child_counts[above] = self._child_count(above) + 1
        self.written.append(Create(path, op.data, op.ephemeral) if op.sequential else op)
        return path

    def _set(self, op: Set) -> Stat:
        old = self._expect(op.path, op.version)
        node = old.with_data(op.data, self._zxid)
        self.changed[op.path] = node
        self.written.append(Set(op.path, op.data, old.version))
        return node.stat()

    def _delete(self, op: Delete) -> None:
        node = self._expect(op.path, op.version)
        if self._child_count(op.path):
            raise NotEmptyError(op.path)
        self.changed[op.path] = None
        above = parent_of(op.path)
        self._child_counts[above] = self._child_count(above) - 1
        self.written.append(Delete(op.path, node.version))

    def _find(self, path: str) -> Node | None:
        return self.changed[path] if path in self.changed else self._tree.find(path)

    def _child_count(self, path: str) -> int:
        count = self._child_counts.get(path)
        return self._tree.child_count(path) if count is None else count

    def _expect(self, path: str, version: int) -> Node:
        node = self._find(path)
        if node is None:
            raise NoNodeError(path)
        if version not in (ANY_VERSION, node.version):
            raise BadVersionError(path)
        return node


def _events(changed: Mapping[str, Node | None], replaced: Mapping[str, Node | None]) -> list[Event]:
    """Say what watchers should hear of; a node replaced within one transaction went and came."""
    events: list[Event] = []
    for path, node in changed.items():
        old = replaced[path]
        if (old and old.czxid) != (node and node.czxid):
            change = Change.CREATED if old is None else Change.DELETED
            events.append((WatchKind.DATA, path, change))
            if old is not None:
                events.append((WatchKind.CHILDREN, path, change))
            events.append((WatchKind.CHILDREN, parent_of(path), Change.CHILDREN))
        elif old and node and old.mzxid != node.mzxid:
            events.append((WatchKind.DATA, path, Change.SET))
    return events
