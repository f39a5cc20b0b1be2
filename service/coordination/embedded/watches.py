"""The watches of all sessions: each is told once, and of nothing older than itself."""

from collections.abc import Iterable

from service.coordination.embedded.tree import Event
from service.coordination.metadata_store import Watcher

Owner = tuple[int, Watcher]
"""Session and callback: registering the same pair twice is one watch, as in ZooKeeper."""


class Watches:
    """Registered watches by what they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[Event, dict[Owner, int]] = {}

    def add(self, event: Event, *, session: int, callback: Watcher, seen_zxid: int) -> None:
        """Register a watch of somebody who has seen all transactions up to ``seen_zxid``."""
        watches = self._waiting.setdefault(event, {})
        watches[session, callback] = min(watches.get((session, callback), seen_zxid), seen_zxid)

    def take(self, events: Iterable[Event], *, zxid: int) -> list[tuple[Watcher, str]]:
        """Remove the watches that the events of a transaction fire, and return what to call."""
        calls: list[tuple[Watcher, str]] = []
        for event in events:
            watches = self._waiting.get(event, {})
            fired = [owner for owner, seen_zxid in watches.items() if seen_zxid < zxid]
            for owner in fired:
                del watches[owner]
                calls.append((owner[1], event[1]))
            if fired and not watches:
                del self._waiting[event]
        return calls

    def drop(self, session: int) -> None:
        """Forget the watches of a session that has ended."""
        for event, watches in list(self._waiting.items()):
            for owner in [owner for owner in watches if owner[0] == session]:
                del watches[owner]
            if not watches:
                del self._waiting[event]
