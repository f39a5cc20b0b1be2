"""Keeps this broker's image of the cluster current, and tells others what changed."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from everlog.model.ids import TopicName
from service.coordination.changes import (
    Change,
    decode_changes,
    last_sequence,
    oldest_sequence,
)
from service.coordination.image_changes import (
    apply_changes,
    published_states,
    states_to_read,
    touched_topics,
)
from service.coordination.image_delta import ImageDelta, compare
from service.coordination.image_reading import read_image, read_members, read_states
from service.coordination.metadata_store import (
    ConnectionLostError,
    MetadataStore,
    SessionState,
)
from service.coordination.znodes import change_path
from service.model.cluster import EMPTY_IMAGE, ClusterImage

READ_AHEAD = 8
"""Changes asked for at once."""

RETRY_SECONDS = 1.0
"""How soon a failed read is tried again when no session event comes first."""

_ENDED = "the cluster's changes are no longer followed"


@dataclass(frozen=True, slots=True)
class _Waiter:
    is_met: Callable[[], bool]
    answer: asyncio.Future[None]


class ImageFollower:
    """Follows the published changes.

    `load` once, then keep `run` going. The image is replaced as a whole, and subscribers are
    called right after, on the loop. Who subscribes before `load` hears of all there is.
    """

    def __init__(self, *, store: MetadataStore, retry_seconds: float = RETRY_SECONDS) -> None:
        self._store = store
        self._retry_seconds = retry_seconds
        self._has_ended = False
        self._image = EMPTY_IMAGE
        self._sequence = -1
        self._subscribers: list[Callable[[ImageDelta], None]] = []
        self._waiters: list[_Waiter] = []
        self._wake = asyncio.Event()
        self._is_stale = True
        self._are_members_stale = False
        store.subscribe(self._on_session)

    @property
    def image(self) -> ClusterImage:
        """The cluster as last heard of; `EMPTY_IMAGE` before `load`."""
        return self._image

    @property
    def sequence(self) -> int:
        """Number of the last change that is in the image, -1 before the first."""
        return self._sequence

    def subscribe(self, callback: Callable[[ImageDelta], None]) -> None:
        """Call back after each replacement of the image; the callback must return at once."""
        self._subscribers.append(callback)

    async def reached(self, sequence: int) -> None:
        """Wait until a change is in the image, and subscribers know of it.

        Raises:
            ConnectionLostError: The image is no longer followed.
        """
        await self._until(lambda: self._sequence >= sequence)

    async def wait_for(self, is_met: Callable[[ClusterImage], bool]) -> ClusterImage:
        """Wait for an image of which something is true, and return it.

        Raises:
            ConnectionLostError: The image is no longer followed.
        """
        await self._until(lambda: is_met(self._image))
        return self._image

    async def load(self) -> None:
        """Read everything; after that, `run` reads what changes.

        Raises:
            ConnectionLostError: The store does not answer.
        """
        while not await self._read_everything():
            pass

    async def run(self) -> None:
        """Follow until cancelled.

        Raises:
            SessionExpiredError: The session has ended.
        """
        try:
            while True:
                try:
                    await self._catch_up()
                except ConnectionLostError:
                    self._is_stale = True
                    asyncio.get_running_loop().call_later(self._retry_seconds, self._wake.set)
                await self._wake.wait()
                self._wake.clear()
        finally:
            self._has_ended = True
            for waiter in self._waiters:
                if not waiter.answer.done():
                    waiter.answer.set_exception(ConnectionLostError(_ENDED))

    async def _catch_up(self) -> None:
        if self._is_stale:
            await self.load()
        if self._are_members_stale:
            self._are_members_stale = False
            image = await read_members(self._store, self._image, watch=self._on_members)
            self._replace(image, self._sequence, ())
        while await self._follow():
            pass

    async def _read_everything(self) -> bool:
        """Load the image; False if changes were collected before they could be read."""
        self._is_stale, self._are_members_stale = False, False
        first = await last_sequence(self._store) + 1
        image = await read_image(self._store, watch=self._on_members)
        # What changed meanwhile is in the image in part; with the changes up to here it is whole.
        last = await last_sequence(self._store)
        changes: list[Change] = []
        for start in range(first, last + 1, READ_AHEAD):
            end = min(start + READ_AHEAD, last + 1)
            contents = await self._read_changes(start, end)
            if len(contents) < end - start:
                return False
            changes += _decoded(contents, start)
        image = await self._applied(image, changes)
        self._replace(image, last, self._image.topics.keys() | image.topics.keys())
        return True

    async def _follow(self) -> bool:
        """Apply the next changes; False when there are none, and a watch waits for the first."""
        first = self._sequence + 1
        contents = await self._read_changes(first, first + READ_AHEAD)
        if contents:
            changes = _decoded(contents, first)
            image = await self._applied(self._image, changes)
            names = touched_topics(self._image, changes)
            self._replace(image, self._sequence + len(contents), names)
            return True
        if await self._store.exists(change_path(first), watch=self._on_change) is not None:
            return True
        if await oldest_sequence(self._store) > first:
            # So far behind that what comes next was collected: nobody will ever call the watch.
            await self.load()
            return True
        return False

    async def _read_changes(self, start: int, end: int) -> list[bytes]:
        """Return the change nodes of ``[start, end)`` up to the first that is missing."""
        paths = [change_path(sequence) for sequence in range(start, end)]
        contents: list[bytes] = []
        for found in await self._store.get_many(paths):
            if found is None:
                break
            contents.append(found[0])
        return contents

    async def _applied(self, image: ClusterImage, changes: Sequence[Change]) -> ClusterImage:
        states = published_states(changes)
        states |= await read_states(self._store, states_to_read(image, changes, states))
        return apply_changes(image, changes, states)

    def _replace(self, image: ClusterImage, sequence: int, names: Iterable[TopicName]) -> None:
        delta = compare(self._image, image, names)
        self._image, self._sequence = image, sequence
        if not delta.is_empty:
            for callback in self._subscribers:
                callback(delta)
        for waiter in self._waiters:
            if not waiter.answer.done() and waiter.is_met():
                waiter.answer.set_result(None)

    async def _until(self, is_met: Callable[[], bool]) -> None:
        if is_met():
            return
        if self._has_ended:
            raise ConnectionLostError(_ENDED)
        waiter = _Waiter(is_met, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter.answer
        finally:
            self._waiters.remove(waiter)

    def _on_change(self, _path: str) -> None:
        self._wake.set()

    def _on_members(self, _path: str) -> None:
        self._are_members_stale = True
        self._wake.set()

    def _on_session(self, state: SessionState) -> None:
        if state is not SessionState.SUSPENDED:
            self._is_stale = True
            self._wake.set()


def _decoded(contents: Sequence[bytes], first: int) -> list[Change]:
    return [
        change
        for sequence, content in enumerate(contents, first)
        for change in decode_changes(content, change_path(sequence))
    ]
