"""From the URL of a store to the store.

| URL | store |
| --- | --- |
| ``file:///dir``, ``file://relative/dir``, ``file://./dir`` | a directory |
| ``s3://bucket/prefix?endpoint=URL&region=R&path_style=true`` | a bucket, below a prefix |
| ``memory://`` | this process, as long as it lives |

A bucket takes two more options: ``timeout_s`` (30), the longest wait for the next bytes of an
answer, and ``part_bytes`` (64 MiB): objects of twice that and more go in parts of it.

Credentials never are in a URL, which ends up in logs and process lists: boto3 finds them in the
environment, in the AWS profile, or in the role of the machine.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from everlog.model.clock import Clock
from everlog.model.errors import RejectedError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from everlog.stores.read_only import ReadOnlyObjectStore
from everlog.stores.s3_settings import PART_BYTES, READ_TIMEOUT_S, S3Settings

_S3_OPTIONS = ("endpoint", "region", "path_style", "timeout_s", "part_bytes")
_TIMEOUT_S_MAX = 600
_PART_BYTES_MIN = 5 << 20
"""By the S3 API, of all parts but the last."""
_PART_BYTES_MAX = 5 << 30
_FORMS = "file:///dir, s3://bucket/prefix?endpoint=URL&region=R&path_style=true or memory://"


@dataclass(frozen=True, slots=True)
class DirectoryLocation:
    """A directory; relative to the working directory if it does not begin with a slash."""

    path: str


@dataclass(frozen=True, slots=True)
class MemoryLocation:
    """Nowhere: a new store, empty, for each opening."""


StoreLocation = DirectoryLocation | MemoryLocation | S3Settings


def open_store(url: str, *, clock: Clock, is_read_only: bool = False) -> ObjectStore:
    """Open the store that a URL names, without repeating what fails (`RetryingObjectStore` does).

    Blocks: a directory is cleaned, and for S3 boto3 is loaded, which takes about a second. Sends no
    request.

    Args:
        url: Of the store.
        clock: For stores that have none.
        is_read_only: Leave the store as it is: not even a directory is cleaned.

    Raises:
        RejectedError: The URL names no store; the message says what would.
        StoreUnavailableError: The directory cannot be read.
    """
    store = _opened(parse_store_url(url), clock, is_read_only=is_read_only)
    return ReadOnlyObjectStore(store) if is_read_only else store


def _opened(location: StoreLocation, clock: Clock, *, is_read_only: bool) -> ObjectStore:
    match location:
        case DirectoryLocation(path):
            return FilesystemObjectStore(path, is_read_only=is_read_only)
        case MemoryLocation():
            return MemoryObjectStore(clock=clock)
        case S3Settings() as settings:
            # Here, so that a process which leaves S3 to its transfer worker never loads boto3.
            from everlog.stores.s3 import S3ObjectStore  # noqa: PLC0415

            return S3ObjectStore(settings)


def parse_store_url(url: str) -> StoreLocation:
    """Read a URL without touching disk or network.

    Raises:
        RejectedError: The URL names no store; the message says what would.
    """
    parts = _split(url)
    match parts.scheme:
        case "file":
            return _directory(parts)
        case "s3":
            return _bucket(parts)
        case "memory":
            return _memory(parts)
        case "":
            meant = f"write file://{quote(os.path.abspath(url))}" if url else f"use {_FORMS}"
            raise RejectedError(f"{url!r} is no URL: {meant}")
        case scheme:
            raise RejectedError(f"{scheme}:// is no kind of store: use {_FORMS}")


def absolute_url(url: str) -> str:
    """Return a URL that means the same store in every working directory.

    Raises:
        RejectedError: The URL names no store.
    """
    match parse_store_url(url):
        case DirectoryLocation(path):
            return f"file://{quote(os.path.abspath(path))}"
        case _:
            return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RejectedError(f"the store's URL is not a URL ({error}): use {_FORMS}") from error
    _refuse_credentials(parts)
    if parts.fragment:
        raise RejectedError("the store's URL has a # in it; write %23")
    return parts


def _refuse_credentials(parts: SplitResult) -> None:
    if "@" in parts.netloc:
        # The message does not repeat them: it will be in a log.
        raise RejectedError(
            "a store's URL must not hold credentials (the part before @): set AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY, an AWS profile, or the role of the machine"
        )


def _directory(parts: SplitResult) -> DirectoryLocation:
    _options(parts, allowed=())
    host = "" if parts.netloc == "localhost" else parts.netloc
    path = unquote(host + parts.path)
    if not path:
        raise RejectedError("file:// needs a directory: file:///dir or file://relative/dir")
    return DirectoryLocation(path)


def _memory(parts: SplitResult) -> MemoryLocation:
    _options(parts, allowed=())
    if parts.netloc or parts.path:
        raise RejectedError("memory:// takes nothing behind it")
    return MemoryLocation()


def _bucket(parts: SplitResult) -> S3Settings:
    options = _options(parts, allowed=_S3_OPTIONS)
    if not parts.netloc or ":" in parts.netloc:
        raise RejectedError(
            "s3:// needs the name of a bucket and no port: s3://bucket/prefix?endpoint=URL"
        )
    prefix = unquote(parts.path).strip("/")
    endpoint = _endpoint(options.get("endpoint"))
    timeout_s = _number("timeout_s", options.get("timeout_s"), 1, _TIMEOUT_S_MAX)
    part_bytes = _number("part_bytes", options.get("part_bytes"), _PART_BYTES_MIN, _PART_BYTES_MAX)
    return S3Settings(
        bucket=parts.netloc,
        prefix=f"{object_key(prefix)}/" if prefix else "",
        endpoint=endpoint,
        region=options.get("region"),
        # Servers other than Amazon's seldom have a host name for each bucket.
        path_style=_boolean("path_style", options.get("path_style"), default=endpoint is not None),
        read_timeout_s=timeout_s or READ_TIMEOUT_S,
        part_bytes=part_bytes or PART_BYTES,
        multipart_bytes_min=2 * (part_bytes or PART_BYTES),
    )


def _endpoint(url: str | None) -> str | None:
    if url is None:
        return None
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
        raise RejectedError("endpoint= takes the http:// or https:// URL of an S3 server")
    return url


def _options(parts: SplitResult, *, allowed: tuple[str, ...]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            known = f"{parts.scheme}:// takes {', '.join(allowed) or 'no options'}"
            raise RejectedError(f"{name!r} is not an option of the store's URL: {known}")
        if name in options or not value:
            raise RejectedError(f"{name}= of the store's URL needs one value")
        options[name] = value
    return options


def _boolean(name: str, text: str | None, *, default: bool) -> bool:
    if text is None:
        return default
    if text not in {"true", "false"}:
        raise RejectedError(f"{name}= of the store's URL is true or false, not {text!r}")
    return text == "true"


def _number(name: str, text: str | None, low: int, high: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise RejectedError(f"{name}= of the store's URL is from {low} to {high}, not {text!r}")
    return int(text)
