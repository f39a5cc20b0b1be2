"""The request and the response class of each API; the module of an API is imported on first use."""

from functools import cache
from importlib import import_module
from typing import cast

from service.protocol.api import VERSIONS, ApiKey
from service.protocol.schema import Request, Response


@cache
def message_classes(key: ApiKey) -> tuple[type[Request], type[Response]]:
    """Return the request class and the response class of a served API.

    Raises:
        KeyError: The API is not served.
    """
    if key not in VERSIONS:
        raise KeyError(key)
    module = import_module(f"service.protocol.messages.{key.name.lower()}")
    stem = "".join(word.capitalize() for word in key.name.split("_"))
    return (
        cast("type[Request]", getattr(module, f"{stem}Request")),
        cast("type[Response]", getattr(module, f"{stem}Response")),
    )
