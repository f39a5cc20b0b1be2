"""``everlog tier copy``: an archive in another store, once or for ever; needs no broker."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from everlog.model.errors import RetriableError
from everlog.stores.object_store import ObjectStore
from service.app.cli.archived_topics import (
    ClusterOption,
    TopicOption,
    find_clusters,
    wanted_topic,
)
from service.app.cli.connection import BOOTSTRAP_DEFAULT, BootstrapOption, wall_ms
from service.app.cli.copy_report import (
    RoundReport,
    print_prune,
    print_round,
    prune_facts,
    round_facts,
)
from service.app.cli.deletion import YesOption
from service.app.cli.failure import FAILURE_STATUS, misuse
from service.app.cli.output import Output, OutputOption, show_json
from service.app.cli.prices import Prices, PricesOption, read_prices
from service.app.cli.progress import Progress
from service.app.cli.sizes import plural
from service.app.cli.store_option import (
    STORE_VARIABLE,
    check_store,
    check_url,
    opened_store,
    root_cause,
    run_on_store,
)
from service.app.cli.times import duration_ms

if TYPE_CHECKING:
    from everlog.format.object_keys import PartitionPath
    from everlog.model.storage_class import StorageClass
    from service.tiering.archive_copying import ArchiveCopier, CopyRound, CopyScope
    from service.tiering.copy_outcome import CopyCounts
    from service.tiering.copy_pruning import PartitionSurplus
    from service.tiering.object_copying import ObjectCopier
    from service.tiering.verification import PartitionReport, Verifier

VERIFIED_AT_ONCE = 4
"""Partitions of the copy that are read back side by side."""

_SAME = "same"

_FORM = "file:///directory or s3://bucket/prefix?endpoint=URL&region=R"

FROM = "--from"
FromOption = Annotated[
    str,
    typer.Option(FROM, envvar=STORE_VARIABLE, metavar="URL", help=f"The archive: {_FORM}."),
]
TO = "--to"
ToOption = Annotated[
    str, typer.Option(TO, metavar="URL", help="The copy: another one, empty or copied before.")
]

ClassOption = Annotated[
    str,
    typer.Option(
        "--storage-class",
        metavar="CLASS",
        help="Of segment objects in the copy, such as GLACIER_IR; same is what they have at the "
        "source, where the copy's store has that.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What the command was asked for; without a storage class, to keep the source's."""

    source_url: str
    target_url: str
    scope: "CopyScope"
    storage_class: "StorageClass | None"
    follow_seconds: int | None
    is_trial: bool
    is_verified: bool
    output: Output
    prices: Prices


