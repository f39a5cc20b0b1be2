"""The port of a peer: how one kind of server is got, started and set up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol


class Flush(Enum):
    """When a topic's records are made durable, in Everlog's words."""

    INTERVAL = "interval"
    """Some time after the acknowledgement; Kafka does not flush by itself at all."""

    ALWAYS = "always"
    """Before it: `flush.messages=1` on both."""

    DEFAULT = "default"
    """As the peer has it when nobody says anything."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A peer's second tier.

    Attributes:
        topic_config: Settings of a topic that leaves the local log as soon as it may.
        local_start: Tells the first offset that is local, of partition 0 of a topic of the server
            with that bootstrap address.
        at_url: Gives the settings of a server whose archive is at a URL, if it takes one.
    """

    topic_config: Mapping[str, str]
    local_start: Callable[[str, str], int]
    at_url: Callable[[str], Sequence[str]] | None = None


class Peer(Protocol):
    """One kind of server. It runs on a port of loopback, with one data directory."""

    name: str

    role_words: Mapping[str, str]
    """How its child processes are told apart: a word of their command line, and the role."""

    brokers: int
    """How many there are, and replicas of each topic; their ports follow one another."""

    archive: Archive | None
    """How it keeps old records elsewhere, if it does."""

    def prepare(self) -> None:
        """Get what it needs to run; cheap once it is there.

        Raises:
            BenchError: It cannot be got.
        """
        ...

    def versions(self) -> Mapping[str, str]:
        """What is compared, by name."""
        ...

    def format(self, data_dir: Path, port: int) -> None:
        """Make a directory ready for a first start on that port. Not part of a start's time."""
        ...

    def command(self, data_dir: Path, port: int, settings: Sequence[str]) -> Sequence[str]:
        """The command that serves the directory, in the foreground, until SIGTERM.

        Args:
            data_dir: What was formatted.
            port: For clients.
            settings: ``name=value``, in the words of this peer.
        """
        ...

    def topic_config(self, flush: Flush) -> Mapping[str, str]:
        """Settings to create a topic with."""
        ...
