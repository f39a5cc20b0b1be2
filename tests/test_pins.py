"""What is installed is what ``constraints.txt`` pins, above all the clients of the store."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

PINS = dict(
    re.findall(
        r"^([a-z0-9_.-]+)==([^\s#;]+)",
        (Path(__file__).parent.parent / "constraints.txt").read_text(),
        re.MULTILINE | re.IGNORECASE,
    )
)


@pytest.mark.rule("TIER-54")
@pytest.mark.parametrize("name", ["boto3", "botocore", "s3transfer", "urllib3"])
def test_the_clients_of_the_store_are_pinned_and_installed_as_pinned(name: str) -> None:
    assert version(name) == PINS[name]
