"""What an object store costs: a table of prices that can be brought along."""

import tomllib
from dataclasses import dataclass, fields
from math import floor, log10
from pathlib import Path
from typing import Annotated, Any

import typer

from service.app.cli.failure import misuse

S3_STANDARD_GIB_MONTH = 0.023
"""The first 50 TB; a GB of Amazon's has 2^30 bytes (https://aws.amazon.com/s3/pricing/)."""

S3_STANDARD_PUT_1000 = 0.005
"""PUT, COPY, POST and LIST; from the same page, us-east-1, as are the others."""

S3_STANDARD_GET_1000 = 0.0004
"""GET, HEAD and all others; DELETE is free."""

_DIGITS = 2

PricesOption = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        envvar="EVERLOG_PRICES",
        metavar="FILE",
        help="Prices as TOML: name, currency, gib_month, put_1000, get_1000, out_gib.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of a store.

    Attributes:
        gib_month: Of a GiB for a month.
        put_1000: Of a thousand requests that write or list.
        get_1000: Of a thousand others.
        out_gib: Of a GiB that leaves the store; nothing within a region of Amazon's.
    """

    name: str = "Amazon S3 Standard, us-east-1"
    currency: str = "USD"
    gib_month: float = S3_STANDARD_GIB_MONTH
    put_1000: float = S3_STANDARD_PUT_1000
    get_1000: float = S3_STANDARD_GET_1000
    out_gib: float = 0.0


def read_prices(path: Path | None) -> Prices:
    """Read a table of prices; end if it is none. What it does not say is as on Amazon's list."""
    if path is None:
        return Prices()
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        misuse(f"--prices {path}: {error}", "write name = value lines, as TOML")
    return prices_of(table, where=f"--prices {path}")


def prices_of(table: dict[str, Any], *, where: str) -> Prices:
    """Take prices by name; end if one is none."""
    texts = {"name", "currency"}
    known = {field.name for field in fields(Prices)}
    for name, value in table.items():
        if name not in known:
            misuse(f"{where}: {name} is no price", f"write {', '.join(sorted(known))}")
        if name in texts and isinstance(value, str):
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in texts or not is_number or value < 0:
            misuse(f"{where}: {name} is {value!r}", "write a price, or a text in quotes")
    return Prices(**{"name": where, **table})


def money_text(amount: float) -> str:
    """Write an amount to the cent, and a smaller one with two digits that count: ``0.0042``."""
    if not amount:
        return "0"
    digits = max(_DIGITS, _DIGITS - 1 - floor(log10(abs(amount))))
    return f"{amount:,.{digits}f}"
