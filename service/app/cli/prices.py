"""What an object store costs: a table of prices that can be brought along."""

import tomllib
from collections.abc import Mapping
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

S3_CLASS_PRICES: Mapping[str, tuple[float, float]] = {
    "STANDARD_IA": (0.0125, 0.01),
    "ONEZONE_IA": (0.01, 0.01),
    "GLACIER_IR": (0.004, 0.03),
}
"""Of a GiB a month, and of a GiB that is read. INTELLIGENT_TIERING costs what STANDARD does while
it is read, and less later; REDUCED_REDUNDANCY a little more."""

_DIGITS = 2

PricesOption = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        envvar="EVERLOG_PRICES",
        metavar="FILE",
        help="Prices as TOML: name, currency, gib_month, put_1000, get_1000, out_gib, "
        "standard_ia_gib_month, standard_ia_read_gib and the same of onezone_ia and glacier_ir.",
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
        standard_ia_gib_month: As `gib_month`, of that class; so are the others.
        standard_ia_read_gib: Of a GiB of that class that is read; so are the others.
    """

    name: str = "Amazon S3 Standard, us-east-1"
    currency: str = "USD"
    gib_month: float = S3_STANDARD_GIB_MONTH
    put_1000: float = S3_STANDARD_PUT_1000
    get_1000: float = S3_STANDARD_GET_1000
    out_gib: float = 0.0
    standard_ia_gib_month: float = S3_CLASS_PRICES["STANDARD_IA"][0]
    standard_ia_read_gib: float = S3_CLASS_PRICES["STANDARD_IA"][1]
    onezone_ia_gib_month: float = S3_CLASS_PRICES["ONEZONE_IA"][0]
    onezone_ia_read_gib: float = S3_CLASS_PRICES["ONEZONE_IA"][1]
    glacier_ir_gib_month: float = S3_CLASS_PRICES["GLACIER_IR"][0]
    glacier_ir_read_gib: float = S3_CLASS_PRICES["GLACIER_IR"][1]

    def month_of(self, storage_class: str) -> float:
        """Return the price of a GiB in a class for a month; that of STANDARD for others."""
        prices = {
            "STANDARD_IA": self.standard_ia_gib_month,
            "ONEZONE_IA": self.onezone_ia_gib_month,
            "GLACIER_IR": self.glacier_ir_gib_month,
        }
        return prices.get(storage_class, self.gib_month)

    def read_of(self, storage_class: str) -> float:
        """Return what reading a GiB of a class costs beside its requests."""
        prices = {
            "STANDARD_IA": self.standard_ia_read_gib,
            "ONEZONE_IA": self.onezone_ia_read_gib,
            "GLACIER_IR": self.glacier_ir_read_gib,
        }
        return prices.get(storage_class, 0.0)


def read_prices(path: Path | None) -> Prices:
    """Read a table of prices; end if it is none. What it does not say is as on Amazon's list."""
    if path is None:
        return Prices()
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        misuse(f"--prices {path}: {error.strerror}", "give a TOML file that can be read")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
