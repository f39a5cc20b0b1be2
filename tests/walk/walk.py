"""The walk: a long stream goes in, the disk stays small, and every byte comes back, twice."""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.fault.broker_process import BrokerProcess
from tests.walk.broker_facts import archive_objects, local_bytes, local_start, metric
from tests.walk.flights import later_flights
from tests.walk.stream import Reading, Stream, consume, consume_with_kcat, produce

TOPIC = "flights"
MIB = 1 << 20
SAMPLE_SECONDS = 1.0
SHRINK_SECONDS_MAX = 60
POLL_SECONDS = 0.1

BYTES_MIN = 64 * MIB
"""With less, the newest segments are a fifth of it, and a scan shows little of the archive."""

Say = Callable[[str], None]


class WalkError(Exception):
    """The product did not do what the walk shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large everything is.

    Attributes:
        bytes_min: Of the values to produce.
        local_bytes_max: What the broker may have on its disk once it has caught up.
        cold_share_min: The part of the values that has to come from objects.
    """

    bytes_min: int
    segment_bytes: int
    local_retention_bytes: int
    local_bytes_max: int
    cold_share_min: float

    @property
    def topic_config(self) -> dict[str, str]:
        return {
            "segment.bytes": str(self.segment_bytes),
            "local.retention.bytes": str(self.local_retention_bytes),
            "remote.object.bytes": str(self.segment_bytes),
        }

    @property
    def broker_settings(self) -> dict[str, str]:
        # What is cached of the archive counts as local bytes, too.
        return {
            "remote.cache.bytes": str(2 * self.segment_bytes),
            "remote.fetch.range.bytes": str(MIB),
        }


WHOLE_WALK = Shape(
    bytes_min=1 << 30,
    segment_bytes=8 * MIB,
    local_retention_bytes=32 * MIB,
    local_bytes_max=64 * MIB,
    cold_share_min=0.9,
)
SHORT_WALK = Shape(
    bytes_min=64 * MIB,
    segment_bytes=MIB,
    local_retention_bytes=4 * MIB,
    local_bytes_max=8 * MIB,
    cold_share_min=0.8,
)


def shape_of(size: int) -> Shape:
    """Return the shape of a walk of so many bytes: a smaller one has smaller segments.

    Raises:
        WalkError: It is too small to show anything.
    """
    if size < BYTES_MIN:
        raise WalkError(f"{size:,} bytes are too few: walk at least {BYTES_MIN // MIB} MiB")
    segments = BYTES_MIN // SHORT_WALK.segment_bytes
    segment_bytes = size // segments // MIB * MIB
    if segment_bytes >= WHOLE_WALK.segment_bytes:
        return replace(WHOLE_WALK, bytes_min=size)
    return Shape(
        bytes_min=size,
        segment_bytes=segment_bytes,
        local_retention_bytes=4 * segment_bytes,
        local_bytes_max=8 * segment_bytes,
        cold_share_min=SHORT_WALK.cold_share_min,
    )


