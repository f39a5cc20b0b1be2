"""Who is told, and how often."""

from service.coordination.embedded.tree import Change, WatchKind
from service.coordination.embedded.watches import Watches

A = (WatchKind.DATA, "/a")
CHILDREN = (WatchKind.CHILDREN, "/a")
A_SET = (*A, Change.SET)
CHILD_CAME = (*CHILDREN, Change.CHILDREN)


def _ignore(_path: str, _change: Change) -> None:
    return


def _other(_path: str, _change: Change) -> None:
    return


def test_a_watch_fires_once() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=4)
    assert watches.take([A_SET, CHILD_CAME], zxid=5) == [(_ignore, "/a", Change.SET)]
    assert watches.take([A_SET], zxid=6) == []


def test_a_watch_does_not_fire_for_what_its_owner_has_seen() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=5)
    assert watches.take([A_SET], zxid=5) == []
    assert watches.take([A_SET], zxid=6) == [(_ignore, "/a", Change.SET)]


def test_the_same_watch_registered_twice_is_one() -> None:
    watches = Watches()
    for seen_zxid in (3, 4):
        watches.add(A, session=1, callback=_ignore, seen_zxid=seen_zxid)
    assert watches.count(1) == 1
    assert watches.take([A_SET], zxid=5) == [(_ignore, "/a", Change.SET)]
    assert watches.take([A_SET], zxid=6) == []
    assert watches.count(1) == 0


def test_a_hint_that_comes_late_leaves_the_watch_of_who_had_seen_the_change_already() -> None:
    watches = Watches()
    for seen_zxid in (4, 7):
        watches.add(A, session=1, callback=_ignore, seen_zxid=seen_zxid)
    assert watches.take([A_SET], zxid=5) == [(_ignore, "/a", Change.SET)]
    assert watches.count(1) == 1
    watches.take([A_SET], zxid=7)
    assert watches.count(1) == 1, "it was registered by somebody who has seen number 7"
    assert watches.take([A_SET], zxid=8) == [(_ignore, "/a", Change.SET)]
    assert watches.take([A_SET], zxid=9) == []


def test_kinds_and_paths_are_told_apart() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=0)
    watches.add(CHILDREN, session=1, callback=_other, seen_zxid=0)
    assert watches.take([(WatchKind.DATA, "/b", Change.SET)], zxid=1) == []
    assert watches.take([CHILD_CAME], zxid=1) == [(_other, "/a", Change.CHILDREN)]


def test_the_watches_of_a_lost_session_are_forgotten() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=0)
    watches.add(A, session=2, callback=_other, seen_zxid=0)
    watches.add(CHILDREN, session=1, callback=_ignore, seen_zxid=0)
    watches.drop(1)
    assert (watches.count(1), watches.count(2)) == (0, 1)
    assert watches.take([A_SET, CHILD_CAME], zxid=1) == [(_other, "/a", Change.SET)]


def test_who_watches_bytes_and_children_hears_once_that_the_node_is_gone() -> None:
    watches = Watches()
    for target in (A, CHILDREN):
        watches.add(target, session=1, callback=_ignore, seen_zxid=0)
    watches.add(CHILDREN, session=2, callback=_ignore, seen_zxid=0)
    gone = [(*A, Change.DELETED), (*CHILDREN, Change.DELETED)]
    assert watches.take(gone, zxid=1) == [(_ignore, "/a", Change.DELETED)] * 2
    assert watches.take(gone, zxid=2) == []
