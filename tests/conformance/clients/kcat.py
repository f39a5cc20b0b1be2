"""kcat 1.7, the command line of librdkafka 2.0: the oldest librdkafka that the suite meets."""

import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

from tests.conformance.client import (
    HEARTBEAT_MS,
    IN_FLIGHT_MAX,
    SESSION_MS,
    ClientError,
    Surroundings,
)
from tests.conformance.records import Headers, Record

_PATIENCE_SECONDS = 30
_KEY_END = b"\x1e-key-\x1e"
_RECORD_END = b"\x1f-record-\x1f"

# One text line, then the key and the value as they are.
_FORMAT = r"%p %o %T %K %S %h\n%k%s"
_ASSIGNED = re.compile(rb"assigned: (.*)")
_PARTITION = re.compile(rb"\[(\d+)\]")


class KcatClient:
    """kcat; its input has no timestamps, and the same headers on every record."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._bootstrap = surroundings.bootstrap
        self._directory = surroundings.directory

    def produce(
        self, topic: str, records: Sequence[Record], *, codec: str, idempotent: bool
    ) -> None:
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        for partition, group in by_partition.items():
            command = ["kcat", "-P", "-b", self._bootstrap, "-t", topic, "-p", str(partition)]
            # Empty keys and values become null: the input cannot say which is meant.
            command += ["-Z", "-D", _RECORD_END.decode(), "-K", _KEY_END.decode(), "-z", codec]
            command += ["-X", f"enable.idempotence={str(idempotent).lower()}"]
            command += ["-X", f"max.in.flight={IN_FLIGHT_MAX if idempotent else 1}"]
            for name, value in group[0].headers:
                command += ["-H", f"{name}={(value or b'').decode()}"]
            _run(command, _RECORD_END.join(map(_line, group)))

    def consume(self, topic: str, count: int) -> list[Record]:
        command = ["kcat", "-C", "-q", "-b", self._bootstrap, "-t", topic, "-o", "beginning"]
        output = BytesIO(_run([*command, "-c", str(count), "-f", _FORMAT]))
        return [_record(output) for _ in range(count)]

    def join(self, group: str, topic: str) -> "KcatMember":
        return KcatMember(self._bootstrap, self._directory, group, topic)

    def close(self) -> None:
        """Each run of kcat ends by itself."""

    def metadata(self, topic: str) -> str:
        """Return what ``kcat -L`` prints about a topic."""
        return _run(["kcat", "-L", "-b", self._bootstrap, "-t", topic]).decode()

    def offset_at(self, topic: str, partition: int, timestamp_ms: int) -> str:
        """Return what ``kcat -Q`` prints about a time."""
        asked = f"{topic}:{partition}:{timestamp_ms}"
        return _run(["kcat", "-Q", "-b", self._bootstrap, "-t", asked]).decode()


class KcatMember:
    """``kcat -G``: it commits what it has printed when it is told to stop."""

    def __init__(self, bootstrap: str, directory: Path, group: str, topic: str) -> None:
        self._log = directory / f"kcat-{group}-{topic}-{id(self)}.log"
        self._stderr = self._log.open("wb")
        command = ["kcat", "-u", "-b", bootstrap, "-G", group, "-f", _FORMAT]
        command += ["-X", f"heartbeat.interval.ms={HEARTBEAT_MS}"]
        command += ["-X", f"session.timeout.ms={SESSION_MS}", "-X", "auto.offset.reset=earliest"]
        self._process = subprocess.Popen(
            [*command, topic], stdout=subprocess.PIPE, stderr=self._stderr
        )

    def assigned(self) -> frozenset[int]:
        if self._process.poll() is not None:
            raise self._failure()
        *_, last = [b"", *_ASSIGNED.findall(self._log.read_bytes())]
        return frozenset(map(int, _PARTITION.findall(last)))

    def read(self, count: int) -> list[Record]:
        assert self._process.stdout is not None
        return [_record(self._process.stdout) for _ in range(count)]

    def commit(self, offsets: Mapping[int, int], metadata: str) -> None:
        raise NotImplementedError("kcat commits by itself")

    def leave(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=_PATIENCE_SECONDS)
        self._stderr.close()
        if self._process.returncode != 0:
            raise self._failure()

    def _failure(self) -> ClientError:
        return ClientError(f"kcat -G ended:\n{self._log.read_text(errors='replace')}")


def _line(record: Record) -> bytes:
    return (record.key or b"") + _KEY_END + (record.value or b"")


def _run(command: Sequence[str], given: bytes = b"") -> bytes:
    done = subprocess.run(
        command, input=given, capture_output=True, check=False, timeout=_PATIENCE_SECONDS * 10
    )
    if done.returncode != 0:
        raise ClientError(f"{command[:2]} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def _record(file: IO[bytes]) -> Record:
    words = file.readline().rstrip(b"\n").split(b" ", 5)
    if len(words) != 6:
        raise ClientError(f"kcat ended in the middle of its output, after {words}")
    partition, offset, timestamp_ms, key_size, value_size = map(int, words[:5])
    return Record(
        partition=partition,
        offset=offset,
        timestamp_ms=timestamp_ms,
        key=_sized(file, key_size),
        value=_sized(file, value_size),
        headers=_headers(words[5]),
    )


def _sized(file: IO[bytes], size: int) -> bytes | None:
    return None if size < 0 else file.read(size)


def _headers(text: bytes) -> Headers:
    pairs = (pair.partition(b"=") for pair in text.split(b",") if pair)
    return tuple((name.decode(), value) for name, _, value in pairs)
