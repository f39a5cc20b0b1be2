"""How far the model goes."""

from dataclasses import dataclass

from everlog.model.ids import NodeId
from tests.model.values import BROKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far the model goes.

    Attributes:
        log: Records in one log.
        records: Records that are written altogether.
        terms: The greatest leader epoch.
        versions: The greatest version of the partition's state.
        crashes: How often a process or its session ends.
        loses: What a crash can take besides the process: ``power``, ``disk``.
        isr_min: As the topic has it set at first.
        settings: How often that is changed.
        topics: How often the topic is deleted and made again under its name.
        delays: How many fetches arrive late.
        is_flushed: Whether the topic has ``flush=always``.
        replicas: The brokers, all of which have the partition.
        isr: Who is in sync at first.
        waits: Whether leaders wait so long that somebody is behind.
        drains: How often a broker wants to stop, and waits until others have taken over.
        answers: Whether leaders are told at once of what they have stored, and then once more.
        leader: Who leads at first; another than the first replica when that was away.
    """

    log: int = 2
    records: int = 2
    terms: int = 2
    versions: int = 4
    crashes: int = 1
    loses: frozenset[str] = frozenset()
    isr_min: int = 1
    settings: int = 0
    topics: int = 0
    delays: int = 0
    is_flushed: bool = False
    replicas: tuple[NodeId, ...] = BROKERS
    isr: tuple[NodeId, ...] = BROKERS
    leader: NodeId = BROKERS[0]
    waits: bool = True
    drains: int = 0
    answers: bool = False
