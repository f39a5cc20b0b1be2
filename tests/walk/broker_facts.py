"""What a broker and its disk say about where a topic's bytes are."""

import asyncio
import re
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from everlog.stores.url import open_store
from service.app.system import SystemClock
from service.protocol.api import ApiKey
from service.protocol.codec import decode_response, encode_request
from service.protocol.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

EARLIEST_LOCAL = -4
EARLIEST_LOCAL_VERSION = 8
"""The first version of ListOffsets that knows it (KIP-405); librdkafka does not speak it yet."""

ANSWER_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBytes:
    """Bytes of the files below a data directory.

    Attributes:
        logs: Of all segments and what belongs to them.
        everything: The cache of the archive and the metadata included.
    """

    logs: int
    everything: int


def local_bytes(data_dir: Path) -> LocalBytes:
    """Add up what is on this disk."""
    return LocalBytes(logs=_bytes_below(data_dir / "logs"), everything=_bytes_below(data_dir))


def local_start(bootstrap: str, topic: str) -> int:
    """Return the first offset of partition 0 that is in a local segment, as the broker says."""
    partition = ListOffsetsPartition(partition_index=0, timestamp=EARLIEST_LOCAL)
    request = ListOffsetsRequest(topics=[ListOffsetsTopic(name=topic, partitions=[partition])])
    key, version = ApiKey.LIST_OFFSETS, EARLIEST_LOCAL_VERSION
    host, _, port = bootstrap.rpartition(":")
    with socket.create_connection((host, int(port)), ANSWER_SECONDS_MAX) as connection:
        connection.sendall(b"".join(encode_request(request, key, version, 1, "walk")))
        with connection.makefile("rb") as answer:
            frame = answer.read(int.from_bytes(answer.read(4), "big"))
    _, response = decode_response(frame, key, version)
    assert isinstance(response, ListOffsetsResponse)
    (found,) = response.topics[0].partitions
    assert found.error_code == 0, f"ListOffsets failed with error {found.error_code}"
    return found.offset


def metric(log: Path, name: str) -> int:
    """Return a number of the metrics page of the broker that was last started with this log."""
    *_, port = re.findall(r'"admin": "http://127.0.0.1:(\d+)"', log.read_text())
    address = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(address, timeout=ANSWER_SECONDS_MAX) as page:
        text = page.read().decode()
    found = re.search(rf"^{name}(?:{{}})? (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{name} is not on the metrics page"
    return int(float(found[1]))


def archive_objects(url: str) -> list[int]:
    """Return the size of every segment object in a store."""
    return asyncio.run(_archive_objects(url))


async def _archive_objects(url: str) -> list[int]:
    store = open_store(url, clock=SystemClock())
    sizes: list[int] = []
    after: str | None = None
    while batch := await store.list("", start_after=after):
        sizes += [info.size for info in batch if info.key.endswith(".seg")]
        after = batch[-1].key
    await store.close()
    return sizes


def _bytes_below(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # released since it was listed
        total += status.st_size if path.is_file() else 0
    return total
