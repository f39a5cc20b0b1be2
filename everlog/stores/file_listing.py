"""Files below a folder in the order of their keys."""

import os
from collections.abc import Iterator

from everlog.stores.object_key import ObjectKey, is_object_key


def list_files(
    root: str, prefix: str, *, start_after: str
) -> Iterator[tuple[ObjectKey, os.stat_result]]:
    """Yield the files whose keys begin with ``prefix`` and come after ``start_after``, in order.

    Reads only the folders that can hold such a key. Names that no key can have are left out; so are
    files that disappear meanwhile.

    Raises:
        OSError: A folder cannot be read.
    """
    folder = prefix[: prefix.rfind("/") + 1]
    for key, entry in _walk(root, folder, prefix, start_after):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield key, status


def _walk(
    root: str, folder: str, prefix: str, start_after: str
) -> Iterator[tuple[ObjectKey, "os.DirEntry[str]"]]:
    for name, entry in _entries(os.path.join(root, folder)):
        path = folder + name
        if name.endswith("/"):
            if _can_hold(path, prefix, start_after):
                yield from _walk(root, path, prefix, start_after)
        elif path.startswith(prefix) and path > start_after and is_object_key(path):
            yield ObjectKey(path), entry


def _entries(path: str) -> list[tuple[str, "os.DirEntry[str]"]]:
    """Return the entries of a folder as their keys sort: a folder with the slash after it."""
    try:
        with os.scandir(path) as entries:
            named = [
                (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry) for entry in entries
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(named, key=lambda pair: pair[0])


def _can_hold(folder: str, prefix: str, start_after: str) -> bool:
    within = folder.startswith(prefix) or prefix.startswith(folder)
    return within and (folder > start_after or start_after.startswith(folder))
