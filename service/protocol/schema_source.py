"""The text of a function in the making."""

from collections.abc import Iterator
from contextlib import contextmanager


class Source:
    """Indented lines, fresh names, and the constants that the lines refer to.

    Only names that the declarations chose and numbers ever become text; values go in as constants.
    """

    def __init__(self, constants: dict[str, object]) -> None:
        self.constants = constants
        self._lines: list[str] = []
        self._depth = 0
        self._names = 0

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Add a line that opens a block, and indent what follows."""
        self.line(header)
        self._depth += 1
        yield
        self._depth -= 1

    def name(self, stem: str) -> str:
        """Return a name that nothing else uses."""
        self._names += 1
        return f"{stem}{self._names}"

    def constant(self, value: object, stem: str) -> str:
        """Return the name that the lines can use for a value."""
        for name, known in self.constants.items():
            if known is value:
                return name
        name = self.name(f"{stem}_")
        self.constants[name] = value
        return name

    def text(self) -> str:
        """Return the function."""
        return "\n".join(self._lines)
