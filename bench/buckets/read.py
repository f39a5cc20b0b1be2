"""Read all segment objects of a bucket with boto3 alone: threads, a range a request.

``python -m bench.buckets.read ENDPOINT BUCKET REGION THREADS RANGE_BYTES`` reads everything twice
and prints the figures of the second time as one JSON object.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from bench.buckets.ranges import ObjectRange, segment_ranges, total_bytes


def main() -> None:
    """Print the figures."""
    endpoint, bucket, region = sys.argv[1:4]
    threads, range_bytes = map(int, sys.argv[4:])
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=threads),
    )
    ranges = segment_ranges(client, bucket, range_bytes)
    with ThreadPoolExecutor(threads) as pool:
        _read_all(pool, client, bucket, ranges)
        started, cpu_started = time.perf_counter(), time.process_time()
        _read_all(pool, client, bucket, ranges)
        window_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    size = total_bytes(ranges)
    figures = {
        "bytes": size,
        "window_s": window_s,
        "mb_per_s": size / 1e6 / window_s,
        "cpu_s_per_gb": cpu_s / size * 1e9,
    }
    print(json.dumps(figures))


def _read_all(
    pool: ThreadPoolExecutor, client: Any, bucket: str, ranges: Sequence[ObjectRange]
) -> None:
    def read(wanted: ObjectRange) -> None:
        named = f"bytes={wanted.start}-{wanted.start + wanted.length - 1}"
        body = client.get_object(Bucket=bucket, Key=wanted.key, Range=named)["Body"].read()
        assert len(body) == wanted.length, "boto3 gives the whole body or raises"

    for _ in pool.map(read, ranges):
        pass


if __name__ == "__main__":
    main()
