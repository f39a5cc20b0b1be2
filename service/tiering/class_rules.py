"""Pure: which storage class an object of a topic is to have."""

from dataclasses import dataclass

from everlog.model.storage_class import StorageClass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRules:
    """What a topic's settings come to.

    Attributes:
        new: Class of an object that is uploaded.
        later: Class of one whose newest record is older than that; None moves none.
        later_ms: How old.
    """

    new: StorageClass = StorageClass.STANDARD
    later: StorageClass | None = None
    later_ms: int = 0

    def class_at(self, age_ms: int) -> StorageClass:
        """Return the class of an object that is stored when its newest record has an age."""
        return self.later if self.later is not None and age_ms > self.later_ms else self.new