def copy(
    *,
    source: FromOption,
    target: ToOption,
    cluster: ClusterOption = None,
    topic: TopicOption = None,
    follow: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", min=1, help="Copy what is new again and again, so long apart."
        ),
    ] = None,
    storage_class: ClassOption = _SAME,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the copy back to its end, batch by batch.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Instead: show what the source no longer has; remove it with --yes."
        ),
    ] = False,
    grace: Annotated[
        str, typer.Option(metavar="AGE", help="What is younger in the copy is not pruned.")
    ] = "24h",
    yes: YesOption = False,
    prices: PricesOption = None,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy an archive to another store, while brokers use it; again, and only what is new comes.

    Nothing is ever removed from the copy but by --prune.
    """
    from service.tiering.archive_copying import CopyScope

    _check_urls(source, target)
    chosen = _storage_class(storage_class, target)
    if prune and (follow is not None or verify or dry_run):
        misuse("--prune goes with none of --follow, --verify, --dry-run", "without --yes it is dry")
    _check_options(is_dry=dry_run, is_real=yes, is_prune=prune, follow=follow)
    scope = CopyScope(cluster_id=cluster, topic_id=wanted_topic(topic, bootstrap))
    order = _Order(
        source_url=source,
        target_url=target,
        scope=scope,
        storage_class=chosen,
        follow_seconds=follow,
        is_trial=dry_run,
        is_verified=verify,
        output=output,
        prices=read_prices(prices),
    )
    if prune:
        _prune(order, grace_ms=_grace_ms(grace), is_real=yes)
    elif run_on_store(source, lambda opened: _copy(opened, order), option=FROM):
        raise SystemExit(FAILURE_STATUS)


def _check_options(*, is_dry: bool, is_real: bool, is_prune: bool, follow: int | None) -> None:
    if is_real and not is_prune:
        misuse("--yes is about --prune", "leave it out")
    if follow is not None and is_dry:
        misuse("--follow and --dry-run exclude each other", "leave one of them out")


def _storage_class(text: str, target: str) -> "StorageClass | None":
    """Return the class that is asked for; None for that of the source."""
    from everlog.model.storage_class import StorageClass, class_fault

    if text == _SAME:
        return None
    fault = class_fault(text)
    if fault is not None:
        misuse(f"--storage-class {text}: {fault}", f"or {_SAME}")
    found = StorageClass[text]
    if found is not StorageClass.STANDARD and not _has_classes(target):
        misuse(f"--storage-class {text}: only buckets have storage classes", "leave it out")
    return found


def _has_classes(url: str) -> bool:
    from everlog.stores.s3_settings import S3Settings
    from everlog.stores.url import absolute_url, parse_store_url

    return isinstance(parse_store_url(absolute_url(url)), S3Settings)


def _grace_ms(text: str) -> int:
    found = duration_ms(text)
    if found is None:
        misuse(f"--grace: {text!r} is no duration", "write 24h, 90m or 1d12h")
    return found


def _check_urls(source: str, target: str) -> None:
    """See that there are two stores, neither of which is the other."""
    from everlog.stores.url import DirectoryLocation, MemoryLocation, parse_store_url

    places = []
    for option, url in ((FROM, source), (TO, target)):
        place = parse_store_url(check_url(url, option=option))
        if isinstance(place, MemoryLocation):
            misuse(f"{option}: memory:// is gone when the command ends", f"write {_FORM}")
        if isinstance(place, DirectoryLocation) and os.path.isfile(place.path):
            misuse(f"{option} {url}: {place.path} is a file", "give a directory")
        places.append(place)
    if places[0] == places[1]:
        misuse("--from and --to are the same store", "copy to another one")


async def _copy(source: ObjectStore, order: _Order) -> bool:
    """Copy, once or for ever; return whether anything is wrong."""
    from service.app.system import SystemClock
    from service.tiering.archive_copying import ArchiveCopier
    from service.tiering.copy_classes import CopyClasses

    async with opened_store(order.target_url) as target, _copier(source, target, order) as objects:
        archive = ArchiveCopier(
            source,
            target,
            objects=objects,
            scope=order.scope,
            clock=SystemClock(),
            classes=CopyClasses(order.storage_class, has_any=_has_classes(order.target_url)),
            is_trial=order.is_trial,
        )
        if order.follow_seconds is not None:
            await _follow(archive, target, order, seconds=order.follow_seconds)
        report = await _round(archive, target, order)
        _show(report, order)
        return report.has_problems


@asynccontextmanager
async def _copier(
    source: ObjectStore, target: ObjectStore, order: _Order
) -> AsyncIterator["ObjectCopier"]:
    """Choose how single objects are copied."""
    from everlog.stores.s3_settings import S3Settings
    from everlog.stores.url import parse_store_url
    from service.app.system import SystemIds
    from service.tiering.object_copying import SpooledCopier, StoreSideCopier

    places = parse_store_url(order.source_url), parse_store_url(order.target_url)
    with TemporaryDirectory(prefix="everlog-copy-") as folder:
        through_here = SpooledCopier(source, target, folder=folder, ids=SystemIds())
        match places:
            case S3Settings() as ours, S3Settings() as theirs if ours.endpoint == theirs.endpoint:
                from everlog.stores.s3_server_copy import S3ServerCopy

                server = S3ServerCopy(ours, theirs)
                try:
                    yield StoreSideCopier(server, target, otherwise=through_here)
                finally:
                    await server.close()
            case _:
                yield through_here


async def _follow(
    archive: "ArchiveCopier", target: ObjectStore, order: _Order, *, seconds: int
) -> None:
    """Copy round after round until the command is ended."""
    whole_as_of_ms: int | None = None
    while True:
        try:
            report = await _round(archive, target, order, whole_as_of_ms=whole_as_of_ms)
        except (RetriableError, ExceptionGroup) as error:
            cause = root_cause(error)
            if not isinstance(cause, RetriableError):
                raise
            print(f"everlog: {cause}; next round in {seconds} s", file=sys.stderr, flush=True)
        else:
            whole_as_of_ms = report.whole_as_of_ms
            _show(report, order)
        await asyncio.sleep(seconds)


async def _round(
    archive: "ArchiveCopier",
    target: ObjectStore,
    order: _Order,
    *,
    whole_as_of_ms: int | None = None,
) -> RoundReport:
    with Progress("looking" if order.is_trial else "copying", has_end=True) as progress:
        gauge = _Gauge(progress)
        done = await archive.round(on_count=gauge.take, on_partition=gauge.take_partition)
    verified: list[PartitionReport] = []
    if order.is_verified:
        verified = await _read_back(target, done)
    if not done.problem_count:
        whole_as_of_ms = done.as_of_ms
    return RoundReport(
        done=done,
        verified=verified,
        whole_as_of_ms=whole_as_of_ms,
        follow_seconds=order.follow_seconds,
        is_trial=order.is_trial,
    )


class _Gauge:
    """How far a round has come; how much there is shows as roots are read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._facts = ""

    def take_partition(self, done: int, partitions: int) -> None:
        self._facts = f"  {done:,} of {plural(partitions, 'partition')}"

    def take(self, counts: "CopyCounts") -> None:
        self._progress.draw(
            f"{plural(counts.objects, 'object')}{self._facts}",
            done=counts.bytes + counts.kept_bytes,
            total=max(counts.found_bytes, counts.bytes + counts.kept_bytes),
            size=counts.bytes,
        )


