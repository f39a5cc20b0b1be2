"""Folders that survive a power cut, and that go when they are empty."""

import os
from collections.abc import Iterable


def make_folders(path: str) -> None:
    """Make a folder and those above it; the names of new ones are durable on return."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folders(parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    sync_folder(parent)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folders(path: str, *, root: str) -> None:
    """Make the names in a folder and in all above it, up to ``root``, durable.

    The ones above may be new, made by another writer that has not synced them yet. A clean folder
    costs about 0.1 ms.
    """
    while path != root:
        sync_folder(path)
        path = os.path.dirname(path)
    sync_folder(root)


def remove_empty_folders(paths: Iterable[str], *, root: str) -> None:
    """Remove folders, and those above them, as far as they are empty; durable on return."""
    for path in {_remove_upwards(path, root=root) for path in paths}:
        try:
            sync_folder(path)
        except FileNotFoundError:
            # Another process emptied and removed this one too; syncing what it left is its
            # business.
            continue


def _remove_upwards(path: str, *, root: str) -> str:
    while path != root and _remove_folder(path):
        path = os.path.dirname(path)
    return path


def _remove_folder(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        # Not empty: POSIX allows ENOTEMPTY and EEXIST, and a mount point is busy.
        return False
    return True
