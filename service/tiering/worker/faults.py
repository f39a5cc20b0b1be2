"""Errors on their way from the transfer process to the broker, and back into what they were."""

from typing import Any

from everlog.format.errors import CorruptObjectError
from everlog.model.errors import EverlogError, RejectedError
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreCorruptionError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.object_key import ObjectKey

_OfOperation = StoreUnavailableError | StoreThrottledError | StoreDeniedError | StoreCorruptionError

_BY_KEY: dict[str, type[ObjectExistsError | ObjectMissingError]] = {
    "exists": ObjectExistsError,
    "missing": ObjectMissingError,
}
_BY_OPERATION: dict[str, type[_OfOperation]] = {
    "unavailable": StoreUnavailableError,
    "throttled": StoreThrottledError,
    "denied": StoreDeniedError,
    "store_corruption": StoreCorruptionError,
}

Fault = dict[str, Any]
"""An error as JSON: its kind and its facts."""


def encode_fault(error: EverlogError) -> Fault:
    """Write an error down; one that has no kind of its own is rejected by its text."""
    for kind, by_key in _BY_KEY.items():
        if isinstance(error, by_key):
            return {"kind": kind, "key": error.key}
    for kind, by_operation in _BY_OPERATION.items():
        if isinstance(error, by_operation):
            facts = {"operation": error.operation, "key": error.key, "reason": error.reason}
            return {"kind": kind, **facts}
    if isinstance(error, ObjectsNotDeletedError):
        failures = {key: encode_fault(why) for key, why in error.failures.items()}
        return {"kind": "not_deleted", "failures": failures}
    if isinstance(error, CorruptObjectError):
        return {"kind": "corrupt", "what": error.what, "reason": error.reason}
    return {"kind": "rejected", "reason": str(error)}


def decode_fault(fault: Fault) -> EverlogError:
    """Make the error that `encode_fault` was given."""
    kind = fault["kind"]
    if kind in _BY_KEY:
        return _BY_KEY[kind](ObjectKey(fault["key"]))
    if kind in _BY_OPERATION:
        return _BY_OPERATION[kind](fault["operation"], fault["key"], fault["reason"])
    match kind:
        case "not_deleted":
            failures = fault["failures"].items()
            return ObjectsNotDeletedError({ObjectKey(k): decode_fault(why) for k, why in failures})
        case "corrupt":
            return CorruptObjectError(fault["what"], fault["reason"])
        case _:
            return RejectedError(fault["reason"])
