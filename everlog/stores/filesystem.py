"""Object store in a directory: one file for each object, named by its key."""

from everlog.stores.object_files import ObjectFiles
from everlog.stores.threaded import ThreadedObjectStore

THREADS_MAX = 8
"""Calls that wait for the disk at a time; as many as a commit group syncs side by side."""


class FilesystemObjectStore(ThreadedObjectStore):
    """Objects below one directory, each a file that may be read in place."""

    def __init__(self, root: str, *, threads_max: int = THREADS_MAX) -> None:
        """Open a directory and remove what crashed writers left in it.

        Blocks. A directory that is missing is made for the first object, not here.

        Raises:
            StoreUnavailableError: The directory cannot be read.
        """
        files = ObjectFiles(root)
        files.remove_leftovers()
        super().__init__(
            files, name="everlog-files", threads_max=threads_max, reads_max=threads_max
        )
