"""Commands that work on an object store themselves: the option ``--store``, and how they run."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

import typer

from everlog.model.errors import EverlogError, RejectedError, RetriableError
from everlog.stores.backoff import RetryPolicy
from everlog.stores.object_store import ObjectStore
from service.app.cli.failure import INTERRUPTED_STATUS, fail, misuse

ResultT = TypeVar("ResultT")

STORE_VARIABLE = "EVERLOG_STORE_URL"
"""The same as for a broker's setting store.url."""

PATIENCE = RetryPolicy(deadline_s=20.0)
"""How long a store may fail before a command gives up."""

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar=STORE_VARIABLE,
        metavar="URL",
        help="The archive: file:///directory or s3://bucket/prefix?endpoint=URL&region=R.",
    ),
]

OptionalStoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The archive, instead of the one that a broker names.",
    ),
]


STORE_OPTION = "--store"

BROKERS_STORE = "the broker's store"
"""Stands for an option where a broker has named the store, perhaps one on another machine."""


def check_url(url: str, *, option: str = STORE_OPTION) -> str:
    """Return a URL that means the same everywhere; end if it names no store."""
    from everlog.stores.url import absolute_url

    try:
        return absolute_url(url)
    except RejectedError as error:
        misuse(f"{option}: {error}", "")


def check_store(url: str, *, option: str = STORE_OPTION) -> str:
    """Return a URL that means the same everywhere; end if there can be no archive.

    A store makes its directory when it is written to, so whoever only reads has to look first.
    """
    from everlog.stores.url import DirectoryLocation, parse_store_url

    absolute = check_url(url, option=option)
    place = parse_store_url(absolute)
    if isinstance(place, DirectoryLocation) and not _may_be_directory(place.path):
        advice = "check it for a mistake"
        if option == BROKERS_STORE:
            advice = "if the broker is on another machine, name the store with --store"
        fail(f"{option} {url}: there is no directory {place.path}", advice)
    return absolute


def _may_be_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # the store says why it cannot be read


def run_on_store(
    url: str,
    work: Callable[[ObjectStore], Awaitable[ResultT]],
    *,
    option: str = STORE_OPTION,
) -> ResultT:
    """Open a store that is there, work on it, and close it; end if that cannot be.

    Ctrl-C and SIGTERM cancel the work and end the command.

    Args:
        url: Of the store.
        work: Gets the store, which repeats what fails for a while.
        option: What has named the store.
    """
    check_store(url, option=option)
    try:
        return on_store(url, work)
    except EverlogError as error:
        may_pass = isinstance(error, RetriableError)
        fail(str(error), "check the URL and whether the store is up" if may_pass else "")


def on_store(url: str, work: Callable[[ObjectStore], Awaitable[ResultT]]) -> ResultT:
    """Do the same, and leave to the caller what to do without the store.

    Raises:
        EverlogError: The store did not answer, or refused; or the work has raised it.
    """
    try:
        return asyncio.run(_run(url, work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(INTERRUPTED_STATUS) from None
    except ExceptionGroup as group:
        raise root_cause(group) from group


@asynccontextmanager
async def opened_store(url: str) -> AsyncIterator[ObjectStore]:
    """Open a store that repeats what fails for a while, and close it at the end.

    Raises:
        RejectedError: The URL names no store.
    """
    from everlog.stores.retrying import RetryingObjectStore
    from everlog.stores.url import open_store
    from service.app.system import SystemClock, SystemIds

    clock = SystemClock()
    store = RetryingObjectStore(
        open_store(url, clock=clock), clock=clock, ids=SystemIds(), policy=PATIENCE
    )
    try:
        yield store
    finally:
        await store.close()


async def _run(url: str, work: Callable[[ObjectStore], Awaitable[ResultT]]) -> ResultT:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with opened_store(url) as store:
        return await work(store)


def root_cause(error: Exception) -> Exception:
    """Return the first error of a group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
