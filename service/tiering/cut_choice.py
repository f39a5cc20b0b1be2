"""Which cut a restore goes by."""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.format.cut import Cut
from everlog.format.meta_keys import CutKey
from everlog.model.errors import CorruptionError
from everlog.stores.errors import ObjectMissingError
from service.tiering.cut_objects import CutObjects, newest_by


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCut:
    """A cut, and what was wrong with those that would have come before it.

    Attributes:
        key: None if there is no cut.
        cut: The same.
    """

    key: CutKey | None = None
    cut: Cut | None = None
    notes: Sequence[str] = ()


async def choose_cut(objects: CutObjects, *, at_ms: int | None) -> ChosenCut:
    """Return the newest cut that can be read, of those made by a time; None for all.

    Raises:
        UnsupportedFormatError: A newer Everlog wrote it; an older cut would be a loss.
        RetriableError: The store did not answer.
    """
    notes: list[str] = []
    for key in newest_by(await objects.all(), at_ms):
        try:
            cut = await objects.read(key)
        except (ObjectMissingError, CorruptionError) as error:
            notes.append(f"{key.text}: {error}")
            continue
        return ChosenCut(key=key, cut=cut, notes=notes)
    return ChosenCut(notes=notes)
