"""Who is told, and how often."""

from service.coordination.embedded.tree import WatchKind
from service.coordination.embedded.watches import Watches

A = (WatchKind.DATA, "/a")
CHILDREN = (WatchKind.CHILDREN, "/a")


def _ignore(_path: str) -> None:
    return


def _other(_path: str) -> None:
    return


def test_a_watch_fires_once() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=4)
    assert watches.take([A, CHILDREN], zxid=5) == [(_ignore, "/a")]
    assert watches.take([A], zxid=6) == []


def test_a_watch_does_not_fire_for_what_its_owner_has_seen() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=5)
    assert watches.take([A], zxid=5) == []
    assert watches.take([A], zxid=6) == [(_ignore, "/a")]


def test_the_same_watch_registered_twice_is_one() -> None:
    watches = Watches()
    for seen_zxid in (4, 6):
        watches.add(A, session=1, callback=_ignore, seen_zxid=seen_zxid)
    watches.add(A, session=2, callback=_ignore, seen_zxid=6)
    assert watches.take([A], zxid=5) == [(_ignore, "/a")]
    assert watches.take([A], zxid=7) == [(_ignore, "/a")]


def test_kinds_and_paths_are_told_apart() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=0)
    watches.add(CHILDREN, session=1, callback=_other, seen_zxid=0)
    assert watches.take([(WatchKind.DATA, "/b")], zxid=1) == []
    assert watches.take([CHILDREN], zxid=1) == [(_other, "/a")]


def test_the_watches_of_a_lost_session_are_forgotten() -> None:
    watches = Watches()
    watches.add(A, session=1, callback=_ignore, seen_zxid=0)
    watches.add(A, session=2, callback=_other, seen_zxid=0)
    watches.add(CHILDREN, session=1, callback=_ignore, seen_zxid=0)
    watches.drop(1)
    assert watches.take([A, CHILDREN], zxid=1) == [(_other, "/a")]
