"""What the nodes hold: compact JSON objects with a format number ``v``.

Readers pass over keys that they do not know; whoever rewrites a node keeps them (``extra``). The
number rises only when older readers must not go on, and then they stop with an error that says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.ids import NodeId, TopicId, TopicName, id_bytes, id_text
from everlog.model.offsets import LeaderEpoch
from service.model.cluster import NOTHING, Broker, Endpoint, PartitionState

FORMAT = 1

Payload = Mapping[str, Any]

_STATE_KEYS = frozenset(
    {
        "v",
        "replicas",
        "leader",
        "leader_epoch",
        "leader_broker_epoch",
        "isr",
        "elr",
        "controller_epoch",
        "unclean_epoch",
        "adding",
        "removing",
    }
)
_TOPIC_KEYS = frozenset({"v", "topic_id", "config", "partitions", "versions_before"})

DELETED_FORMAT = 2
"""Of a deleted topic: readers of format 1 know no grace, and would collect its objects at once."""


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def encode_json(value: object) -> bytes:
    """Write compact JSON."""
    return _ENCODER.encode(value).encode()


def pack(payload: Payload) -> bytes:
    """Write a payload as a node's bytes."""
    return encode_json({"v": FORMAT, **payload})


def unpack(content: bytes, path: str, *, format_max: int = FORMAT) -> dict[str, Any]:
    """Read a node's bytes.

    Raises:
        CorruptionError: They are no payload.
        RejectedError: A newer version of this program wrote them.
    """
    try:
        payload = json.loads(content)
        found = payload["v"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptionError(f"{path} holds no metadata: {content[:80]!r}") from error
    if not isinstance(found, int) or found > format_max:
        raise RejectedError(
            f"{path} has format {found}, and this version reads {format_max}: start a newer version"
        )
    assert isinstance(payload, dict), "whatever has a key is an object"
    return payload


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNode:
    """What the node of a topic holds.

    Attributes:
        partitions: How many there are; states above that number are not there yet.
        version: Of the node.
        versions_before: As in `TopicImage`.
        extra: Keys written by a newer version.
    """

    topic_id: TopicId
    config: Mapping[str, str]
    partitions: int
    version: int
    versions_before: int = 0
    extra: Payload = field(default_factory=dict)

    @property
    def revision(self) -> int:
        """As in `TopicImage`."""
        return self.versions_before + self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedTopic:
    """A topic that is gone, and whose tier may not be yet.

    Attributes:
        deleted_ms: Wall time of the deletion.
        version: Of the node.
        config: What the topic itself had set.
        revision: The topic's last; None if an older version has deleted it.
        is_sweeping: Whether some of its objects may be gone already.
        extra: Keys of the topic's node that a newer version has written.
    """

    topic_id: TopicId
    name: TopicName
    partitions: int
    deleted_ms: int
    version: int
    config: Mapping[str, str] = field(default_factory=dict)
    revision: int | None = None
    is_sweeping: bool = False
    extra: Payload = field(default_factory=dict)


def topic_payload(node: TopicNode) -> Payload:
    """Write a topic's node."""
    before = {"versions_before": node.versions_before} if node.versions_before else {}
    return {
        **node.extra,
        "topic_id": id_text(node.topic_id),
        "config": dict(node.config),
        "partitions": node.partitions,
        **before,
    }


def read_topic(payload: Payload, version: int) -> TopicNode:
    """Read a topic's node."""
    return TopicNode(
        topic_id=TopicId(id_bytes(payload["topic_id"])),
        config=payload["config"],
        partitions=payload["partitions"],
        version=version,
        versions_before=payload.get("versions_before", 0),
        extra=_unknown(payload, _TOPIC_KEYS),
    )


def state_payload(state: PartitionState) -> Payload:
    """Write a partition's state; its version is the node's own."""
    unclean = {} if state.unclean_epoch is None else {"unclean_epoch": state.unclean_epoch}
    moves = {"adding": state.adding, "removing": state.removing}
    return {
        **state.extra,
        "replicas": state.replicas,
        "leader": state.leader,
        "leader_epoch": state.leader_epoch,
        "leader_broker_epoch": state.leader_broker_epoch,
        "isr": state.isr,
        "elr": state.elr,
        "controller_epoch": state.controller_epoch,
        **unclean,
        **{name: brokers for name, brokers in moves.items() if brokers},
    }


def read_state(payload: Payload, version: int) -> PartitionState:
    """Read a partition's state."""
    replicas = tuple(payload["replicas"])
    isr = tuple(payload["isr"])
    return PartitionState(
        replicas=replicas,
        leader=payload["leader"],
        leader_epoch=LeaderEpoch(payload["leader_epoch"]),
        leader_broker_epoch=payload["leader_broker_epoch"],
        # Most partitions are in sync, and one tuple for both halves what 10^5 of them weigh.
        isr=replicas if isr == replicas else isr,
        elr=tuple(payload["elr"]),
        controller_epoch=payload["controller_epoch"],
        version=version,
        unclean_epoch=payload.get("unclean_epoch"),
        adding=tuple(payload.get("adding", ())),
        removing=tuple(payload.get("removing", ())),
        extra=_unknown(payload, _STATE_KEYS),
    )


def broker_payload(broker: Broker) -> Payload:
    """Write a broker's registration."""
    return {
        "epoch": broker.epoch,
        "endpoints": [
            {
                "listener": each.listener,
                "host": each.host,
                "port": each.port,
                "security": each.security,
            }
            for each in broker.endpoints
        ],
        "directory_id": id_text(broker.directory_id),
        "boot_id": broker.boot_id,
        "rack": broker.rack,
        **({"draining": True} if broker.draining else {}),
    }


def read_broker(payload: Payload, broker_id: NodeId) -> Broker:
    """Read a broker's registration."""
    return Broker(
        id=broker_id,
        epoch=payload["epoch"],
        endpoints=tuple(
            Endpoint(
                listener=each["listener"],
                host=each["host"],
                port=each["port"],
                security=each["security"],
            )
            for each in payload["endpoints"]
        ),
        directory_id=id_bytes(payload["directory_id"]),
        boot_id=payload["boot_id"],
        rack=payload["rack"],
        draining=payload.get("draining", False),
    )


def deleted_topic_payload(topic: DeletedTopic) -> Payload:
    """Write the proof that a topic was deleted."""
    return {
        "v": DELETED_FORMAT,
        "name": topic.name,
        "partitions": topic.partitions,
        "deleted_ms": topic.deleted_ms,
        "config": dict(topic.config),
        "revision": topic.revision,
        "sweeping": topic.is_sweeping,
        "extra": dict(topic.extra),
    }


def read_deleted_topic(payload: Payload, topic_id: TopicId, version: int) -> DeletedTopic:
    """Read the proof that a topic was deleted, as `unpack` of `DELETED_FORMAT` gives it."""
    return DeletedTopic(
        topic_id=topic_id,
        name=TopicName(payload["name"]),
        partitions=payload["partitions"],
        deleted_ms=payload["deleted_ms"],
        version=version,
        config=payload.get("config", {}),
        revision=payload.get("revision"),
        # An older version tells nobody that it has begun.
        is_sweeping=payload.get("sweeping", True),
        extra=payload.get("extra", {}),
    )


def _unknown(payload: Payload, known: frozenset[str]) -> Payload:
    if payload.keys() <= known:
        return NOTHING
    return {key: value for key, value in payload.items() if key not in known}
