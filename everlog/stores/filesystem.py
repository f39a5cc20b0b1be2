"""Object store in a directory: one file for each object, named by its key."""

from everlog.stores.object_files import ObjectFiles
from everlog.stores.threaded import ThreadedObjectStore

THREADS_MAX = 8
"""Calls that wait for the disk at a time; as many as a commit group syncs side by side."""


class FilesystemObjectStore(ThreadedObjectStore):
    """Objects below one directory, each a file that may be read in place."""

    def __init__(
        self, root: str, *, threads_max: int = THREADS_MAX, is_read_only: bool = False
    ) -> None:
        """Open a directory and remove what crashed writers left in it.

        Blocks. A directory that is missing is made for the first object, not here.

        Args:
            root: The directory.
            threads_max: Calls that run at a time.
            is_read_only: Leave it as it is; nothing holds back calls that would write.

        Raises:
            StoreUnavailableError: The directory cannot be read.
        """
        files = ObjectFiles(root)
        if not is_read_only:
            files.remove_leftovers()
        super().__init__(
            files, name="everlog-files", threads_max=threads_max, reads_max=threads_max
        )
