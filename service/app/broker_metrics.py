"""A broker on the metrics page: requests, traffic, logs, group commit, groups, metadata, loop."""

from collections import Counter
from collections.abc import Iterator

from service.app.node import BrokerNode
from service.broker.error_mapping import ANSWERED
from service.groups.descriptions import GroupFilter
from service.groups.errors import CoordinatorLoadingError
from service.protocol.api import ApiKey
from service.telemetry.metrics import Metric, counter, counters, gauge, gauges
from service.telemetry.watchdog import Watchdog


def broker_metrics(node: BrokerNode) -> Iterator[Metric]:
    """Yield what a broker has done and holds; no label names a topic, a client or a group."""
    yield from _request_metrics(node)
    yield from _connection_metrics(node)
    yield from _log_metrics(node)
    yield from _follower_metrics(node)
    yield from _commit_metrics(node)
    yield from _group_metrics(node)
    yield from _cluster_metrics(node)


def loop_metrics(watchdog: Watchdog | None) -> Iterator[Metric]:
    """Yield how well the event loop keeps up; nothing without a watchdog."""
    if watchdog is None:
        return
    yield gauge(
        "everlog_loop_lag_seconds",
        "Time from asking the event loop for a sign to getting it.",
        max(watchdog.last_answer_seconds, watchdog.lag.stuck_seconds),
    )
    yield gauge(
        "everlog_loop_stuck_worst_seconds",
        "Longest time that the event loop gave no sign.",
        watchdog.lag.worst_seconds,
    )
    yield counter(
        "everlog_loop_stalls",
        "Times that it was longer than watchdog.warn.ms.",
        watchdog.lag.stalls,
    )


def metadata_metrics(silent_seconds: float) -> Iterator[Metric]:
    """Yield how long nobody has answered for the metadata."""
    yield gauge(
        "everlog_metadata_silent_seconds",
        "Time since ZooKeeper has last answered, if only a ping; 0 without ZooKeeper.",
        silent_seconds,
    )


def _request_metrics(node: BrokerNode) -> Iterator[Metric]:
    counts = {_api_name(key): float(count) for key, count in sorted(node.request_counts.items())}
    yield counters("everlog_requests", "Requests of clients.", "api", counts)
    yield counters(
        "everlog_errors",
        "Errors that this process has answered with.",
        "code",
        {code.name.lower(): float(count) for code, count in sorted(ANSWERED.items())},
    )


def _connection_metrics(node: BrokerNode) -> Iterator[Metric]:
    listeners = node.listeners
    yield gauge("everlog_connections", "Open client connections.", node.connection_count)
    yield counter(
        "everlog_connections_accepted",
        "Client connections that there have ever been.",
        sum(each.accepted_count for each in listeners),
    )
    yield counter(
        "everlog_received_bytes",
        "Bytes received from clients.",
        sum(each.traffic.bytes_received for each in listeners),
    )
    yield counter(
        "everlog_sent_bytes",
        "Bytes sent to clients.",
        sum(each.traffic.bytes_sent for each in listeners),
    )
    yield gauge(
        "everlog_inflight_bytes", "Request bytes received and not answered.", node.budget.used
    )


def _log_metrics(node: BrokerNode) -> Iterator[Metric]:
    partitions = node.table.partitions
    yield gauge("everlog_partitions", "Partitions that this broker leads.", len(partitions))
    yield gauge(
        "everlog_partitions_offline",
        "Partitions whose disk has refused a write.",
        sum(1 for each in partitions if each.hot.failure is not None),
    )
    yield gauge(
        "everlog_local_bytes",
        "Bytes of local segments.",
        sum(each.hot.size for each in partitions),
    )
    yield gauge(
        "everlog_local_segments",
        "Local segments, those that take appends included.",
        sum(len(each.hot.segments) for each in partitions),
    )
    yield gauge(
        "everlog_log_records",
        "Offsets between start and end of all logs, on whichever tier.",
        sum(each.high_watermark - each.log_start for each in partitions),
    )


def _follower_metrics(node: BrokerNode) -> Iterator[Metric]:
    if node.replicas is None:
        return
    fetching = node.replicas.fetching
    yield gauge(
        "everlog_partitions_followed",
        "Partitions that this broker copies from their leaders.",
        sum(1 for _ in fetching.partitions),
    )
    yield counter(
        "everlog_replica_fetched_bytes",
        "Bytes of records that this broker has copied from leaders.",
        fetching.bytes_copied,
    )
    yield counter(
        "everlog_replica_archive_starts",
        "Logs that this broker has begun where the archive ends, and not copied from there on.",
        fetching.archive_starts,
    )
    if node.cold is not None:
        yield counter(
            "everlog_replica_archive_bytes",
            "Bytes of the archive that such logs were begun with: of indexes, terms and producers.",
            node.cold.starts.bytes_read,
        )


def _commit_metrics(node: BrokerNode) -> Iterator[Metric]:
    lanes = node.hot.round_stats
    yield counters(
        "everlog_commit_rounds",
        "Rounds of the group commit, each a write of all that had gathered.",
        "lane",
        {name: float(stats.rounds) for name, stats in lanes.items()},
    )
    yield counters(
        "everlog_commit_logs",
        "Logs that took part, summed over the rounds.",
        "lane",
        {name: float(stats.jobs) for name, stats in lanes.items()},
    )
    yield counters(
        "everlog_commit_threaded_rounds",
        "Rounds that went to threads, because they sync or are large.",
        "lane",
        {name: float(stats.threaded_rounds) for name, stats in lanes.items()},
    )
    yield counters(
        "everlog_commit_threaded_seconds",
        "Time that those took.",
        "lane",
        {name: stats.threaded_seconds for name, stats in lanes.items()},
    )


def _group_metrics(node: BrokerNode) -> Iterator[Metric]:
    if node.groups is None:
        return
    try:
        listed = node.groups.list_groups(GroupFilter.of((), ()))
    except CoordinatorLoadingError:  # the number is not known yet, and none is better than zero
        return
    states = Counter(str(each.state).lower() for each in listed)
    yield gauges(
        "everlog_groups",
        "Consumer groups that this broker coordinates.",
        "state",
        {name: float(count) for name, count in sorted(states.items())},
    )


def _cluster_metrics(node: BrokerNode) -> Iterator[Metric]:
    image = node.image
    yield gauge("everlog_topics", "Topics of the cluster.", len(image.topics))
    yield gauge("everlog_brokers", "Brokers of the cluster.", len(image.brokers))
    yield gauge(
        "everlog_metadata_sequence",
        "Number of the last change of the cluster that this broker knows.",
        node.metadata_sequence,
    )
    yield gauge(
        "everlog_metadata_has_controller",
        "Whether the cluster has a controller.",
        float(image.controller_id is not None),
    )
    yield counter(
        "everlog_unclean_elections",
        "Leaders that this broker, as the controller, has elected though they were not in sync.",
        node.elections.unclean,
    )
    yield gauge("everlog_ready", "Whether clients are served.", float(node.is_ready))


def _api_name(key: ApiKey) -> str:
    return key.name.lower()
