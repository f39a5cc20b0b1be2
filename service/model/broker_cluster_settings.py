"""Settings of a broker that say how brokers work together, and what they do for groups."""

from functools import partial

from service.model.config_definition import Importance, Setting
from service.model.setting_type import (
    DAY_MS,
    KIB,
    MIB,
    MINUTE_MS,
    SECOND_MS,
    SHORT_MAX,
    SettingType,
)

LEADER_SELECTOR = "org.apache.kafka.common.replica.LeaderSelector"
RACK_AWARE_SELECTOR = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

WEEK_MINUTES = 7 * DAY_MS // MINUTE_MS

_boolean = partial(Setting, type=SettingType.BOOLEAN)
_string = partial(Setting, type=SettingType.STRING)
_int = partial(Setting, type=SettingType.INT)
_class = partial(Setting, type=SettingType.CLASS)
_short = partial(Setting, type=SettingType.SHORT)
_long = partial(Setting, type=SettingType.LONG)


_WATCHING = (
    _boolean(
        name="watchdog.enable",
        default=True,
        importance=Importance.LOW,
        documentation=(
            "Whether a broker that is stuck says so in its log, and with ZooKeeper gives its "
            "session up after half of the time that it lasts, so that others can go on."
        ),
    ),
    _int(
        name="watchdog.warn.ms",
        default=SECOND_MS,
        low=1,
        importance=Importance.LOW,
        documentation="Time that the broker is stuck before its log says so, in milliseconds.",
    ),
    _string(
        name="logging.level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        documentation="Least urgent event that goes to the log, on stderr.",
    ),
    _string(
        name="logging.format",
        default="auto",
        choices=("auto", "text", "json"),
        documentation=(
            "How events are written: text, one JSON object a line, or text only on a terminal."
        ),
    ),
)

_TOPICS = (
    _int(
        name="num.partitions",
        default=1,
        low=1,
        importance=Importance.HIGH,
        documentation="Partitions of a topic that is created without a number of them.",
    ),
    _int(
        name="default.replication.factor",
        default=3,
        low=1,
        high=SHORT_MAX,
        importance=Importance.HIGH,
        documentation=(
            "Replicas of a topic that is created without a number of them; unless set, as many as "
            "brokers have registered, and at most 3."
        ),
    ),
    _boolean(
        name="auto.create.topics.enable",
        default=True,
        importance=Importance.HIGH,
        documentation="Whether a topic is created when a client first asks for it.",
    ),
    _boolean(
        name="delete.topic.enable",
        default=True,
        importance=Importance.HIGH,
        documentation="Whether clients may delete topics.",
    ),
)

RATE_MAX = 2**63 - 1
"""As good as no limit, as in Kafka."""

_REPLICATION = (
    _long(
        name="replica.lag.time.max.ms",
        default=30 * SECOND_MS,
        low=1,
        importance=Importance.HIGH,
        documentation=(
            "How long a replica may be behind before it is no longer in sync, in milliseconds."
        ),
    ),
    _int(
        name="replica.fetch.max.bytes",
        default=MIB,
        low=0,
        documentation=(
            "Bytes of one partition that a replica asks for at a time; a first larger batch is "
            "sent all the same."
        ),
    ),
    _int(
        name="replica.fetch.response.max.bytes",
        default=10 * MIB,
        low=0,
        documentation="Bytes that a replica asks for at a time.",
    ),
    _int(
        name="replica.fetch.min.bytes",
        default=1,
        low=0,
        documentation="Bytes that a leader waits for before it answers a replica.",
    ),
    _int(
        name="replica.fetch.wait.max.ms",
        # Kafka's is 500; here a new term does not wait for an old request.
        default=2 * SECOND_MS,
        low=1,
        documentation=(
            "How long a leader waits for them, in milliseconds; a quarter of "
            "replica.lag.time.max.ms at most."
        ),
    ),
    *(
        _long(
            name=f"{side}.replication.throttled.rate",
            default=RATE_MAX,
            low=1,
            dynamic=True,
            documentation=(
                f"Bytes in a second that the broker copies as a {side}, of all replicas together "
                f"that {side}.replication.throttled.replicas of their topics names."
            ),
        )
        for side in ("leader", "follower")
    ),
    _int(
        name="replica.fetch.backoff.ms",
        default=SECOND_MS,
        low=0,
        documentation="Pause of a replica after a failed fetch, in milliseconds.",
    ),
    _int(
        name="replica.socket.timeout.ms",
        default=30 * SECOND_MS,
        low=1,
        documentation="How long a broker waits for an answer of another, in milliseconds.",
    ),
    _class(
        name="replica.selector.class",
        default=None,
        choices=(LEADER_SELECTOR, RACK_AWARE_SELECTOR),
        documentation=(
            "Which replica consumers read from: the leader, or with RackAwareReplicaSelector "
            "one in the rack that they name (client.rack), as broker.rack says; all brokers of a "
            "cluster need the same."
        ),
    ),
)

