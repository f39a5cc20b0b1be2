"""Lets calls to the transfer process through once the store has proved to be the archive's."""

from service.partition.archive_home import ArchiveHome
from service.tiering.worker.channel import Answer, Fields
from service.tiering.worker.remote_store import Caller


class HomeGate:
    """A `Caller` before another one."""

    def __init__(self, worker: Caller, home: ArchiveHome) -> None:
        self._worker = worker
        self._home = home

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make a call; see `Channel.call`.

        Raises:
            StoreUnavailableError: Also while the store is not known to be the archive's.
        """
        await self._home.admit(op, str(fields.get("key", "")))
        return await self._worker.call(op, fields, body)
