import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import RejectedError
from everlog.stores.object_key import is_object_key, key_prefix, object_key

NAMES = st.text("aZ0._=-", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."})


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_names_of_allowed_characters_make_a_key_and_all_its_beginnings_prefixes(
    names: list[str],
) -> None:
    text = "/".join(names)
    assert object_key(text) == text
    for end in range(len(text)):
        assert key_prefix(text[:end]) == text[:end]


@given(st.text())
def test_only_texts_of_the_allowed_characters_are_keys(text: str) -> None:
    if is_object_key(text):
        assert re.fullmatch(r"[0-9a-zA-Z/_.=-]{1,1024}", text)
        assert not {"", ".", ".."} & set(text.split("/"))
    else:
        with pytest.raises(RejectedError):
            object_key(text)


def test_the_longest_key_and_name_are_allowed() -> None:
    longest = "/".join(["x" * 255] * 4)
    assert len(object_key(longest)) == 1023
    with pytest.raises(RejectedError, match="1025 characters"):
        object_key(longest + "/y")
    with pytest.raises(RejectedError, match="more than 255"):
        object_key("x" * 256)


def test_a_refusal_names_the_key_and_the_fault() -> None:
    with pytest.raises(RejectedError, match=r"'a:b' cannot name an object: only 0-9"):
        object_key("a:b")
    with pytest.raises(RejectedError, match=r"the name '\.\.' between slashes"):
        object_key("a/../b")
