"""What a topic's configuration means for its partitions' logs."""

from everlog.model.errors import EverlogError
from everlog.records.batch import BatchHeader
from everlog.records.validation import BatchLimits
from service.hot.cleaning import CleaningRules
from service.hot.log_config import HotLogConfig
from service.hot.rolling import RollLimits
from service.model.topic_config import TimestampType, TopicConfig


def batch_limits(config: TopicConfig) -> BatchLimits:
    """What a produced batch has to satisfy."""
    segment_bytes = config.segment_bytes
    if config.compact:
        # Small segments are compacted soon, and a batch that is larger gets one of its own. Or the
        # record of a large group would not fit into the segments of __consumer_offsets.
        segment_bytes = max(segment_bytes, config.max_message_bytes)
    return BatchLimits(
        batch_bytes_max=config.max_message_bytes,
        segment_bytes=segment_bytes,
        timestamp_before_ms_max=config.timestamp_before_ms_max,
        timestamp_after_ms_max=config.timestamp_after_ms_max,
        log_append_time=config.timestamp_type is TimestampType.APPEND,
    )


def check_records(
    records: memoryview,
    header: BatchHeader,
    config: TopicConfig,
    *,
    unpacked_bytes_max: int,
    now_ms: int,
) -> BatchHeader | EverlogError:
    """Look at the records of a batch; return its header, or what is wrong. Blocks.

    Args:
        records: The whole batch.
        header: Its header, checked.
        config: Of the topic.
        unpacked_bytes_max: ``record.decompressed.max.bytes``; a batch that the topic would take as
            it is may unpack to the topic's own limit in any case.
        now_ms: For the limits of timestamps.
    """
    # numpy costs 20 MB and a noticeable part of a start, and most brokers open no batches.
    from everlog.records.record_validation import RecordLimits, validate_records  # noqa: PLC0415

    limits = RecordLimits(
        batch=batch_limits(config),
        unpacked_bytes_max=max(unpacked_bytes_max, config.max_message_bytes),
        keys_required=config.compact,
    )
    try:
        return validate_records(records, header, limits, now_ms=now_ms)
    except EverlogError as error:
        # The frames of a traceback hold all that was unpacked.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return error


def hot_config(config: TopicConfig) -> HotLogConfig:
    """How the local log is kept."""
    segment_ms, cleaning = config.segment_ms, None
    if config.compact:
        # What is not sealed cannot be compacted, so a greatest lag bounds the age of a segment.
        segment_ms = min(segment_ms, config.max_compaction_lag_ms or segment_ms)
        cleaning = CleaningRules(
            lag_ms_min=config.min_compaction_lag_ms,
            lag_ms_max=config.max_compaction_lag_ms,
            dirty_ratio_min=config.min_cleanable_dirty_ratio,
            tombstone_ms=config.delete_retention_ms,
        )
    return HotLogConfig(
        roll=RollLimits(segment_bytes=config.segment_bytes, segment_ms=segment_ms),
        flush_always=config.flush_always,
        flush_ms=config.flush_ms,
        index_interval_bytes=config.index_interval_bytes,
        cleaning=cleaning,
    )
