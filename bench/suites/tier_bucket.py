"""What is measured of a server whose archive is a bucket."""

import json
import secrets
import tempfile

from bench.block import Block, settle
from bench.buckets.requests import since
from bench.buckets.seaweedfs import CREDENTIALS, REGION, Bucket
from bench.client import settings
from bench.page_cache import read_through
from bench.peers.peer import Flush
from bench.server import Server, Site
from bench.suites.archived import COLD, SCAN, SCANNED, cost
from bench.tool import module_output

S3 = "s3"
BOTO3 = "boto3"
FILL = "fill"
SEEK_HOT = "seek/hot"
SEEK_S3 = "seek/s3"
ALONE = "tail/alone"
BESIDE_REPLAY = "tail/replay"
REPLAY = "replay"
REPLAYED = "replayed"

_THREADS = "8"
_RANGE_BYTES = str(4 << 20)
_CACHE_BYTES = str(1 << 30)
_LANES = "16"
"""The cache, and what is under way at a time, are as large as a broker's by default."""

_LIMIT_S = 900.0
_TAIL = ["-r", "500", "-a", *settings({"linger.ms": "0"})]
_TAIL_RAMP_S = 2.0
_REPLAY_LIMIT_S = "900"
"""It is ended before."""


def measure_bucket(block: Block, bucket: Bucket, site: Site) -> None:
    """Measure everything; each part with a server of its own, so that nothing is cached."""
    read_through(bucket.home)
    with block.attempt(S3):
        _scan(block, bucket, site)
    with block.attempt(BOTO3):
        _read_bare(block, bucket)
    with block.attempt(FILL):
        _fill(block, bucket)
    with block.attempt(SEEK_S3), block.serving(site) as (server, _):
        seek(block, SEEK_S3, server, COLD, block.local_start(server, COLD))
    # A scan that begins anew finds nothing of the last one: the cache is half of the topic.
    with block.attempt(BESIDE_REPLAY), block.serving(site) as (server, _):
        _isolation(block, bucket, server)


def seek(block: Block, case: str, server: Server, topic: str, offsets: int) -> None:
    """Go to random offsets of a topic, the same ones each time."""
    settle()
    where = [server.bootstrap, topic, str(offsets), str(block.lengths.seeks)]
    block.note(case, json.loads(module_output("bench.seek", *where, limit_s=_LIMIT_S)))


def _scan(block: Block, bucket: Bucket, site: Site) -> None:
    with block.serving(site) as (server, _):
        records = block.local_start(server, COLD)
        before, cpu_before_s = bucket.requests(), bucket.cpu_s()
        read = block.measure(S3, "consume", server, COLD, "-n", str(records), *SCAN)
        store_cpu_s = bucket.cpu_s() - cpu_before_s
        spent = {"store_cpu_s_per_gb": store_cpu_s / read["bytes"] * 1e9}
        block.note(SCANNED, {**cost(since(before, bucket.requests()), records), **spent})


def _read_bare(block: Block, bucket: Bucket) -> None:
    settle()
    said = module_output(
        "bench.buckets.read",
        *(bucket.endpoint, bucket.name, REGION, _THREADS, _RANGE_BYTES),
        limit_s=_LIMIT_S,
        environment=CREDENTIALS,
    )
    block.note(BOTO3, json.loads(said))


def _fill(block: Block, bucket: Bucket) -> None:
    settle()
    with tempfile.TemporaryDirectory(prefix="cache-", dir=block.kept) as cache:
        said = module_output(
            "bench.buckets.cache_fill",
            *(bucket.url, cache, _LANES, _RANGE_BYTES, _CACHE_BYTES),
            limit_s=_LIMIT_S,
            environment=CREDENTIALS,
        )
    block.note(FILL, json.loads(said))


def _isolation(block: Block, bucket: Bucket, server: Server) -> None:
    lengths = block.lengths
    block.run("latency", server, _tail_topic(block, server), "-d", str(lengths.warm_s), *_TAIL)
    timing = ["-d", str(lengths.latency_s), "-w", str(_TAIL_RAMP_S)]
    block.measure(ALONE, "latency", server, _tail_topic(block, server), *timing, *_TAIL)
    topic = _tail_topic(block, server)
    before = bucket.requests()
    scan = ["-n", str(block.local_start(server, COLD)), "-d", _REPLAY_LIMIT_S, *SCAN]
    with block.beside(REPLAY, "consume", server, COLD, *scan) as replayed:
        block.measure(BESIDE_REPLAY, "latency", server, topic, *timing, *_TAIL)
    # That it was read from the bucket again and again.
    requests = since(before, bucket.requests())
    block.note(REPLAYED, cost(requests, int(replayed["records"])))


def _tail_topic(block: Block, server: Server) -> str:
    """Make a topic that this directory has not had in an earlier round."""
    return block.topic(server, f"tail-{secrets.token_hex(4)}", Flush.ALWAYS)
