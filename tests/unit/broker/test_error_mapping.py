"""Every error that a handler can meet has a code."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from everlog.format.errors import UnsupportedFormatError
from everlog.model.errors import (
    CorruptionError,
    EverlogError,
    FencedError,
    RejectedError,
    RetriableError,
)
from everlog.stores.errors import StoreUnavailableError
from service.broker.error_mapping import MESSAGE_CHARS_MAX, code_of, message_of
from service.protocol.error_codes import ErrorCode

PACKAGES = (
    "everlog.records",
    "everlog.stores",
    "service.coordination",
    "service.hot",
    "service.model",
    "service.partition",
)


def errors() -> Iterator[type[EverlogError]]:
    for package in PACKAGES:
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            importlib.import_module(found.name)
    waiting: list[type[EverlogError]] = [
        RejectedError,
        RetriableError,
        FencedError,
        CorruptionError,
    ]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith(PACKAGES):
                yield kind


KINDS = sorted(set(errors()), key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__qualname__)
def test_every_error_of_the_server_has_a_code(kind: type[EverlogError]) -> None:
    error = kind.__new__(kind)
    assert code_of(error) not in (ErrorCode.NONE, ErrorCode.UNKNOWN_SERVER_ERROR)


@pytest.mark.rule("TIER-32")
def test_what_the_object_store_has_is_a_code_that_consumers_wait_out() -> None:
    """Java's consumer throws at codes that it does not expect of a fetch."""
    of_stores = [kind for kind in KINDS if kind.__module__ == StoreUnavailableError.__module__]
    assert len(of_stores) == 7
    for kind in (*of_stores, UnsupportedFormatError):
        assert code_of(kind.__new__(kind)) is ErrorCode.KAFKA_STORAGE_ERROR


def test_the_classes_are_found() -> None:
    assert len(KINDS) > 20


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (CorruptionError, ErrorCode.KAFKA_STORAGE_ERROR),
        (FencedError, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    ],
)
def test_errors_without_a_code_of_their_own_have_that_of_their_class(
    kind: type[EverlogError], code: ErrorCode
) -> None:
    assert code_of(kind("x")) is code


def test_an_error_that_nobody_knows_is_raised() -> None:
    error = EverlogError("unknown")
    with pytest.raises(EverlogError) as raised:
        code_of(error)
    assert raised.value is error


def test_messages_are_cut() -> None:
    assert len(message_of(RejectedError("x" * 40_000))) == MESSAGE_CHARS_MAX
