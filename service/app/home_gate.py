"""Lets calls to the transfer process through once the store has proved to be the archive's."""

from everlog.model.errors import RejectedError
from everlog.stores.errors import StoreUnavailableError
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
        key = str(fields.get("key", fields.get("prefix", "")))
        await self._home.admit(op, key)
        if op == "delete":
            # What is deleted here in error is lost for whoever has the store by now.
            try:
                await self._home.confirm()
            except RejectedError as error:
                raise StoreUnavailableError(op, key, str(error)) from error
        return await self._worker.call(op, fields, body)
