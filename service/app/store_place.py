"""Makes the directory of a new store that is one."""

import errno
import os

from everlog.stores.url import DirectoryLocation, StoreLocation
from service.coordination.identity import StartRefusedError


def make_place(location: StoreLocation) -> None:
    """Make the directory of a new store; blocks, once in the life of a cluster.

    Raises:
        StartRefusedError: It cannot be made, or not be written to.
    """
    if not isinstance(location, DirectoryLocation):
        return
    try:
        os.makedirs(location.path, exist_ok=True)
        if not os.access(location.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise StartRefusedError(
            f"the store file://{location.path} cannot be made ({error.strerror}): give a "
            "directory that this process may write to, as --store or store.url"
        ) from error
