"""What a topic's configuration means for its partitions' logs."""

from everlog.records.validation import BatchLimits
from service.hot.log import HotLogConfig
from service.hot.rolling import RollLimits
from service.model.topic_config import TimestampType, TopicConfig


def batch_limits(config: TopicConfig) -> BatchLimits:
    """What a produced batch has to satisfy."""
    return BatchLimits(
        batch_bytes_max=config.max_message_bytes,
        segment_bytes=config.segment_bytes,
        timestamp_before_ms_max=config.timestamp_before_ms_max,
        timestamp_after_ms_max=config.timestamp_after_ms_max,
        log_append_time=config.timestamp_type is TimestampType.APPEND,
    )


def hot_config(config: TopicConfig) -> HotLogConfig:
    """How the local log is kept."""
    return HotLogConfig(
        roll=RollLimits(segment_bytes=config.segment_bytes, segment_ms=config.segment_ms),
        flush_always=config.flush_always,
        flush_ms=config.flush_ms,
        index_interval_bytes=config.index_interval_bytes,
    )
