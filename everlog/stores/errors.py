"""What can go wrong between us and an object store, by what the caller does about it.

```
RetriableError    StoreUnavailableError   outcome unknown: repeat, or find out
                  StoreThrottledError     slow down, then repeat
                  ObjectsNotDeletedError  repeat for the keys it names
RejectedError     ObjectExistsError       the name is taken
                  ObjectMissingError      there is no such object (any more)
                  StoreDeniedError        credentials, permissions or configuration need a person
CorruptionError   StoreCorruptionError    the bytes are not the promised ones
```
"""

from collections.abc import Mapping

from everlog.model.errors import CorruptionError, EverlogError, RejectedError, RetriableError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.object_key import ObjectKey


class ObjectExistsError(RejectedError):
    """The name is taken. The object that has it is unchanged."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f"object {key} exists already")
        self.key = key


class ObjectMissingError(RejectedError):
    """No object has this name: never created, or deleted."""

    def __init__(self, key: ObjectKey) -> None:
        super().__init__(f"object {key} does not exist")
        self.key = key


class StoreUnavailableError(RetriableError):
    """The store did not answer, or not conclusively. Whether it did what was asked is unknown."""

    def __init__(self, operation: str, key: str, reason: str) -> None:
        super().__init__(f"{operation} {key}: {reason}")
        self.operation = operation
        self.key = key
        self.reason = reason


class StoreThrottledError(RetriableError):
    """The store asks for fewer requests."""

    def __init__(self, operation: str, key: str, reason: str) -> None:
        super().__init__(f"{operation} {key}: throttled: {reason}")
        self.operation = operation
        self.key = key
        self.reason = reason


class StoreDeniedError(RejectedError):
    """The store refuses this process as it is configured; ``reason`` says what to check."""

    def __init__(self, operation: str, key: str, reason: str) -> None:
        super().__init__(f"{operation} {key}: refused: {reason}")
        self.operation = operation
        self.key = key
        self.reason = reason


class StoreCorruptionError(CorruptionError):
    """Bytes to store, or bytes stored, are not what their checksum, length or index says."""

    def __init__(self, operation: str, key: str, reason: str) -> None:
        super().__init__(f"{operation} {key}: {reason}")
        self.operation = operation
        self.key = key
        self.reason = reason


class ObjectsNotDeletedError(RetriableError):
    """Some objects of a batch may still be there; all others are gone.

    Attributes:
        failures: Why, for each key that was not deleted. A `RetriableError` there is worth another
            try.
    """

    def __init__(self, failures: Mapping[ObjectKey, EverlogError]) -> None:
        first = next(iter(failures.values()))
        super().__init__(f"{len(failures)} objects were not deleted; the first: {first}")
        self.failures = failures


def check_plain(key: ObjectKey, storage_class: StorageClass, lock: ObjectLock | None) -> None:
    """Refuse any class but the default, and any lock, as stores do that have neither.

    Raises:
        StoreDeniedError: There is one.
    """
    if lock is not None:
        raise StoreDeniedError(
            "create",
            key,
            "only buckets with Object Lock keep objects from being deleted: set "
            "archive.object.lock.mode=none for the topic, or store.url to such a bucket",
        )
    if storage_class is not StorageClass.STANDARD:
        raise StoreDeniedError(
            "create",
            key,
            f"only buckets have storage classes such as {storage_class.name}: leave "
            "remote.storage.class and remote.storage.class.later as they are by default, or set "
            "store.url to s3://bucket/prefix",
        )


def is_throttle(error: EverlogError) -> bool:
    """Whether a store asks for fewer requests by an error."""
    if isinstance(error, ObjectsNotDeletedError):
        return any(isinstance(why, StoreThrottledError) for why in error.failures.values())
    return isinstance(error, StoreThrottledError)


def not_shown_yet(operation: str, key: ObjectKey) -> StoreUnavailableError:
    """Return the error for an object that was just stored, or is in the way, and is not there.

    A store contradicts itself so for a moment after a create, or where something in front of it
    has answered in its place. Whether the object is there has to be asked again.
    """
    return StoreUnavailableError(operation, key, "it exists, but the store does not show it yet")