async def _read_back(target: ObjectStore, done: "CopyRound") -> "list[PartitionReport]":
    from service.tiering.verification import Verifier

    paths = [each.path for each in done.partitions if each.root is not None]
    with Progress("reading back", has_end=True) as progress:
        read = 0

        def take(size: int) -> None:
            nonlocal read
            read += size
            progress.draw("", done=read, total=max(read, done.counts.found_bytes), size=read)

        verifier = Verifier(target, deep=True, on_object=take)
        slots = asyncio.Semaphore(VERIFIED_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(_verified(verifier, path, slots)) for path in paths]
    return [each.result() for each in work]


async def _verified(
    verifier: "Verifier", path: "PartitionPath", slots: asyncio.Semaphore
) -> "PartitionReport":
    async with slots:
        return await verifier.partition(path)


def _show(report: RoundReport, order: _Order) -> None:
    if order.output is Output.JSON:
        show_json(
            {
                "from": order.source_url,
                "to": order.target_url,
                **round_facts(report, order.prices, now_ms=wall_ms()),
            }
        )
    else:
        print_round(report, order.prices, now_ms=wall_ms())
    sys.stdout.flush()


def _prune(order: _Order, *, grace_ms: int, is_real: bool) -> None:
    async def work(source: ObjectStore) -> "list[PartitionSurplus]":
        from service.tiering.archive_listing import partitions_in
        from service.tiering.copy_pruning import remove, surplus_of

        found = []
        await find_clusters(source, url=order.source_url)
        check_store(order.target_url, option=TO)
        async with opened_store(order.target_url) as target:
            paths = await partitions_in(target, order.scope.has)
            with Progress("comparing", has_end=True) as progress:
                for path in paths:
                    surplus = await surplus_of(
                        source, target, path, now_ms=wall_ms(), grace_ms=grace_ms
                    )
                    if is_real:
                        await remove(target, surplus)
                    found.append(surplus)
                    facts = plural(len(found), "partition")
                    progress.draw(facts, done=len(found), total=len(paths))
        return found

    found = run_on_store(order.source_url, work, option=FROM)
    if order.output is Output.JSON:
        show_json({"to": order.target_url, **prune_facts(found, is_real=is_real)})
    else:
        print_prune(found, is_real=is_real)
