"""The watches of all sessions: each is told once, and of nothing older than itself."""

from collections.abc import Callable, Iterable

from service.coordination.embedded.tree import Change, Event, Target

ChangeWatcher = Callable[[str, Change], None]
"""Called once, with the path that was watched and what has happened there."""

Owner = tuple[int, ChangeWatcher]
"""Session and callback: registering the same pair twice is one watch, as in ZooKeeper."""

Call = tuple[ChangeWatcher, str, Change]


class Watches:
    """Registered watches by what they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[Target, dict[Owner, int]] = {}

    def add(self, target: Target, *, session: int, callback: ChangeWatcher, seen_zxid: int) -> None:
        """Register a watch of somebody who has seen all transactions up to ``seen_zxid``."""
        watches = self._waiting.setdefault(target, {})
        watches[session, callback] = min(watches.get((session, callback), seen_zxid), seen_zxid)

    def take(self, events: Iterable[Event], *, zxid: int) -> list[Call]:
        """Remove the watches that the events of a transaction fire, and return what to call.

        Who watched both bytes and children of a node hears of its deletion once, as in ZooKeeper.
        """
        calls: dict[tuple[Owner, str, Change], None] = {}
        for kind, path, change in events:
            watches = self._waiting.get((kind, path), {})
            fired = [owner for owner, seen_zxid in watches.items() if seen_zxid < zxid]
            for owner in fired:
                del watches[owner]
                calls[owner, path, change] = None
            if fired and not watches:
                del self._waiting[kind, path]
        return [(callback, path, change) for (_, callback), path, change in calls]

    def drop(self, session: int) -> None:
        """Forget the watches of a session that has ended, or lost its connection."""
        for target, watches in list(self._waiting.items()):
            for owner in [owner for owner in watches if owner[0] == session]:
                del watches[owner]
            if not watches:
                del self._waiting[target]
