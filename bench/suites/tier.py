"""Tier: one consumer reads what is only in the archive, in a directory and in a bucket.

Hot is the same amount of the same records in the local log. Kafka's archive is a directory, too. No
server has read the cold topic since its start, so its caches hold nothing of that; the files of
disk, directory and bucket are in the page cache.
"""

from dataclasses import dataclass

from bench.block import Block
from bench.buckets.seaweedfs import seaweedfs, versions
from bench.comparison import EVERLOG, KAFKA, Comparison, Target
from bench.page_cache import read_through
from bench.suites.archived import (
    COLD,
    HOT,
    SCAN,
    SCANNED,
    WARM,
    WRITTEN,
    bucket_site,
    fill_directory,
)
from bench.suites.suite import Suite
from bench.suites.tier_bucket import (
    ALONE,
    BESIDE_REPLAY,
    BOTO3,
    FILL,
    S3,
    SEEK_HOT,
    SEEK_S3,
    measure_bucket,
    seek,
)

_HOT = "hot"
_DIRECTORY = "directory"


def _run(block: Block) -> None:
    _measure_directory(block)
    if not block.takes_buckets:
        return
    with seaweedfs(block.kept / "bucket") as bucket:
        measure_bucket(block, bucket, bucket_site(block, bucket))


def _measure_directory(block: Block) -> None:
    site = block.kept_site(lambda site: fill_directory(block, site), "directory")
    read_through(site.data_dir)
    warm = ["-d", str(block.lengths.warm_s), *SCAN]
    with block.serving(site) as (server, _):
        records = block.local_start(server, COLD)
        scan = ["-n", str(records), *SCAN]
        with block.attempt(_HOT):
            block.run("consume", server, HOT, "-n", str(records), *warm)
            block.measure(_HOT, "consume", server, HOT, *scan)
        with block.attempt(_DIRECTORY):
            small = block.local_start(server, WARM)
            block.run("consume", server, WARM, "-n", str(small), *warm)
            block.measure(_DIRECTORY, "consume", server, COLD, *scan)
        with block.attempt(SEEK_HOT):
            seek(block, SEEK_HOT, server, HOT, records)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Versus:
    """A case beside another one, whoever's."""

    title: str
    everlog: str
    other: str | None
    whose: str = EVERLOG

    def row(
        self, metric: str, unit: str, what: str = "", target: Target | None = None
    ) -> Comparison:
        return Comparison(
            title=f"{what} {self.title}".strip(),
            metric=metric,
            unit=unit,
            everlog=self.everlog,
            other=self.other,
            whose=self.whose,
            target=target,
        )

    def speed(self, at_least: float | None = None) -> Comparison:
        target = None if at_least is None else Target(sense=">=", bound=at_least)
        return self.row("mb_per_s", "MB/s", target=target)

    def cpu(self, role: str = "") -> Comparison:
        what = f"CPU of the {role}," if role else "CPU,"
        metric = f"{role}_cpu_s_per_gb" if role else "cpu_s_per_gb"
        return self.row(metric, "CPU s/GB", what)


def _at_most(bound: float, *, of_ratio: bool = True) -> Target:
    return Target(sense="<=", bound=bound, of="ratio" if of_ratio else "value")


_BARE = "boto3 alone, 8 threads"
_S3_BARE = _Versus(title=f"cold scan from S3 / {_BARE}", everlog=S3, other=BOTO3)
_S3_HOT = _Versus(title="cold scan from S3 / hot", everlog=S3, other=_HOT)
_S3_ALONE = _Versus(title="cold scan from S3", everlog=S3, other=None)
_FILLING = _Versus(title=f"worker filling its cache / {_BARE}", everlog=FILL, other=BOTO3)
_DIRECTORY_HOT = _Versus(title="cold scan from a directory / hot", everlog=_DIRECTORY, other=_HOT)
_DIRECTORY_KAFKA = _Versus(
    title="cold scan from a directory / Kafka, LocalTieredStorage",
    everlog=_DIRECTORY,
    other=_DIRECTORY,
    whose=KAFKA,
)
_HOT_KAFKA = _Versus(title="hot scan / Kafka", everlog=_HOT, other=_HOT, whose=KAFKA)
_SEEK = _Versus(
    title="to the first record at a random cold offset in S3 / a hot one",
    everlog=SEEK_S3,
    other=SEEK_HOT,
)
_TAIL = _Versus(
    title="at 500 records/s beside a cold scan from S3 / alone",
    everlog=BESIDE_REPLAY,
    other=ALONE,
)
_SCANNED = _Versus(title="requests for a GiB scanned", everlog=SCANNED, other=None)
_WRITTEN = _Versus(title="requests for a GiB written", everlog=WRITTEN, other=None)

TIER = Suite(
    name="tier",
    run=_run,
    other="beside it",
    archived=True,
    versions=versions,
    comparisons=(
        _S3_BARE.speed(0.6),
        _S3_HOT.speed(),
        _S3_HOT.cpu(),
        _S3_HOT.cpu("broker"),
        _S3_ALONE.cpu("worker"),
        _FILLING.speed(0.9),
        _FILLING.cpu(),
        _DIRECTORY_HOT.speed(0.9),
        _DIRECTORY_HOT.cpu(),
        _DIRECTORY_KAFKA.speed(1.5),
        _DIRECTORY_KAFKA.cpu(),
        _HOT_KAFKA.speed(),
        _SEEK.row("p50_ms", "ms", "p50", _at_most(25, of_ratio=False)),
        _SEEK.row("p90_ms", "ms", "p90"),
        _TAIL.row("p50_ms", "ms", "end to end p50", _at_most(1.5)),
        _TAIL.row("p99_ms", "ms", "end to end p99"),
        _TAIL.row("produce_p99_ms", "ms", "produce p99", _at_most(1.25)),
        _WRITTEN.row("dollars_per_gib", "$", target=_at_most(0.0003, of_ratio=False)),
        _SCANNED.row("dollars_per_gib", "$", target=_at_most(0.0002, of_ratio=False)),
    ),
)
