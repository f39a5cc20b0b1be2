"""Removes changes that nobody should need any more."""

from service.coordination.changes import CHANGE_PARTITIONS_MAX, CHANGES_KEPT
from service.coordination.controller_term import ControllerTerm
from service.coordination.metadata_store import Delete, MetadataStore, Set
from service.coordination.payloads import pack, unpack
from service.coordination.znodes import CHANGES, change_path


async def collect_changes(store: MetadataStore, term: ControllerTerm, *, last: int) -> None:
    """Remove the changes that are `CHANGES_KEPT` or more behind ``last``.

    Raises:
        ControllerMovedError: The term is over.
        NodeError: Somebody else collects too.
    """
    content, stat = await store.get(CHANGES)
    oldest, version = int(unpack(content, CHANGES)["oldest"]), stat.version
    end = last + 1 - CHANGES_KEPT
    while oldest < end:
        first, oldest = oldest, min(end, oldest + CHANGE_PARTITIONS_MAX)
        mark = Set(CHANGES, pack({"oldest": oldest}), version)
        gone = (Delete(change_path(sequence), version=0) for sequence in range(first, oldest))
        await term.write(store, [mark, *gone])
        version += 1
