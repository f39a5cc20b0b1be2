"""The configuration of one broker, checked as a whole and typed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from everlog.model.errors import RejectedError
from everlog.model.ids import NodeId
from service.model.absent_settings import absent_setting_advice
from service.model.broker_cluster_settings import RACK_AWARE_SELECTOR
from service.model.broker_rules import (
    broker_contradictions,
    listen_addresses,
    security_protocols,
    topic_default_contradictions,
)
from service.model.broker_settings import BROKER_OWN_SETTINGS, BROKER_SETTINGS, all_names
from service.model.cluster import Endpoint
from service.model.config_definition import InvalidConfigError, unknown_name
from service.model.config_layers import ConfigLayers
from service.model.disk_limit import DiskLimit, critical_above, read_disk_limit
from service.model.listen_address import ListenAddress
from service.model.setting_type import Value


class Origin(Enum):
    """Where a broker's value was given, the strongest last."""

    DEFAULT = "default"
    COMMAND = "command"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenValue:
    """A text that somebody gave for a setting.

    Attributes:
        where: For people: a file and a key, a variable, a flag.
    """

    text: str
    origin: Origin
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """Something that is wrong with a configuration.

    Attributes:
        where: Where it was written, for people.
        message: What is wrong, and what to do about it.
    """

    where: str
    message: str

    @property
    def text(self) -> str:
        """One line that says all of it."""
        return f"{self.where}: {self.message}"


