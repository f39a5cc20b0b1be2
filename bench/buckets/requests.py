"""Requests to an S3 server by kind, counted by SeaweedFS itself, and what Amazon asks for them.

List prices of S3 Standard in us-east-1: 0.005 dollars for a thousand PUT, COPY, POST and LIST
requests, 0.0004 for a thousand GET and all others; DELETE is free.
"""

import re
from collections.abc import Mapping

_COUNTER = re.compile(
    r"^SeaweedFS_s3_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE
)
_KIND = re.compile(r'\btype="([^"]*)"')
_DEAR = 0.005 / 1000
_CHEAP = 0.0004 / 1000
_CHEAP_KINDS = frozenset({"GET", "HEAD"})
_FREE_KINDS = frozenset({"DELETE"})


def parse_requests(page: str) -> dict[str, float]:
    """Read the server's metrics page: requests by kind, whatever was answered."""
    counted: dict[str, float] = {}
    for found in _COUNTER.finditer(page):
        kind = _KIND.search(found["labels"])
        name = kind[1] if kind else "unknown"
        counted[name] = counted.get(name, 0) + float(found["count"])
    return counted


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what has been counted in between, without the kinds that were not asked for."""
    grown = {kind: count - before.get(kind, 0) for kind, count in after.items()}
    return {kind: count for kind, count in grown.items() if count > 0}


def dollars(requests: Mapping[str, float]) -> float:
    """Return what they cost; a kind that nobody knows costs as much as the dearest."""
    return sum(count * _price(kind) for kind, count in requests.items())


def _price(kind: str) -> float:
    if kind in _FREE_KINDS:
        return 0
    return _CHEAP if kind in _CHEAP_KINDS else _DEAR
