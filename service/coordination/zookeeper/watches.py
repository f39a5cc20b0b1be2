"""Watches on ZooKeeper's nodes: each is told once, on the loop, and only of a change.

kazoo also calls watches when the connection is lost, and forgets them (REL-K4). That is no change;
the session says so, and whoever needs it reads again and watches again.
"""

from dataclasses import dataclass
from typing import Any

from kazoo.protocol.states import EventType

from service.coordination.metadata_store import Watcher
from service.coordination.zookeeper.inbox import Inbox


@dataclass(frozen=True, slots=True)
class Watch:
    """What kazoo calls, on its thread. Equal ones are one watch: the same callback for one path."""

    path: str
    callback: Watcher
    inbox: Inbox

    def __call__(self, event: Any) -> None:
        if event.type != EventType.NONE:
            self.inbox.put(self._tell)

    def _tell(self) -> None:
        # Not at once: an error of the callback must not stop what is delivered after it.
        self.inbox.loop.call_soon(self.callback, self.path)
