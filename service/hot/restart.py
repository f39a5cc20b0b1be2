"""Makes a log directory anew, empty, at an offset up to which others hold the records.

The order is what makes it safe to stop anywhere: without a segment file the log is shorter than
what the others hold, so the next start does it all again; and the log start is on the disk
all the time, or the records of the others would seem to be deleted.
"""

from dataclasses import dataclass

from everlog.model.offsets import Offset
from service.hot.layout import CUT_SUFFIX, LEADER_EPOCHS, LOG_START
from service.hot.leader_epochs import LeaderEpochs, encode_epochs
from service.hot.log_start import encode_log_start
from service.hot.producer_state import ProducerStates
from service.hot.segment import Segment
from service.model.disk import Disk


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRestart:
    """Where a log begins again, and what it has to know of what came before.

    Attributes:
        offset: Of the next append.
        log_start: First offset that may be read, from whoever holds it.
        epochs: All terms before ``offset``.
        producers: The idempotent producers just before ``offset``.
    """

    offset: Offset
    log_start: Offset
    epochs: LeaderEpochs
    producers: ProducerStates


def write_restart(disk: Disk, directory: str, restart: LogRestart) -> None:
    """Put a new, empty log in the place of what is in a directory. Blocks.

    A file says where the old log starts, if its segments do not. What was set aside at a torn tail
    stays.
    """
    for name, _ in disk.list_dir(directory):
        if name != LOG_START and not name.endswith((CUT_SUFFIX, "/")):
            disk.unlink(f"{directory}/{name}")
    disk.sync_dir(directory)
    disk.write_file_atomically(f"{directory}/{LEADER_EPOCHS}", encode_epochs(restart.epochs))
    first = Segment(directory, restart.offset)
    producers = restart.producers.encode(restart.offset)
    disk.write_file_atomically(first.producers_path, producers)
    disk.write_file_atomically(f"{directory}/{LOG_START}", encode_log_start(restart.log_start))
    disk.open(first.path, create=True).close()
    disk.sync_dir(directory)
