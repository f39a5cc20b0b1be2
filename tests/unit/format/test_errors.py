from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.model.errors import CorruptionError, RejectedError


def test_damage_is_corruption_and_says_what_and_why() -> None:
    error = CorruptObjectError("manifest page", "its checksum does not match")
    assert isinstance(error, CorruptionError)
    assert (error.what, error.reason) == ("manifest page", "its checksum does not match")
    assert str(error) == "manifest page is corrupt: its checksum does not match"


def test_a_later_format_is_no_corruption_and_says_what_to_do() -> None:
    error = UnsupportedFormatError("manifest root", 3, 2)
    assert isinstance(error, RejectedError)
    assert not isinstance(error, CorruptionError)
    assert (error.found, error.known) == (3, 2)
    assert "newer Everlog" in str(error)
