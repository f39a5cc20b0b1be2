"""The watches of all sessions: each is told once, and of nothing older than itself."""

from collections import Counter
from collections.abc import Callable, Iterable

from service.coordination.embedded.tree import Change, Event, Target

ChangeWatcher = Callable[[str, Change], None]
"""Called once, with the path that was watched and what has happened there."""

Owner = tuple[int, ChangeWatcher]
"""Session and callback: registering the same pair twice is one watch, as in ZooKeeper."""

Call = tuple[ChangeWatcher, str, Change]


class Watches:
    """Registered watches by what they wait for.

    A watch may be registered again by somebody who has seen a transaction that is not durable, so
    that nobody was told of it yet. The hint is then for the first registration alone: the newer one
    stays. So the oldest and the newest transaction are kept that its owner has seen.
    """

    def __init__(self) -> None:
        self._waiting: dict[Target, dict[Owner, tuple[int, int]]] = {}
        self._counts: Counter[int] = Counter()

    def count(self, session: int) -> int:
        """Return how many watches a session has."""
        return self._counts[session]

    def add(self, target: Target, *, session: int, callback: ChangeWatcher, seen_zxid: int) -> None:
        """Register a watch of somebody who has seen all transactions up to ``seen_zxid``."""
        watches = self._waiting.setdefault(target, {})
        owner = session, callback
        if owner not in watches:
            self._counts[session] += 1
        oldest, newest = watches.get(owner, (seen_zxid, seen_zxid))
        watches[owner] = min(oldest, seen_zxid), max(newest, seen_zxid)

    def take(self, events: Iterable[Event], *, zxid: int) -> list[Call]:
        """Remove the watches that the events of a transaction fire, and return what to call.

        Who watched both bytes and children of a node hears of its deletion once, as in ZooKeeper.
        """
        calls: dict[tuple[Owner, str, Change], None] = {}
        for kind, path, change in events:
            watches = self._waiting.get((kind, path), {})
            for owner, (oldest, newest) in list(watches.items()):
                if oldest >= zxid:
                    continue
                calls[owner, path, change] = None
                if newest >= zxid:
                    watches[owner] = zxid, newest
                else:
                    self._remove((kind, path), owner)
        return [(callback, path, change) for (_, callback), path, change in calls]

    def drop(self, session: int) -> None:
        """Forget the watches of a session that has ended, or lost its connection."""
        if not self._counts[session]:
            return
        for target, watches in list(self._waiting.items()):
            for owner in [owner for owner in watches if owner[0] == session]:
                self._remove(target, owner)

    def _remove(self, target: Target, owner: Owner) -> None:
        watches = self._waiting[target]
        del watches[owner]
        if not watches:
            del self._waiting[target]
        self._counts[owner[0]] -= 1
        if not self._counts[owner[0]]:
            del self._counts[owner[0]]
