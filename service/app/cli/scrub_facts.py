"""What a broker's scrubber and its readers have seen, from the page of its metrics."""

import re
from http.client import HTTPException
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer

from service.app.cli.client_library import Admin, Cluster
from service.app.cli.failure import misuse
from service.app.cli.sizes import plural, size_text
from service.app.cli.topic_identity import broker_settings

MetricsOption = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        envvar="EVERLOG_METRICS",
        metavar="URL",
        help=(
            "The broker's /metrics, for what its scrubber has seen. Found by itself if the broker "
            "was started with --set admin.port=PORT; else broker_ready in its log has the address."
        ),
    ),
]

SECONDS_MAX = 3.0
_PAGE_BYTES_MAX = 4 << 20
_PREFIX = "everlog_tier_scrub_"
_SAMPLE = re.compile(rf"^{_PREFIX}([a-z_]+) (\S+)$", re.MULTILINE)
_DAMAGED = re.compile(r"^everlog_tier_damaged_objects (\S+)$", re.MULTILINE)
_PERCENT = 100

Scrub = dict[str, float]
"""Samples by the end of their names, such as ``missing_objects``."""


def read_scrub(admin: Admin, metadata: Cluster, *, url: str | None) -> Scrub | None:
    """Return what a scrubber has seen; None if it is off, or its page is not known or silent."""
    text = read_metrics(admin, metadata, url=url)
    return None if text is None else samples_of(text)


def read_metrics(admin: Admin, metadata: Cluster, *, url: str | None) -> str | None:
    """Return what a broker's metrics are; None if their page is not known or silent."""
    page = find_page(broker_settings(admin, metadata), url=url)
    return None if page is None else read_page(page)


def find_page(settings: dict[str, str | None], *, url: str | None) -> str | None:
    """Return where a broker's metrics are; None if its port is a free one, which it does not tell.

    Args:
        settings: Of the broker.
        url: What ``--metrics`` says.
    """
    if url is None:
        return _own_page(settings)
    if not url.startswith(("http://", "https://")):
        misuse(f"--metrics {url!r} is no page", "write http://HOST:PORT/metrics")
    return url


def read_page(page: str) -> str | None:
    """Return what is on the page; None if nobody answers as a broker does."""
    try:
        with urlopen(page, timeout=SECONDS_MAX) as answer:  # noqa: S310  (http alone, see above)
            text: str = answer.read(_PAGE_BYTES_MAX).decode()
            return text
    except (URLError, OSError, HTTPException, ValueError):
        return None


def samples_of(text: str) -> Scrub | None:
    """Find what a scrubber has seen on a page; None if it is off."""
    return {name: float(value) for name, value in _SAMPLE.findall(text)} or None


def damage_text(text: str) -> str | None:
    """Say what readers and the scrubber have found damaged or missing; None if it is nothing."""
    found = _DAMAGED.search(text)
    damaged = 0 if found is None else int(float(found[1]))
    if not damaged:
        return None
    return (
        f"{plural(damaged, 'archived object')} damaged or missing: the log names them "
        "(archive_object_unreadable, archive_object_unsound), and everlog tier verify --store URL "
        "lists all that is wrong; put them back from a copy"
    )


def scrub_text(scrub: Scrub) -> str:
    """Say what a scrubber has seen, and what to do about it."""
    missing, unsound = (int(scrub.get(f"{each}_objects", 0)) for each in ("missing", "unsound"))
    looks = int(scrub.get("objects_total", 0))
    read = size_text(scrub.get("read_bytes_total", 0))
    done = int(_PERCENT * scrub.get("round_ratio", 0))
    seen = f"{plural(looks, 'look')} and {read} read since the start, round {done}% over"
    if not missing and not unsound:
        return f"nothing wrong; {seen}"
    problems = f"{plural(missing, 'object')} missing, {unsound:,} unsound"
    return f"{problems}: the log names them (archive_object_unsound); {seen}"


def _own_page(settings: dict[str, str | None]) -> str | None:
    host, port = settings.get("admin.host"), settings.get("admin.port")
    if not host or not port or port == "0":
        return None
    return f"http://{host}:{port}/metrics"
