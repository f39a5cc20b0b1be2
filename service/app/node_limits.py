"""What of a broker's configuration its listeners and its groups are limited by."""

from service.groups.limits import GroupLimits
from service.model.broker_config import BrokerConfig
from service.net.listener import ListenerLimits


def listener_limits(config: BrokerConfig) -> ListenerLimits:
    """Return what clients may take."""
    return ListenerLimits(
        connections_max=config.max_connections,
        connections_per_ip_max=config.max_connections_per_ip,
        idle_seconds_max=config.connections_max_idle_ms / 1000,
        frame_seconds_max=config.socket_request_timeout_ms / 1000,
        frame_bytes_max=config.socket_request_max_bytes,
    )


def group_limits(config: BrokerConfig) -> GroupLimits:
    """Return what groups may take."""
    return GroupLimits(
        group_size_max=config.group_max_size,
        session_timeout_ms_min=config.group_min_session_timeout_ms,
        session_timeout_ms_max=config.group_max_session_timeout_ms,
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        offset_metadata_chars_max=config.offset_metadata_max_bytes,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
        offsets_retention_check_ms=config.offsets_retention_check_interval_ms,
        append_timeout_ms=config.offsets_commit_timeout_ms,
    )
