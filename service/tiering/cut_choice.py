"""Which cut a restore goes by, and how far terms have come by all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everlog.format.cut import Cut
from everlog.format.errors import UnsupportedFormatError
from everlog.format.meta_keys import CutKey
from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch
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


async def greatest_epochs(objects: CutObjects) -> Mapping[TopicId, LeaderEpoch]:
    """Return the greatest leader epoch of each topic that any owner's newest cut tells of.

    What nobody has written to since a restore has left no other trace of its terms, and clients
    have seen them: neither a restore to an earlier time nor one that left a topic out undoes that.

    Raises:
        RetriableError: The store did not answer.
    """
    found: dict[TopicId, LeaderEpoch] = {}
    newest = {key.owner: key for key in await objects.all()}
    for key in newest.values():
        try:
            cut = await objects.read(key)
        except (ObjectMissingError, CorruptionError, UnsupportedFormatError):
            continue  # of no use here, and told by who goes by it
        for topic in cut.topics:
            found[topic.topic_id] = max(topic.epoch, found.get(topic.topic_id, topic.epoch))
    return found
