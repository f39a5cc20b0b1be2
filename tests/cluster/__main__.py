"""``python -m tests.cluster``: a fault run as long as somebody likes, with a report of it."""

import argparse
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.fault_run import Plan, fault_run
from tests.cluster.schedule import NEMESES, named
from tests.cluster.workload import Size
from tests.contract.object_stores import ACCESS_KEY, SECRET_KEY, seaweedfs_endpoint, weed_binary

LONG_SECONDS = 600
"""From here on there is more of everything."""

LONG_SIZE = Size(partitions=4, producers=8, pause_seconds=0.2, followers=3, members=4, travellers=3)


def main() -> int:
    """Run it; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=None, help="without one, of the clock")
    parser.add_argument("--zookeepers", type=int, default=None, choices=(1, 3))
    parser.add_argument("--only", nargs="*", choices=[each.name for each in NEMESES])
    parser.add_argument("--report", type=Path, help="where to write it, as Markdown")
    parser.add_argument("--keep", type=Path, help="a new directory for the data, which stays")
    asked = parser.parse_args()
    # That connections are refused while ZooKeeper is away is no news.
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)
    program = weed_binary()
    if program is None:
        parser.error("SeaweedFS is not installed; run `make setup`")
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = ACCESS_KEY, SECRET_KEY
    is_long = asked.seconds >= LONG_SECONDS
    plan = Plan(
        seconds=asked.seconds,
        seed=int(time.time()) if asked.seed is None else asked.seed,
        size=LONG_SIZE if is_long else Size(),
        zookeepers=asked.zookeepers or (3 if is_long else 1),
        choice=named(*asked.only) if asked.only else tuple(NEMESES),
    )
    print(f"seed {plan.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as place, seaweedfs_endpoint(program) as s3:
        directory = asked.keep or Path(place)
        report = fault_run(plan, directory, s3, say=lambda line: print(line, flush=True))
    print(report)
    if asked.report is not None:
        asked.report.parent.mkdir(parents=True, exist_ok=True)
        asked.report.write_text(report.markdown())
    return 0 if report.is_good else 1


sys.exit(main())
