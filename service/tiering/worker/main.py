"""The transfer process: serves the broker's calls until the channel, or the broker, is gone."""

import asyncio
import os
import socket

import structlog

from everlog.model.errors import EverlogError
from everlog.stores.errors import StoreUnavailableError
from service.tiering.worker.channel import Fields, hang_up, read_message, write_message
from service.tiering.worker.faults import encode_fault
from service.tiering.worker.transfers import Transfers

PARENT_CHECK_SECONDS = 5.0
"""A channel can stay open in a forked child of the broker; its process id tells the truth."""

_log = structlog.get_logger(__name__)


class TransferServer:
    """Serves one channel; calls run side by side.

    Args:
        transfers: The calls.
        hasty: The same calls by a store that gives up soon, for those who ask for that.
    """

    def __init__(
        self, transfers: Transfers, *, channel: socket.socket, hasty: Transfers | None = None
    ) -> None:
        self._transfers = transfers
        self._hasty = hasty or transfers
        self._channel = channel
        self._running: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serve until the other side hangs up, or the process that started this one is gone."""
        reader, writer = await asyncio.open_unix_connection(sock=self._channel)
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._watch_parent(writer, os.getppid()))
                await self._serve_all(reader, writer, tasks)
                watch.cancel()
                for task in self._running.values():
                    task.cancel()
        finally:
            await hang_up(writer)

    async def _serve_all(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tasks: asyncio.TaskGroup
    ) -> None:
        while (message := await read_message(reader)) is not None:
            fields, body = message
            if fields["op"] == "cancel":
                self._cancel(fields["id"])
            else:
                work = tasks.create_task(self._serve(writer, fields, body))
                self._running[fields["id"]] = work

    def _cancel(self, number: int) -> None:
        task = self._running.get(number)
        if task is not None:
            task.cancel()

    async def _serve(self, writer: asyncio.StreamWriter, fields: Fields, body: bytes) -> None:
        number, op = fields["id"], fields["op"]
        try:
            transfers = self._hasty if fields.get("hasty") else self._transfers
            found, content = await transfers.perform(op, fields, body)
            write_message(writer, {"id": number, "ok": found}, content)
        except EverlogError as error:
            write_message(writer, {"id": number, "fault": encode_fault(error)})
        except Exception as error:  # noqa: BLE001  (the broker must hear of every end)
            _log.exception("transfer_failed", op=op)
            fault = StoreUnavailableError(op, str(fields.get("key", "")), f"defect: {error!r}")
            write_message(writer, {"id": number, "fault": encode_fault(fault)})
        finally:
            self._running.pop(number, None)

    async def _watch_parent(self, writer: asyncio.StreamWriter, parent: int) -> None:
        while os.getppid() == parent:  # noqa: ASYNC110  (nothing tells of a parent's end)
            await asyncio.sleep(PARENT_CHECK_SECONDS)
        _log.warning("broker_gone", pid=parent)
        writer.close()
