"""``everlog doctor``: tries out what a cluster depends on."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Annotated

import typer

from everlog.model.errors import EverlogError
from service.app.cli.bucket_checks import object_lock, old_versions
from service.app.cli.failure import FAILURE_STATUS, INTERRUPTED_STATUS, fail
from service.app.cli.output import Column, Output, OutputOption, Table, show, show_json
from service.app.cli.plain_command import PlainCommand
from service.app.cli.progress import Progress
from service.app.cli.sizes import plural
from service.app.cli.store_checks import (
    Check,
    Level,
    Verdict,
    checksums_kept,
    checksums_verified,
    clocks,
    create_once,
    deleting,
    fresh_objects,
    listing,
    missing,
    overwrite,
    parts,
    ranges,
    suffix,
    verdict_of,
    write_and_read,
)
from service.app.cli.store_option import check_url
from service.app.cli.store_site import NotCleanedError, store_site
from service.app.cli.store_timing import large_object, small_objects

KEYS_DEFAULT = 1001
"""One more than S3 lists in one answer."""

SAMPLES_DEFAULT = 50

CHECKS: tuple[tuple[str, Check], ...] = (
    ("write and read", write_and_read),
    ("ranges", ranges),
    ("suffix ranges", suffix),
    ("missing objects", missing),
    ("create once", create_once),
    ("overwrite", overwrite),
    ("fresh objects", fresh_objects),
    ("listing", listing),
    ("deleting", deleting),
    ("checksums kept", checksums_kept),
    ("checksums verified", checksums_verified),
    ("parts", parts),
    ("object lock", object_lock),
    ("old versions", old_versions),
    ("clocks", clocks),
    ("small objects", small_objects),
    ("large object", large_object),
)
"""The first is what all others need; deleting removes what listing has made."""

app = typer.Typer(
    help="Try out what a cluster depends on.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.callback()
def _doctor() -> None:
    """Try out what a cluster depends on."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    check: str
    verdict: Verdict


@app.command(cls=PlainCommand)
def store(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="file:///directory or s3://bucket/prefix?endpoint=URL&region=R.",
        ),
    ],
    *,
    keys: Annotated[
        int, typer.Option(min=1, max=100_000, help="Names that are made, listed and deleted.")
    ] = KEYS_DEFAULT,
    samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="Small objects that are timed.")
    ] = SAMPLES_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Try out whether a store can hold an archive, and how fast it is.

    Works below a name of its own and removes what it has made, also after Ctrl-C. Exits with 1 if
    the store cannot be used.
    """
    check_url(url, option="URL")
    left: str | None = None
    outcomes: list[_Outcome] = []
    try:
        asyncio.run(_try_out(url, outcomes, keys=keys, samples=samples))
    except NotCleanedError as error:
        left = str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(INTERRUPTED_STATUS) from None
    except EverlogError as error:
        fail(str(error), "")
    if output is Output.JSON:
        show_json({**_facts(url, outcomes), "left_behind": left})
    else:
        show(_table(outcomes))
        print(_summary(outcomes))
    if left is not None:
        fail(left, "")
    if _count(outcomes, Level.FATAL):
        raise SystemExit(FAILURE_STATUS)


async def _try_out(url: str, found: list[_Outcome], *, keys: int, samples: int) -> None:
    """Run the checks, adding what each has found."""
    from service.app.system import SystemClock, SystemIds

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    place = store_site(url, clock=SystemClock(), ids=SystemIds(), keys=keys, samples=samples)
    with Progress("trying", has_end=True) as progress:
        async with place as site:
            for number, (name, check) in enumerate(CHECKS):
                progress.draw(name, done=number, total=len(CHECKS))
                found.append(_Outcome(name, await verdict_of(check, site)))
                if number == 0 and found[0].verdict.level is Level.FATAL:
                    break  # nothing else can go well


def _facts(url: str, outcomes: list[_Outcome]) -> dict[str, object]:
    return {
        "store": url,
        **{level.value: _count(outcomes, level) for level in Level},
        "checks": [
            {"check": each.check, "level": each.verdict.level, "text": each.verdict.text}
            for each in outcomes
        ],
    }


def _table(outcomes: list[_Outcome]) -> Table:
    return Table(
        [Column("CHECK"), Column("RESULT"), Column("WHAT WAS SEEN", is_prose=True)],
        [[each.check, each.verdict.level, each.verdict.text] for each in outcomes],
    )


def _summary(outcomes: list[_Outcome]) -> str:
    fatal, degraded = (_count(outcomes, each) for each in (Level.FATAL, Level.DEGRADED))
    left = len(CHECKS) - len(outcomes)
    rest = f"; {plural(left, 'check')} not tried" if left else ""
    if fatal:
        return f"this store cannot hold an archive: {plural(fatal, 'check')} failed{rest}"
    if degraded:
        return f"this store can hold an archive; {plural(degraded, 'check')} degraded, as it says"
    return "this store can hold an archive"


def _count(outcomes: list[_Outcome], level: Level) -> int:
    return sum(1 for each in outcomes if each.verdict.level is level)
