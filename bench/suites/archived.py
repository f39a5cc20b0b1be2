"""Topics that suites read from the archive: how they come there, and what their requests cost."""

from collections.abc import Mapping
from dataclasses import replace

from bench.block import Block
from bench.buckets.requests import dollars, since
from bench.buckets.seaweedfs import CREDENTIALS, Bucket
from bench.peers.peer import Flush
from bench.sample import Metrics
from bench.server import Server, Site
from bench.suites.consume import LOAD, READ_AHEAD

COLD = "cold"
"""The archived topic."""

HOT = "hot"
"""As large, and local."""

WARM = "warm"
"""Archived, small: for a server to get warm on, without having seen the other one."""

WRITTEN = "written"
"""Case of what the requests to write it have cost."""

SCANNED = "scanned"
"""Case of what the requests to read it once have cost."""

SCAN = ["-l", "600", *READ_AHEAD]
"""Arguments of the client that reads: in patience, what the slowest of all takes."""

RECORD_BYTES = 1000
_WARM_RECORDS = 150_000
_ACTIVE_RECORDS_MAX = 70_000
"""Of a segment of 64 MiB and a batch: the end of a log is in its active segment, and local."""


def fill_directory(block: Block, site: Site) -> None:
    """Write all three topics, and wait until the archive has what it can have."""
    records = block.lengths.tier_records
    with block.serving(site) as (server, _):
        hot = block.topic(server, HOT, Flush.INTERVAL)
        block.run("produce", server, hot, "-n", str(records), *LOAD)
        _archive(block, server, WARM, _WARM_RECORDS)
        _archive(block, server, COLD, records)


def bucket_site(block: Block, bucket: Bucket) -> Site:
    """Give the kept place of a server whose archive is the bucket, with `COLD` in it."""

    def fill(site: Site) -> None:
        with block.serving(in_bucket(block, site, bucket)) as (server, _):
            before = bucket.requests()
            _archive(block, server, COLD, block.lengths.tier_records)
            archived = block.local_start(server, COLD)
            block.note(WRITTEN, cost(since(before, bucket.requests()), archived))

    return in_bucket(block, block.kept_site(fill, "s3"), bucket)


def in_bucket(block: Block, site: Site, bucket: Bucket) -> Site:
    """Give the same place, with the bucket for an archive."""
    settings = (*site.settings, *block.archive_settings(bucket.url))
    return replace(site, settings=settings, environment=CREDENTIALS)


def cost(requests: Mapping[str, float], records: int) -> Metrics:
    """Say what the requests for so many records cost, and what kinds they were."""
    gib = records * RECORD_BYTES / 2**30
    counts = {f"{kind.lower()}_requests": count for kind, count in requests.items()}
    return {"gib": gib, "dollars_per_gib": dollars(requests) / gib, **counts}


def _archive(block: Block, server: Server, topic: str, records: int) -> None:
    block.cold_topic(server, topic)
    block.run("produce", server, topic, "-n", str(records), *LOAD)
    block.wait_cold(server, topic, records - _ACTIVE_RECORDS_MAX)
