"""Memory while far more than the cache holds is read through it, by one consumer, from a bucket.

A topic of two gibibytes is read again and again. The cache is an eighth of it, so each pass finds
nothing of the one before, as if the topic were as long as all passes together.
"""

from dataclasses import replace

from bench.block import Block
from bench.buckets.requests import since
from bench.buckets.seaweedfs import Bucket, seaweedfs, versions
from bench.comparison import EVERLOG, Comparison, Target
from bench.page_cache import read_through
from bench.processes import BROKER
from bench.server import Server
from bench.suites.archived import COLD, RECORD_BYTES, SCAN, SCANNED, bucket_site, cost
from bench.suites.memory import note_memory
from bench.suites.suite import Suite

_FIRST = "first GiB"
_LAST = "last GiB"
_GROWTH = "growth"
_WORKER = "worker"
_CACHE = f"remote.cache.bytes={256 << 20}"
_GIB_RECORDS = 2**30 // RECORD_BYTES


def _run(block: Block) -> None:
    with seaweedfs(block.kept / "bucket") as bucket:
        site = bucket_site(block, bucket)
        read_through(bucket.home)
        small = replace(site, settings=(*site.settings, _CACHE))
        with block.serving(small) as (server, _):
            _scan(block, bucket, server)


def _scan(block: Block, bucket: Bucket, server: Server) -> None:
    cold = block.local_start(server, COLD)
    wanted = block.lengths.scan_gib * _GIB_RECORDS
    read = min(cold, _GIB_RECORDS)
    block.run("consume", server, COLD, "-n", str(read), *SCAN)
    note_memory(block, _FIRST, server)
    before, asked, first = server.memory(), bucket.requests(), read
    while read < wanted:
        one = min(cold, wanted - read)
        block.run("consume", server, COLD, "-n", str(one), *SCAN)
        read += one
    note_memory(block, _LAST, server, gib=read / _GIB_RECORDS)
    after = server.memory()
    # So many requests for what the first GiB did not read tell that it was not in the cache.
    block.note(SCANNED, cost(since(asked, bucket.requests()), read - first))
    grown = {
        role: after[role].pss_mb - before[role].pss_mb
        for role in (BROKER, _WORKER)
        if role in before and role in after
    }
    by_role = {f"{role}_growth_mb": growth for role, growth in grown.items()}
    block.note(_GROWTH, {"growth_mb": sum(grown.values()), **by_role})


def _held(role: str) -> Comparison:
    return Comparison(
        title=f"memory after the last GiB / after the first, of a cold scan: {role}",
        metric=f"{role}_pss_mb",
        unit="MB",
        everlog=_LAST,
        other=_FIRST,
        whose=EVERLOG,
    )


TIER_MEMORY = Suite(
    name="tier-memory",
    run=_run,
    peers=(EVERLOG,),
    rounds=1,
    other="beside it",
    on_request=True,
    versions=versions,
    comparisons=(
        _held(BROKER),
        _held(_WORKER),
        Comparison(
            title="growth of both from the first GiB to the last, through a cache of 256 MiB",
            metric="growth_mb",
            unit="MB",
            everlog=_GROWTH,
            other=None,
            target=Target(sense="<=", bound=64, of="value"),
        ),
    ),
)