class InvalidBrokerConfigError(RejectedError):
    """A configuration that no broker can start with; it lists everything that is wrong."""

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(problem.text for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """What a broker goes by. An attribute is named as its setting, with ``_`` for each dot.

    Times are in milliseconds and sizes in bytes, unless the name ends otherwise. `BROKER_SETTINGS`
    says what each one means.

    Attributes:
        listeners: Where to listen; port 0 stands for any free one.
        advertised_listeners: What to tell clients, one for each listener, in the same order; port
            0 stands for the one that was bound (`endpoints`).
        listener_security_protocol_map: Protocol by name of listener.
        inter_broker_listener_name: One of `listeners`.
        given: What somebody has set, by name; all else is at its default.
    """

    broker_id: NodeId
    broker_rack: str | None
    listeners: tuple[ListenAddress, ...]
    advertised_listeners: tuple[ListenAddress, ...]
    listener_security_protocol_map: Mapping[str, str]
    inter_broker_listener_name: str
    admin_host: str
    admin_port: int
    socket_request_max_bytes: int
    socket_request_timeout_ms: int
    queued_max_request_bytes: int
    connections_max_idle_ms: int
    max_connections: int
    max_connections_per_ip: int
    fetch_max_bytes: int
    max_incremental_fetch_session_cache_slots: int
    data_dir: str
    log_local_disk_high: DiskLimit
    log_local_disk_critical: DiskLimit
    flush_threads: int
    read_threads: int
    files_open_max: int
    log_retention_check_interval_ms: int
    replica_high_watermark_checkpoint_interval_ms: int
    record_decompressed_max_bytes: int
    store_url: str | None
    remote_cache_dir: str | None
    remote_cache_bytes: int
    remote_fetch_range_bytes: int
    remote_fetch_parallelism: int
    remote_fetch_bytes_in_flight_max: int
    remote_prefetch_ranges_max: int
    remote_scan_bytes_per_second_min: int
    remote_upload_parallelism: int
    remote_upload_bytes_in_flight_max: int
    remote_upload_bytes_per_second: int
    remote_manifest_cache_bytes: int
    remote_merge_bytes_per_second: int
    archive_reader_grace_ms: int
    archive_restore_window_ms: int
    archive_cut_interval_ms: int
    archive_delete_grace_ms: int
    archive_orphan_grace_ms: int
    archive_read_only: bool
    archive_read_only_cluster: str | None
    archive_read_only_poll_ms: int
    archive_scrub_bytes_per_day: int
    archive_scrub_round_ms: int
    archive_scrub_since_ms: int
    archive_scrub_asked_bytes_per_second: int
    zookeeper_connect: str | None
    zookeeper_session_timeout_ms: int
    zookeeper_connection_timeout_ms: int
    zookeeper_ssl_client_enable: bool
    zookeeper_ssl_truststore_location: str | None
    zookeeper_ssl_truststore_type: str
    zookeeper_ssl_keystore_location: str | None
    zookeeper_ssl_keystore_type: str
    zookeeper_ssl_keystore_password: str | None
    zookeeper_ssl_endpoint_identification_algorithm: str
    zookeeper_sasl_user: str | None
    zookeeper_sasl_password: str | None
    zookeeper_digest_user: str | None
    zookeeper_digest_password: str | None
    zookeeper_set_acl: bool
    watchdog_enable: bool
    watchdog_warn_ms: int
    logging_level: str
    logging_format: str
    num_partitions: int
    default_replication_factor: int
    auto_create_topics_enable: bool
    delete_topic_enable: bool
    replica_lag_time_max_ms: int
    replica_fetch_max_bytes: int
    replica_fetch_response_max_bytes: int
    replica_fetch_min_bytes: int
    replica_fetch_wait_max_ms: int
    replica_fetch_backoff_ms: int
    leader_replication_throttled_rate: int
    follower_replication_throttled_rate: int
    replica_socket_timeout_ms: int
    replica_selector_class: str | None
    auto_leader_rebalance_enable: bool
    leader_imbalance_check_interval_seconds: int
    leader_imbalance_per_broker_percentage: int
    controlled_shutdown_enable: bool
    controlled_shutdown_max_retries: int
    controlled_shutdown_retry_backoff_ms: int
    group_min_session_timeout_ms: int
    group_max_session_timeout_ms: int
    group_initial_rebalance_delay_ms: int
    group_max_size: int
    offset_metadata_max_bytes: int
    offsets_topic_num_partitions: int
    offsets_topic_replication_factor: int
    offsets_topic_segment_bytes: int
    offsets_commit_timeout_ms: int
    offsets_retention_minutes: int
    offsets_retention_check_interval_ms: int
    producer_id_expiration_ms: int
    producer_id_expiration_check_interval_ms: int
    given: Mapping[str, GivenValue]

    @classmethod
    def of(cls, given: Mapping[str, GivenValue]) -> Self:
        """Check what was given, all of it, and make a configuration of it and the defaults.

        Args:
            given: Texts by the settings' proper names (`canonical_name`).

        Raises:
            InvalidBrokerConfigError: Anything is wrong.
        """
        problems = tuple(misreadings(given)) or tuple(_contradictions(given))
        if problems:
            raise InvalidBrokerConfigError(problems)
        return cls(**_typed(_values(given)), given=given)

    def layers(self, dynamic: Mapping[NodeId | None, Mapping[str, str]]) -> ConfigLayers:
        """Put what was said at run time on top of this configuration.

        Args:
            dynamic: Texts by broker, and under None those for all brokers
                (`ClusterImage.broker_configs`).
        """
        return ConfigLayers(
            static=_texts(self.given),
            cluster=dynamic.get(None, {}),
            broker=dynamic.get(self.broker_id, {}),
        )

    def endpoints(self, bound_ports: Mapping[str, int]) -> tuple[Endpoint, ...]:
        """Return how clients and other brokers reach this one.

        Args:
            bound_ports: The port that each listener was bound to, by name.
        """
        return tuple(
            Endpoint(
                listener=each.listener,
                host=each.host,
                port=each.port or bound_ports[each.listener],
                security=self.listener_security_protocol_map[each.listener],
            )
            for each in self.advertised_listeners
        )

    @property
    def reads_from_followers(self) -> bool:
        """Whether consumers read from replicas in their own racks (KIP-392)."""
        return self.replica_selector_class == RACK_AWARE_SELECTOR

    def replication_factor(self, *, registered_brokers: int) -> int:
        """Return how many replicas a topic gets that asks for no number of them.

        Args:
            registered_brokers: All of them, those that are down included, so that a topic made
                while one is away is not held in fewer places for ever.
        """
        if "default.replication.factor" in self.given:
            return self.default_replication_factor
        return min(self.default_replication_factor, registered_brokers)

    def offsets_replication_factor(self, *, registered_brokers: int) -> int:
        """Return the same for ``__consumer_offsets``."""
        if "offsets.topic.replication.factor" in self.given:
            return self.offsets_topic_replication_factor
        return min(self.offsets_topic_replication_factor, registered_brokers)


def attribute_name(setting: str) -> str:
    """Return the attribute of `BrokerConfig` that holds a setting."""
    return setting.replace(".", "_")


def misreadings(given: Mapping[str, GivenValue]) -> Iterator[ConfigProblem]:
    """Find what cannot be read, each by itself: unknown names, and texts that are no values."""
    for name, value in given.items():
        try:
            _setting_value(name, value.text)
        except InvalidConfigError as error:
            yield ConfigProblem(where=value.where, message=str(error))


def _setting_value(name: str, text: str) -> Value:
    if name in BROKER_SETTINGS:
        return BROKER_SETTINGS[name].parse(text)
    advice = absent_setting_advice(name)
    raise InvalidConfigError(name, None, advice) if advice else unknown_name(name, all_names())


def _values(given: Mapping[str, GivenValue]) -> dict[str, Value | None]:
    values: dict[str, Value | None] = {
        name: setting.default for name, setting in BROKER_SETTINGS.items()
    }
    return values | {name: BROKER_SETTINGS[name].parse(value.text) for name, value in given.items()}


def _texts(given: Mapping[str, GivenValue]) -> dict[str, str]:
    return {name: value.text for name, value in given.items()}


def _contradictions(given: Mapping[str, GivenValue]) -> Iterator[ConfigProblem]:
    found = (
        *broker_contradictions(_values(given), given),
        *topic_default_contradictions(ConfigLayers(static=_texts(given))),
    )
    for error in found:
        blamed = given.get(error.name) or given.get(error.because or "")
        where = "configuration" if blamed is None else blamed.where
        yield ConfigProblem(where=where, message=str(error))


def _typed(values: Mapping[str, Value | None]) -> dict[str, Any]:
    """Return the value of each attribute; those that are more than a number or a text are read."""
    typed: dict[str, Any] = {attribute_name(name): values[name] for name in BROKER_OWN_SETTINGS}
    bound = listen_addresses(values["listeners"])
    told = {each.listener: each for each in listen_addresses(values["advertised.listeners"])}
    between_brokers = values["inter.broker.listener.name"] or bound[0].listener
    high = _disk_limit(values["log.local.disk.high"])
    assert high is not None, "it has a default"
    return typed | {
        "listeners": bound,
        "advertised_listeners": tuple(told.get(each.listener, each) for each in bound),
        "listener_security_protocol_map": security_protocols(
            values["listener.security.protocol.map"]
        ),
        "inter_broker_listener_name": str(between_brokers).upper(),
        "log_local_disk_high": high,
        "log_local_disk_critical": (
            _disk_limit(values["log.local.disk.critical"]) or critical_above(high)
        ),
    }


def _disk_limit(value: Value | None) -> DiskLimit | None:
    return None if value is None else read_disk_limit(str(value))
