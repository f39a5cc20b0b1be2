"""Ranged reads by URLs that are signed once for an object: half of boto3's work for a request.

Whatever is not exactly the answer that was asked for is left to boto3, which knows about redirects,
expired credentials and all else. So nothing depends on it that a store takes signed URLs.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSRequest

from everlog.stores.object_key import ObjectKey
from everlog.stores.s3_errors import error_of, translating

URLS_MAX = 1024
"""Objects whose URLs are kept."""

URL_SECONDS = 3600
"""How long a URL is good for; one that is not any more is refused, and the next is signed."""

REFUSALS_MAX = 3
"""A store that refuses so many new URLs one after the other, and not boto3, takes none."""

Open = Callable[[ObjectKey, int, int], Any]
"""Opens a range: name, first byte, byte after the last."""

_ERROR_BYTES_MAX = 64 << 10
_STATUS_PARTIAL = 206
_STATUS_THROTTLED = 429
_STATUS_FAILED = 500


class SignedReads:
    """Opens ranges. Used by many threads at a time.

    Args:
        client: Signs the URLs; its connections are used.
        bucket: Where the objects are.
        prefix: What their names begin with.
    """

    def __init__(self, client: Any, *, bucket: str, prefix: str) -> None:
        self._client = client
        # Nothing public leads there. It has boto3's certificates, proxies and time limits.
        self._session = client._endpoint.http_session  # noqa: SLF001  (boto3 is pinned)
        self._bucket = bucket
        self._prefix = prefix
        self._urls: OrderedDict[ObjectKey, str] = OrderedDict()
        self._lock = threading.Lock()
        self._refusals = 0

    def open(self, key: ObjectKey, start: int, end: int, *, otherwise: Open) -> Any:
        """Return the body of ``[start, end)``, to be read and closed.

        Args:
            key: Name of the object.
            start: First byte.
            end: After the last byte.
            otherwise: Asks boto3 instead, where a signed URL has not brought the range.

        Raises:
            StoreUnavailableError, StoreThrottledError: The store did not answer, or had too much
                to do.
            EverlogError: Whatever ``otherwise`` raises.
        """
        if self._refusals >= REFUSALS_MAX:
            return otherwise(key, start, end)
        url, is_new = self._url(key)
        request = AWSRequest(
            method="GET", url=url, headers={"Range": f"bytes={start}-{end - 1}"}, stream_output=True
        )
        with translating("read", key):
            answer = self._session.send(request.prepare())
        if self._is_asked_for(answer, start, end):
            self._refusals = 0
            return answer.raw
        self._refuse(key, answer)
        body = otherwise(key, start, end)
        # A URL may have expired; a new one that does not bring what boto3 does tells of the store.
        self._refusals += is_new
        return body

    def _is_asked_for(self, answer: Any, start: int, end: int) -> bool:
        sent = answer.headers.get("Content-Range", "").partition("/")[0]
        length = answer.headers.get("Content-Length")
        is_range = sent == f"bytes {start}-{end - 1}" and length == str(end - start)
        return bool(answer.status_code == _STATUS_PARTIAL and is_range)

    def _url(self, key: ObjectKey) -> tuple[str, bool]:
        """Return the URL of an object, and whether it is a new one."""
        with self._lock:
            known = self._urls.get(key)
            if known is not None:
                self._urls.move_to_end(key)
                return known, False
        target = {"Bucket": self._bucket, "Key": self._prefix + key}
        with translating("read", key):
            url: str = self._client.generate_presigned_url(
                "get_object", Params=target, ExpiresIn=URL_SECONDS
            )
        with self._lock:
            self._urls[key] = url
            if len(self._urls) > URLS_MAX:
                self._urls.popitem(last=False)
        return url, True

    def _refuse(self, key: ObjectKey, answer: Any) -> None:
        """Forget a URL that was refused; raise what boto3 would meet as well."""
        text = answer.raw.read(_ERROR_BYTES_MAX)
        answer.raw.close()
        if answer.status_code >= _STATUS_FAILED or answer.status_code == _STATUS_THROTTLED:
            raise error_of(
                "read",
                key,
                code=_element(text, b"Code"),
                message=_element(text, b"Message"),
                status=answer.status_code,
            )
        with self._lock:
            self._urls.pop(key, None)


def _element(text: bytes, name: bytes) -> str:
    """Return what an answer's XML has in an element; empty if it has none."""
    found = re.search(rb"<%b>([^<]*)</%b>" % (name, name), text)
    return "" if found is None else found[1].decode(errors="replace")
