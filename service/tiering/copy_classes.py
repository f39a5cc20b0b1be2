"""As which storage class a copy of an archive keeps each of its segment objects."""

from collections.abc import Awaitable, Callable

from everlog.format.entries import Entry
from everlog.model.storage_class import StorageClass, class_numbered
from everlog.stores.errors import StoreDeniedError


class CopyClasses:
    """Chooses for a whole copy: by default what the source's manifest says of each object.

    A copy that has been restored goes by that manifest, and moves nothing to a class again that
    should be there already.

    Args:
        wanted: For all objects; None for the manifest's.
        has_any: Whether the other store has classes; a directory has none.

    Attributes:
        refused: Classes of the manifest that the other store does not have; what should be in one
            of them is STANDARD there.
    """

    def __init__(self, wanted: StorageClass | None = None, *, has_any: bool = True) -> None:
        self.refused: set[StorageClass] = set()
        self._wanted = wanted
        self._has_any = has_any

    def of(self, entry: Entry) -> StorageClass:
        """Return what an object is to be stored as."""
        if not self._has_any:
            return StorageClass.STANDARD
        found = class_numbered(entry.class_number) if self._wanted is None else self._wanted
        if found is None or found in self.refused:
            return StorageClass.STANDARD
        return found

    async def stored(self, entry: Entry, store: Callable[[StorageClass], Awaitable[None]]) -> None:
        """Have an object stored; as STANDARD where the other store does not have its class.

        Raises:
            StoreDeniedError: It does not have the class that is wanted for all, or refuses more
                than a class.
        """
        chosen = self.of(entry)
        try:
            await store(chosen)
        except StoreDeniedError:
            if chosen is StorageClass.STANDARD or self._wanted is not None:
                raise
            # Nothing tells a class that is unknown there from other refusals but to do without.
            await store(StorageClass.STANDARD)
            self.refused.add(chosen)