_BALANCE = (
    _boolean(
        name="auto.leader.rebalance.enable",
        default=True,
        importance=Importance.HIGH,
        documentation=(
            "Whether the controller moves leaders back to the first of their replicas now and then."
        ),
    ),
    _long(
        name="leader.imbalance.check.interval.seconds",
        default=300,
        low=1,
        importance=Importance.HIGH,
        documentation="How often the controller looks whether it should, in seconds.",
    ),
    _int(
        name="leader.imbalance.per.broker.percentage",
        default=10,
        low=0,
        importance=Importance.HIGH,
        documentation=(
            "Share of the partitions that prefer a broker, in percent, above which those that are "
            "led by others are moved back to it."
        ),
    ),
)

_STOPPING = (
    _boolean(
        name="controlled.shutdown.enable",
        default=True,
        documentation="Whether a broker hands over what it leads before it stops.",
    ),
    _int(
        name="controlled.shutdown.max.retries",
        default=3,
        low=0,
        documentation=(
            "How often a broker that stops tries to hand over what it leads; after that it stops "
            "all the same."
        ),
    ),
    _long(
        name="controlled.shutdown.retry.backoff.ms",
        default=5 * SECOND_MS,
        low=1,
        documentation="How long it waits each time until others have taken over, in milliseconds.",
    ),
)

_GROUPS = (
    _int(
        name="group.min.session.timeout.ms",
        default=6 * SECOND_MS,
        low=1,
        documentation="Shortest session that a group member may ask for, in milliseconds.",
    ),
    _int(
        name="group.max.session.timeout.ms",
        default=30 * MINUTE_MS,
        low=1,
        documentation="Longest session that a group member may ask for, in milliseconds.",
    ),
    _int(
        name="group.initial.rebalance.delay.ms",
        default=3 * SECOND_MS,
        low=0,
        documentation=(
            "How long an empty group waits for more members before its first assignment, in "
            "milliseconds."
        ),
    ),
    _int(
        name="group.max.size",
        default=10_000,
        low=1,
        documentation="Members that a group may have.",
    ),
    _int(
        name="offset.metadata.max.bytes",
        default=4 * KIB,
        low=0,
        documentation="Longest note that may be committed with an offset, in bytes.",
    ),
    _int(
        name="offsets.topic.num.partitions",
        default=50,
        low=1,
        documentation="Partitions of __consumer_offsets; never changed once the topic exists.",
    ),
    _short(
        name="offsets.topic.replication.factor",
        default=3,
        low=1,
        documentation=(
            "Replicas of __consumer_offsets; unless set, as many as brokers have registered, and "
            "at most 3."
        ),
    ),
    _int(
        name="offsets.topic.segment.bytes",
        # Kafka has 100 MiB. What is not sealed cannot be compacted and is read at each start, by 50
        # partitions. Commits come as batches of some 150 bytes, at 6 us each for recovery and
        # replay: 256 KiB in each partition take half a second, 16 MiB would take half a minute.
        default=256 * KIB,
        low=KIB,
        importance=Importance.LOW,
        documentation=(
            "Size at which a segment of __consumer_offsets is sealed, in bytes. Sealed segments "
            "are compacted; the rest is what a start has to read, so this decides how long it "
            "takes. Used when the topic is created."
        ),
    ),
    _int(
        name="offsets.commit.timeout.ms",
        default=5 * SECOND_MS,
        low=1,
        importance=Importance.LOW,
        documentation="How long a commit waits for replicas, in milliseconds.",
    ),
    _int(
        name="offsets.retention.minutes",
        default=WEEK_MINUTES,
        low=1,
        importance=Importance.HIGH,
        documentation="How long committed offsets outlive their group, in minutes.",
    ),
    _long(
        name="offsets.retention.check.interval.ms",
        default=10 * MINUTE_MS,
        low=1,
        importance=Importance.LOW,
        documentation="Time between two looks for offsets to expire, in milliseconds.",
    ),
    _int(
        name="producer.id.expiration.ms",
        default=DAY_MS,
        low=1,
        documentation=(
            "How long a partition remembers a silent idempotent producer, in milliseconds."
        ),
    ),
    _int(
        name="producer.id.expiration.check.interval.ms",
        default=10 * MINUTE_MS,
        low=1,
        importance=Importance.LOW,
        documentation="Time between two looks for producers to forget, in milliseconds.",
    ),
)

CLUSTER_SETTINGS = (*_WATCHING, *_TOPICS, *_REPLICATION, *_BALANCE, *_STOPPING, *_GROUPS)
