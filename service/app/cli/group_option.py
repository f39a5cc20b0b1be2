"""What names a group on the command line."""

from service.app.cli.failure import misuse


def checked_group(name: str | None) -> str | None:
    """Return the name; end if it is empty, which the client library does not survive."""
    if name == "":
        misuse("the name of a group is empty", "give one, such as billing")
    return name


def checked_groups(names: list[str]) -> list[str]:
    """Return the names; end if one is empty."""
    for name in names:
        checked_group(name)
    return names
