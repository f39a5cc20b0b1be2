"""``everlog consume``: records to standard output, from whichever tier holds them."""

import sys
from typing import Annotated

import typer

from service.app.cli.connection import (
    BOOTSTRAP_DEFAULT,
    BootstrapOption,
    kafka_errors,
    wall_ms,
)
from service.app.cli.failure import misuse
from service.app.cli.group_option import checked_group
from service.app.cli.interruption import interruptible
from service.app.cli.offsets_text import (
    PLACES,
    AtOffset,
    Edge,
    Place,
    UnreadablePlaceError,
    parse_place,
)
from service.app.cli.output import Output, OutputOption
from service.app.cli.plain_command import PlainCommand
from service.app.cli.reading import GroupReading, PlannedReading, Reading, Span
from service.app.cli.record_format import (
    DEFAULT_FORMAT,
    BadFormatError,
    Piece,
    compile_format,
    json_line,
)
from service.app.cli.sizes import plural, size_text

app = typer.Typer(rich_markup_mode=None, add_completion=False)


_From = Annotated[
    str | None, typer.Option("--from", metavar="PLACE", help=f"Where to begin: {PLACES}.")
]
_To = Annotated[
    str | None, typer.Option("--to", metavar="PLACE", help="Where to end, in the same words.")
]
_Partitions = Annotated[
    list[int] | None, typer.Option("--partition", "-p", min=0, metavar="N", help="Only this one.")
]
_Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        "-g",
        metavar="GROUP",
        callback=checked_group,
        help="Share the work, and commit offsets.",
    ),
]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-F",
        metavar="FORMAT",
        help="%t topic, %p partition, %o offset, %k key, %v value, %T time, %h headers.  "
        f"[default: {DEFAULT_FORMAT}]",
    ),
]
_Limit = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, metavar="N", help="Stop after so many records."),
]


@app.command(cls=PlainCommand)
def consume(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to read.")],
    *,
    from_: _From = None,
    to: _To = None,
    partition: _Partitions = None,
    group: _Group = None,
    format_: _Format = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new records until Ctrl-C.")
    ] = False,
    limit: _Limit = None,
    stats: Annotated[bool, typer.Option("--stats", help="End with what was read.")] = False,
    bootstrap: BootstrapOption = BOOTSTRAP_DEFAULT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print records, up to what is there now unless --follow is given."""
    write = _writer(format_, output)
    if follow and to is not None:
        misuse("--follow never ends and --to ends", "leave out one of them")
    begin, end = _place("--from", from_) or Edge.EARLIEST, _place("--to", to)
    if isinstance(begin, AtOffset) and isinstance(end, AtOffset) and begin.offset >= end.offset:
        misuse(f"nothing lies between --from {from_} and --to {to}", "give an end after the begin")
    span = Span(
        topic=topic,
        partitions=partition or None,
        begin=begin,
        end=end,
        follow=follow,
        limit=limit,
        by_tier=stats,
    )
    if group is not None and (from_ is not None or to is not None or partition):
        misuse(
            "--group reads on from what the group has committed",
            'leave out --from, --to and --partition, or use "everlog group seek"',
        )
    with kafka_errors(bootstrap), interruptible():
        reading: Reading
        if group is None:
            reading = PlannedReading(bootstrap, span)
        else:
            reading = GroupReading(bootstrap, span, group)
        reading.run(write)
    if stats:
        _show_stats(reading)


def _place(option: str, text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        return parse_place(text, now_ms=wall_ms())
    except UnreadablePlaceError as error:
        misuse(f"{option}: {error}", f"write {PLACES}")


def _writer(text: str | None, output: Output) -> Piece:
    if output is Output.JSON:
        if text is not None:
            misuse("--format and -o json are two ways to write a record", "leave out one of them")
        return json_line
    try:
        return compile_format(DEFAULT_FORMAT if text is None else text)
    except BadFormatError as error:
        misuse(f"--format: {error}", "")


def _show_stats(reading: Reading) -> None:
    """Say on stderr what was read, from which tier as far as that is known, and how fast."""
    rate = reading.records / reading.seconds if reading.seconds else 0.0
    tiers = ""
    if reading.archive_bytes is not None:
        local = size_text(reading.bytes - reading.archive_bytes)
        tiers = f" ({local} local, {size_text(reading.archive_bytes)} from the archive)"
    print(
        f"{plural(reading.records, 'record')}, {size_text(reading.bytes)}{tiers} "
        f"in {reading.seconds:.1f} s ({rate:,.0f}/s)",
        file=sys.stderr,
    )
