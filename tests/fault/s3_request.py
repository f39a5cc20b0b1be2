"""What an S3 request asks for, as far as faults depend on it."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fault.http_message import HttpMessage

_DELETED_KEY = re.compile(rb"<Key>(.*?)</Key>")


class Operation(Enum):
    PUT = auto()
    PART = auto()
    BEGIN = auto()
    COMPLETE = auto()
    ABORT = auto()
    GET = auto()
    HEAD = auto()
    LIST = auto()
    DELETE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Request:
    """A request.

    Attributes:
        key: Behind the bucket; empty where the bucket itself is asked.
        is_conditional: Whether it wants to be refused if the object exists.
        prefix: Of a listing.
        after: Of a listing.
    """

    method: str
    operation: Operation
    key: str
    is_conditional: bool
    prefix: str
    after: str

    @classmethod
    def of(cls, head: HttpMessage) -> Self:
        method, target, _ = head.start.split()
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        return cls(
            method=method,
            operation=_operation(method, key, query),
            key=key,
            is_conditional=head.header("if-none-match") is not None,
            prefix=query.get("prefix", [""])[0],
            after=query.get("start-after", [""])[0],
        )


def deleted_keys(body: bytes) -> list[str]:
    """Return the keys that a DeleteObjects request names."""
    return [each.decode() for each in _DELETED_KEY.findall(body)]


def _operation(method: str, key: str, query: dict[str, list[str]]) -> Operation:
    match method:
        case "PUT":
            return Operation.PART if "partNumber" in query else Operation.PUT
        case "POST" if "delete" in query:
            return Operation.DELETE
        case "POST":
            return Operation.BEGIN if "uploads" in query else Operation.COMPLETE
        case "DELETE":
            return Operation.ABORT if "uploadId" in query else Operation.DELETE
        case "HEAD":
            return Operation.HEAD
        case _:
            return Operation.GET if key else Operation.LIST