class Walk:
    """One walk, in a directory of its own.

    Args:
        shape: How large everything is.
        directory: Empty; for the broker's data and log.
        store: URL of the object store, outside of the data directory.
        say: Takes each line of the report.
    """

    def __init__(self, shape: Shape, *, directory: Path, store: str, say: Say) -> None:
        self._shape = shape
        self._store = store
        self._say = say
        self._broker = BrokerProcess(directory, shape.broker_settings, store=store)

    def run(self) -> None:
        """Take every step.

        Raises:
            WalkError: A promise was not kept.
            StreamError: What was read is not what was produced.
        """
        with self._broker as broker:
            self._say(f"started    {broker.bootstrap}, archive in {self._store}")
            self._create_topic()
            produced = self._produce()
            self._shrink()
            self._read(produced, "read")
            broker.stop()
            broker.start()
            self._say("restarted")
            self._read(produced, "read again")
            self._read_with_kcat(produced)
            self._check_local_bytes()
            broker.stop()
        self._say("done")

    def _create_topic(self) -> None:
        admin = AdminClient({"bootstrap.servers": self._broker.bootstrap, "log_level": 4})
        new = NewTopic(TOPIC, num_partitions=1, config=self._shape.topic_config)
        for created in admin.create_topics([new]).values():
            created.result()

    def _produce(self) -> Stream:
        began = time.monotonic()
        with LocalBytesWatch(self._broker.data_dir) as watch:
            produced = produce(self._broker.bootstrap, TOPIC, later_flights(self._shape.bytes_min))
        seconds = time.monotonic() - began
        self._say(
            f"produced   {produced.records:,} records, {_mib(produced.value_bytes)} of values in "
            f"{seconds:.1f} s: {_rate(produced.value_bytes, seconds)}"
        )
        self._say(f"           sha256 {produced.sha256}")
        self._say(f"           local MiB over time: {watch.summary()}")
        return produced

    def _shrink(self) -> None:
        """Wait until all but what is to stay local is in the archive."""
        began = time.monotonic()
        while self._is_waiting():
            if time.monotonic() - began > SHRINK_SECONDS_MAX:
                raise WalkError(f"local bytes do not fall: {local_bytes(self._broker.data_dir)}")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
        objects = archive_objects(self._store)
        local = self._check_local_bytes()
        self._say(
            f"archived   {_mib(sum(objects))} in {len(objects)} objects; "
            f"{_mib(local)} local, {seconds:.1f} s after the last record"
        )

    def _is_waiting(self) -> bool:
        if self._metric("everlog_tier_lag_bytes"):
            return True
        return local_bytes(self._broker.data_dir).everything >= self._shape.local_bytes_max

    def _check_local_bytes(self) -> int:
        local = local_bytes(self._broker.data_dir)
        if local.everything >= self._shape.local_bytes_max:
            raise WalkError(f"{local} is not below {self._shape.local_bytes_max}")
        return local.everything

    def _read(self, produced: Stream, step: str) -> None:
        start = local_start(self._broker.bootstrap, TOPIC)
        fetched_before = self._metric("everlog_tier_range_bytes_total")
        reading = consume(
            self._broker.bootstrap, TOPIC, records=produced.records, local_start=start
        )
        fetched = self._metric("everlog_tier_range_bytes_total") - fetched_before
        self._say(_described(step, reading, fetched))
        if reading.stream != produced:
            raise WalkError(f"{reading.stream} came back for {produced}")
        self._say("           sha256 equal")
        # Two witnesses: where the local log begins, and what was fetched from the store.
        if reading.cold_share <= self._shape.cold_share_min or fetched < reading.cold_bytes:
            raise WalkError(f"only {reading.cold_share:.1%} came from objects, {fetched} fetched")

    def _metric(self, name: str) -> int:
        return metric(self._broker.log_path, name)

    def _read_with_kcat(self, produced: Stream) -> None:
        if shutil.which("kcat") is None:
            self._say("kcat       is not installed")
            return
        began = time.monotonic()
        found = consume_with_kcat(self._broker.bootstrap, TOPIC)
        seconds = time.monotonic() - began
        if found != produced.sha256:
            raise WalkError(f"kcat printed sha256 {found} for {produced}")
        self._say(f"kcat       {_rate(produced.value_bytes, seconds)}, sha256 equal")


class LocalBytesWatch:
    """Looks at the size of a data directory again and again, in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._seen: list[int] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()

    def summary(self, points_max: int = 12) -> str:
        """Return some sizes in MiB from first to last, and the largest."""
        step = -(-len(self._seen) // points_max)
        points = " ".join(str(size // MIB) for size in self._seen[::step])
        return f"{points}; at most {max(self._seen) // MIB}"

    def _watch(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        self._seen.append(local_bytes(self._data_dir).everything)


def _described(step: str, reading: Reading, fetched: int) -> str:
    hot_bytes = reading.stream.value_bytes - reading.cold_bytes
    return (
        f"{step:<10} {reading.cold_share:.1%} from objects: {_mib(reading.cold_bytes)} at "
        f"{_rate(reading.cold_bytes, reading.cold_seconds)}, then {_mib(hot_bytes)} local at "
        f"{_rate(hot_bytes, reading.hot_seconds)}; {_mib(fetched)} fetched from the store"
    )


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"


def _rate(size: int, seconds: float) -> str:
    return f"{size / seconds / 1e6:.1f} MB/s"
