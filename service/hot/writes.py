"""What one commit round does to the files of one log: made on the loop, done in a thread."""

from dataclasses import dataclass, field

from service.hot.segment import Segment
from service.model.disk import Buffer, Disk, DiskError, File


class SyncFailedError(DiskError):
    """A sync failed: nobody knows what is durable, so the process must end (REL-Y1, fsyncgate)."""


@dataclass(slots=True)
class Write:
    """Consecutive batches for one segment file."""

    segment: Segment
    file: File
    position: int
    buffers: list[Buffer] = field(default_factory=list)
    size: int = 0
    is_new: bool = False


@dataclass(slots=True, kw_only=True)
class Seal:
    """A segment that will not grow any more, and the small files that go with it.

    Everything is encoded when the segment is rolled, so that later appends cannot leak into it.
    """

    segment: Segment
    file: File
    index: bytes
    epochs: bytes
    epochs_path: str
    producers: bytes
    producers_path: str


@dataclass(slots=True)
class Job:
    """The writes of one log in one round, in order: each is followed by its seal if it has one.

    Attributes:
        end_offset: Log end once all of it is written.
        sync: Whether the last file is synced too (``flush=always``); sealed ones always are.
        is_written: Whether `write` has been called, so that only the sync is left.
    """

    directory: str
    steps: list[Write | Seal]
    end_offset: int
    size: int
    sync: bool
    is_written: bool = False

    def write(self) -> None:
        """Write what needs neither a sync nor a directory (`is_plain`) on the way.

        Raises:
            DiskError: Nothing of the job counts; the caller rolls back.
        """
        assert self.is_plain, "files are made and sealed in a thread"
        for step in self.steps:
            if isinstance(step, Write):
                step.file.write_at(step.position, step.buffers)
        self.is_written = True

    def run(self, disk: Disk) -> None:
        """Carry it out, or what `write` has left of it; called in a thread.

        Raises:
            SyncFailedError: The process has to end.
            DiskError: Nothing of the job counts; the caller rolls back.
        """
        last: File | None = None
        for step in self.steps:
            if isinstance(step, Write):
                if not self.is_written:
                    step.file.write_at(step.position, step.buffers)
                if step.is_new:
                    disk.sync_dir(self.directory)
                last = step.file
            else:
                self._seal(disk, step)
                last = None
        if self.sync and last is not None:
            _sync(last, self.directory)

    def _seal(self, disk: Disk, seal: Seal) -> None:
        _sync(seal.file, self.directory)
        disk.write_file_atomically(seal.segment.index_path, seal.index)
        disk.write_file_atomically(seal.epochs_path, seal.epochs)
        disk.write_file_atomically(seal.producers_path, seal.producers)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the page cache is touched before the last sync, if there is one."""
        return all(isinstance(step, Write) and not step.is_new for step in self.steps)


def _sync(file: File, directory: str) -> None:
    try:
        file.sync()
    except DiskError as error:
        raise SyncFailedError("fdatasync", directory, str(error)) from error
