from service.hot.cleaning import CleaningRules
from service.model.topic_config import TopicConfig
from service.partition.topic_rules import batch_limits, hot_config


def test_a_compacted_topic_has_rules_of_cleaning_and_others_have_none() -> None:
    assert hot_config(TopicConfig.resolve({})).cleaning is None
    config = TopicConfig.resolve(
        {
            "cleanup.policy": "compact,delete",
            "delete.retention.ms": "7",
            "min.compaction.lag.ms": "8",
            "min.cleanable.dirty.ratio": "0.25",
        }
    )
    assert hot_config(config).cleaning == CleaningRules(
        lag_ms_min=8, lag_ms_max=None, dirty_ratio_min=0.25, tombstone_ms=7
    )


def test_a_greatest_lag_bounds_the_age_of_a_segment() -> None:
    overrides = {"cleanup.policy": "compact", "max.compaction.lag.ms": "5000"}
    config = hot_config(TopicConfig.resolve(overrides))
    assert config.roll.segment_ms == 5_000
    assert config.cleaning is not None
    assert config.cleaning.lag_ms_max == 5_000
    plain = hot_config(TopicConfig.resolve({"max.compaction.lag.ms": "5000"}))
    assert plain.roll.segment_ms == 600_000


def test_only_a_compacted_topic_takes_batches_that_are_larger_than_its_segments() -> None:
    small = {"segment.bytes": "2000", "max.message.bytes": "5000"}
    assert batch_limits(TopicConfig.resolve(small)).segment_bytes == 2_000
    compacted = TopicConfig.resolve({**small, "cleanup.policy": "compact"})
    assert batch_limits(compacted).segment_bytes == 5_000
