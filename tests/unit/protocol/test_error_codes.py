from kio.schema.errors import ErrorCode as KioErrorCode

from service.protocol.error_codes import ErrorCode


def test_names_and_numbers_are_those_of_kio() -> None:
    assert {code.name: code.value for code in ErrorCode} == {
        code.name.upper(): code.value for code in KioErrorCode
    }
