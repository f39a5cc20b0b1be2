import inspect

import pytest

from everlog.model.errors import EverlogError, RetriableError
from service.broker.group_errors import _CODES, group_code_of
from service.groups import errors
from service.protocol.error_codes import ErrorCode

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, EverlogError) and kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_of_a_group_has_a_code(kind: type[EverlogError]) -> None:
    assert kind in _CODES


def test_the_code_is_that_of_the_table() -> None:
    assert group_code_of(errors.UnknownMemberError()) is ErrorCode.UNKNOWN_MEMBER_ID


def test_an_error_that_is_not_of_a_group_is_a_defect() -> None:
    with pytest.raises(RetriableError):
        group_code_of(RetriableError("elsewhere"))
