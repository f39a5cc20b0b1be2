"""The tree's two files: a log of transactions, and a snapshot that lets the log start again.

Everything here blocks, and runs in an executor. The log holds every transaction after the
snapshot's; those it also holds from before are skipped, so a crash between writing a snapshot and
emptying the log loses nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from everlog.model.errors import CorruptionError, RetriableError
from service.coordination.embedded.frames import (
    decode_snapshot,
    decode_transactions,
    encode_snapshot,
    encode_transactions,
    split_log,
)
from service.coordination.embedded.tree import Snapshot, Transaction, Tree
from service.coordination.metadata_store import NodeError
from service.model.disk import Disk, DiskFullError, File

LOG_BYTES_MIN = 4 * 1024 * 1024
"""A shorter log is not worth a snapshot; SQLite's write-ahead log starts again at that size too."""


class LogFullError(RetriableError):
    """There was no room for a group, and nothing of it is left behind."""


class WriteAhead:
    """The log and the snapshot in one directory, of which this process must be the only user."""

    def __init__(self, *, disk: Disk, directory: str, log_bytes_min: int = LOG_BYTES_MIN) -> None:
        self._disk = disk
        self._directory = directory
        self._snapshot_path = f"{directory}/snapshot"
        self._log_path = f"{directory}/log"
        self._log_bytes_min = log_bytes_min
        self._log: File | None = None
        self._log_bytes = 0
        self._snapshot_at_bytes = log_bytes_min
        self.torn_bytes = 0
        """How much of an unfinished write `load` has cut off."""

    @property
    def is_snapshot_due(self) -> bool:
        """Whether the log has outgrown both its least size and the last snapshot."""
        return self._log_bytes > self._snapshot_at_bytes

    def load(self) -> Tree:
        """Read the tree, cut a torn tail, and leave the log open for `append`.

        Raises:
            CorruptionError: A file is damaged in a way that no crash explains; both are left as
                they are.
        """
        self._disk.make_dirs(self._directory)
        tree = Tree(self._read_snapshot())
        log = self._disk.open(self._log_path, create=True)
        size = log.size()
        with _explained(self._log_path):
            payloads, end = split_log(log.read_at(0, size))
            for payload in payloads:
                _replay(tree, decode_transactions(payload))
        log.truncate(end)
        # An earlier process may have written the last frame and died before its sync: it counts
        # now.
        log.sync()
        self._disk.sync_dir(self._directory)
        self._log, self._log_bytes, self.torn_bytes = log, end, size - end
        return tree

    def append(self, transactions: Sequence[Transaction]) -> None:
        """Write one group; durable on return.

        Raises:
            LogFullError: There is no room; the log is as it was.
            DiskError: What is durable is unknown; the process has to end.
        """
        log = self._opened()
        frame = encode_transactions(transactions)
        try:
            log.write_at(self._log_bytes, [frame])
        except DiskFullError as error:
            log.truncate(self._log_bytes)
            log.sync()
            raise LogFullError(str(error)) from error
        log.sync()
        self._log_bytes += len(frame)

    def write_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the snapshot and empty the log, whose every transaction ``snapshot`` holds.

        Without room for it the log just goes on, and is twice as long at the next attempt.

        Raises:
            DiskError: What is durable is unknown; the process has to end.
        """
        log = self._opened()
        content = encode_snapshot(snapshot)
        try:
            self._disk.write_file_atomically(self._snapshot_path, content)
        except DiskFullError:
            self._snapshot_at_bytes = 2 * self._log_bytes
            return
        log.truncate(0)
        log.sync()
        self._log_bytes = 0
        self._snapshot_at_bytes = max(self._log_bytes_min, len(content))

    def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log.close()

    def _read_snapshot(self) -> Snapshot | None:
        try:
            content = self._disk.read_file(self._snapshot_path)
        except FileNotFoundError:
            return None
        self._snapshot_at_bytes = max(self._log_bytes_min, len(content))
        with _explained(self._snapshot_path):
            return decode_snapshot(content)

    def _opened(self) -> File:
        assert self._log is not None, "load comes first"
        return self._log


def _replay(tree: Tree, transactions: Iterable[Transaction]) -> None:
    for transaction in transactions:
        if transaction.zxid <= tree.zxid:
            continue
        if transaction.zxid != tree.zxid + 1:
            raise CorruptionError(
                f"goes on with transaction {transaction.zxid}, but {tree.zxid} is the last known"
            )
        try:
            tree.apply(transaction.ops, session=transaction.session)
        except NodeError as error:
            raise CorruptionError(
                f"transaction {transaction.zxid} does not fit: {error}"
            ) from error


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Say which file is meant, and what to do."""
    try:
        yield
    except CorruptionError as error:
        raise CorruptionError(
            f"{path}: {error}. No file was changed. Bring this directory back from a copy, "
            "or start with an empty data directory and restore the topics from the object store"
        ) from error
