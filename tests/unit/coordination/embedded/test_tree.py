"""The tree without its files: what a transaction may and may not leave behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.coordination.embedded.tree import ANY_VERSION, Change, Tree, WatchKind
from service.coordination.metadata_store import (
    Check,
    Create,
    Delete,
    NodeError,
    NodeExistsError,
    NoNodeError,
    Op,
    Set,
)

_PATHS = st.sampled_from(["/a", "/b", "/a/x", "/a/y", "/a/x/deep", "/b/x"])
_VERSIONS = st.integers(ANY_VERSION, 2)
_OPS: st.SearchStrategy[Op] = st.one_of(
    st.builds(Create, _PATHS, st.binary(max_size=2), st.booleans(), st.booleans()),
    st.builds(Set, _PATHS, st.binary(max_size=2), _VERSIONS),
    st.builds(Delete, _PATHS, _VERSIONS),
    st.builds(Check, _PATHS, _VERSIONS),
)
_TRANSACTIONS = st.lists(st.lists(_OPS, max_size=4), max_size=12)


def _everything(tree: Tree) -> object:
    nodes = dict(tree.snapshot().nodes)
    listed = {path: tree.children(path) for path in nodes}
    owned = {owner: tree.owned(owner) for owner in tree.owners()}
    return tree.zxid, nodes, listed, owned


def _one_by_one(tree: Tree, ops: list[Op], session: int) -> bool:
    """Do what a multi should in the simplest way: each op by itself, up to the first error."""
    try:
        for op in ops:
            tree.apply([op], session=session)
    except NodeError:
        return False
    return True


@given(_TRANSACTIONS)
def test_a_transaction_is_all_or_nothing(transactions: list[list[Op]]) -> None:
    tree = Tree()
    for session, ops in enumerate(transactions, 1):
        before = _everything(tree)
        single = Tree(tree.snapshot())
        succeeds = _one_by_one(single, ops, session)
        try:
            tree.apply(ops, session=session)
        except NodeError:
            assert not succeeds
            assert _everything(tree) == before
        else:
            assert succeeds
            assert tree.zxid == before[0] + 1  # type: ignore[index]
            one, other = tree.snapshot().nodes, single.snapshot().nodes
            assert one.keys() == other.keys()
            for path, node in one.items():
                assert node.data == other[path].data
                assert node.version == other[path].version
                assert node.owner == other[path].owner
                assert node.children_made == other[path].children_made


@given(_TRANSACTIONS)
def test_transactions_can_be_taken_back_newest_first(transactions: list[list[Op]]) -> None:
    tree = Tree()
    applied, images = [], [_everything(tree)]
    for session, ops in enumerate(transactions, 1):
        try:
            applied.append(tree.apply(ops, session=session))
        except NodeError:
            continue
        images.append(_everything(tree))
    for each in reversed(applied):
        assert _everything(tree) == images.pop()
        tree.undo(each)
    assert _everything(tree) == images.pop()


@given(_TRANSACTIONS)
def test_what_is_written_down_repeats_the_transaction_exactly(
    transactions: list[list[Op]],
) -> None:
    tree, copy = Tree(), Tree()
    for session, ops in enumerate(transactions, 1):
        try:
            transaction = tree.apply(ops, session=session).transaction
        except NodeError:
            continue
        copy.apply(transaction.ops, session=transaction.session)
    assert _everything(copy) == _everything(tree)


@given(_TRANSACTIONS)
def test_a_tree_made_from_a_snapshot_is_the_same_tree(transactions: list[list[Op]]) -> None:
    tree = Tree()
    for session, ops in enumerate(transactions, 1):
        try:
            tree.apply(ops, session=session)
        except NodeError:
            continue
    assert _everything(Tree(tree.snapshot())) == _everything(tree)


def test_a_snapshot_does_not_change_with_the_tree() -> None:
    tree = Tree()
    tree.apply([Create("/a", b"old")], session=0)
    snapshot = tree.snapshot()
    tree.apply([Set("/a", b"new", 0), Create("/b")], session=0)
    assert snapshot.nodes["/a"].data == b"old"
    assert "/b" not in snapshot.nodes


def test_a_session_owns_its_ephemeral_nodes_until_they_go() -> None:
    tree = Tree()
    tree.apply([Create("/a", ephemeral=True), Create("/b", ephemeral=True)], session=7)
    tree.apply([Create("/c", ephemeral=True)], session=8)
    assert (tree.owned(7), tree.owned(8), tree.owners()) == (["/a", "/b"], ["/c"], [7, 8])
    tree.apply([Delete("/a", 0), Create("/a", ephemeral=True)], session=8)
    assert (tree.owned(7), tree.owned(8)) == (["/b"], ["/a", "/c"])


def test_a_watcher_hears_of_each_kind_of_change() -> None:
    tree = Tree()
    data, children = WatchKind.DATA, WatchKind.CHILDREN
    above = (children, "/", Change.CHILDREN)
    assert tree.apply([Create("/a")], session=0).events == [(data, "/a", Change.CREATED), above]
    assert tree.apply([Set("/a", b"", 0)], session=0).events == [(data, "/a", Change.SET)]
    gone = [(data, "/a", Change.DELETED), (children, "/a", Change.DELETED), above]
    replaced = tree.apply([Delete("/a", 1), Create("/a")], session=0).events
    assert replaced == gone
    assert tree.apply([Delete("/a", 0)], session=0).events == gone
    assert tree.apply([Create("/b"), Delete("/b", 0)], session=0).events == []


def test_any_version_will_do_and_the_actual_one_is_written_down() -> None:
    tree = Tree()
    tree.apply([Create("/a"), Set("/a", b"", 0)], session=0)
    ops = [Check("/a", ANY_VERSION), Set("/a", b"x", ANY_VERSION), Delete("/a", ANY_VERSION)]
    applied = tree.apply(ops, session=0)
    assert applied.transaction.ops == (Set("/a", b"x", 1), Delete("/a", 2))
    with pytest.raises(NoNodeError):
        tree.apply([Check("/a", ANY_VERSION)], session=0)


def test_the_root_cannot_be_made_again() -> None:
    with pytest.raises(NodeExistsError):
        Tree().apply([Create("/")], session=0)
