from collections.abc import Mapping

import pytest

from everlog.model.object_lock import LockMode, LockRule
from everlog.model.storage_class import StorageClass
from service.model.config_definition import InvalidConfigError
from service.model.setting_type import LONG_MAX
from service.model.topic_config import (
    RecordValidation,
    TimestampType,
    TopicConfig,
    override_problems,
    validate_overrides,
)
from service.model.topic_settings import RETIRED_TOPIC_SETTINGS
from service.model.topic_values import DEFAULT_VALUES

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LOCKED = {"archive.object.lock.mode": "compliance", "archive.object.lock.ms": str(DAY_MS)}


@pytest.mark.rule("BP-D22")
def test_a_topic_that_says_nothing_is_tiered_kept_for_ever_and_hot_for_a_day() -> None:
    config = TopicConfig.resolve({})
    assert config.tiered
    assert config.expires
    assert not config.compact
    assert (config.retention_ms, config.retention_bytes) == (None, None)
    assert (config.local_retention_ms, config.local_retention_bytes) == (DAY_MS, None)
    assert (config.segment_bytes, config.segment_ms) == (64 * 1024**2, 600_000)
    assert not config.unclean_leader_election
    assert config.timestamp_type is TimestampType.CREATE
    assert (config.timestamp_before_ms_max, config.timestamp_after_ms_max) == (None, HOUR_MS)
    assert config.record_validation is RecordValidation.HEADER


@pytest.mark.rule("BP-D6")
@pytest.mark.parametrize(
    ("overrides", "always", "interval_ms"),
    [
        ({}, True, 1000),
        ({"flush.messages": "1", "flush.ms": "50"}, True, 50),
        ({"flush.messages": "2"}, False, 1000),
        ({"flush.messages": str(LONG_MAX)}, False, 1000),
        ({"flush.messages": "10", "flush.ms": "250"}, False, 250),
        ({"flush.messages": "10", "flush.ms": "0"}, True, 0),
    ],
)
def test_one_message_means_every_batch_is_synced_and_more_mean_an_interval(
    overrides: Mapping[str, str],
    always: bool,  # noqa: FBT001
    interval_ms: int,
) -> None:
    config = TopicConfig.resolve(overrides)
    assert (config.flush_always, config.flush_ms) == (always, interval_ms)


def test_a_compacted_topic_is_neither_tiered_nor_expired_and_checked_in_full() -> None:
    config = TopicConfig.resolve({"cleanup.policy": "compact", "retention.ms": "5"})
    assert (config.compact, config.tiered, config.expires) == (True, False, False)
    assert (config.retention_ms, config.local_retention_ms) == (None, None)
    assert config.record_validation is RecordValidation.FULL


def test_without_a_policy_nothing_expires_and_segments_are_still_released() -> None:
    config = TopicConfig.resolve({"cleanup.policy": "", "retention.ms": "5"})
    assert (config.tiered, config.expires, config.retention_ms) == (True, False, None)
    assert config.local_retention_ms == DAY_MS


def test_a_topic_that_is_compacted_and_deleted_from_expires() -> None:
    config = TopicConfig.resolve({"cleanup.policy": "compact,delete", "retention.ms": "5"})
    assert (config.compact, config.tiered, config.expires) == (True, False, True)
    assert config.retention_ms == 5


@pytest.mark.parametrize(
    "overrides", [{"remote.storage.enable": "false"}, {"remote.log.copy.disable": "true"}]
)
def test_a_topic_without_uploads_keeps_locally_what_it_keeps_at_all(
    overrides: Mapping[str, str],
) -> None:
    config = TopicConfig.resolve({**overrides, "retention.ms": str(9 * DAY_MS)})
    assert not config.tiered
    assert config.local_retention_ms == 9 * DAY_MS


@pytest.mark.parametrize(
    ("overrides", "local_ms"),
    [
        ({"retention.ms": "5000"}, 5000),
        ({"retention.ms": "5000", "local.retention.ms": "-2"}, 5000),
        ({"retention.ms": "5000", "local.retention.ms": "1000"}, 1000),
        ({"local.retention.ms": "-1"}, None),
        ({"local.retention.ms": "-2"}, None),
        ({"local.retention.ms": "0"}, 0),
    ],
)
def test_local_retention_follows_retention_where_it_must(
    overrides: Mapping[str, str], local_ms: int | None
) -> None:
    assert TopicConfig.resolve(overrides).local_retention_ms == local_ms


def test_a_limit_of_local_bytes_that_outgrew_its_topic_is_cut_not_refused() -> None:
    overrides = {"local.retention.bytes": "500", "retention.bytes": "100"}
    assert TopicConfig.resolve(overrides).local_retention_bytes == 100


def test_the_topic_wins_over_the_broker() -> None:
    defaults = {**DEFAULT_VALUES, "segment.bytes": 2048, "segment.ms": 7}
    config = TopicConfig.resolve({"segment.bytes": "4096"}, defaults)
    assert (config.segment_bytes, config.segment_ms) == (4096, 7)


def test_names_of_another_version_are_passed_over() -> None:
    overrides = {"shiny.new.thing": "1", "message.format.version": "2.0"}
    assert TopicConfig.resolve(overrides) == TopicConfig.resolve({})


def test_a_stored_text_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(InvalidConfigError, match="segment"):
        TopicConfig.resolve({"segment.bytes": "big"})


@pytest.mark.rule("TIER-16")
def test_the_greatest_retention_neither_overflows_nor_means_none() -> None:
    config = TopicConfig.resolve({"retention.ms": str(LONG_MAX), "retention.bytes": str(LONG_MAX)})
    assert (config.retention_ms, config.retention_bytes) == (LONG_MAX, LONG_MAX)
    assert config.local_retention_ms == DAY_MS


@pytest.mark.rule("TIER-16")
@pytest.mark.parametrize("text", [str(LONG_MAX + 1), "-2", "-9223372036854775808"])
def test_a_retention_beyond_its_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="write a whole number from -1 to"):
        validate_overrides({"retention.ms": text})


def test_all_that_is_wrong_is_said_at_once() -> None:
    overrides = {"segment.bytes": "x", "retentoin.ms": "1", "flush.ms": "1"}
    with pytest.raises(InvalidConfigError) as caught:
        validate_overrides(overrides)
    assert "segment.bytes=x: write" in str(caught.value)
    assert "did you mean retention.ms?" in str(caught.value)
    assert "flush.ms" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(RETIRED_TOPIC_SETTINGS))
def test_retired_settings_are_taken_whatever_they_say(name: str) -> None:
    validate_overrides({name: "whatever"})


CONTRADICTIONS = [
    ({"min.compaction.lag.ms": "6", "max.compaction.lag.ms": "5"}, "min.compaction.lag.ms"),
    ({"remote.storage.enable": "true", "cleanup.policy": "compact"}, "remote.storage.enable"),
    ({"local.retention.ms": "6", "retention.ms": "5"}, "local.retention.ms"),
    ({"local.retention.ms": "-1", "retention.ms": "5"}, "local.retention.ms"),
    ({"local.retention.bytes": "6", "retention.bytes": "5"}, "local.retention.bytes"),
    ({"local.retention.bytes": "-1", "retention.bytes": "0"}, "local.retention.bytes"),
    ({"remote.storage.class.later": "STANDARD_IA"}, "remote.storage.class.later"),
    ({"archive.object.lock.mode": "governance"}, "archive.object.lock.mode"),
    ({"archive.object.lock.ms": "86400000"}, "archive.object.lock.ms"),
    ({**LOCKED, "archive.object.lock.ms": "59999"}, "archive.object.lock.ms"),
    ({**LOCKED, "archive.object.lock.mode": "forever"}, "archive.object.lock.mode"),
    ({**LOCKED, "retention.ms": "86399999"}, "archive.object.lock.ms"),
    ({**LOCKED, "retention.bytes": "1000000"}, "archive.object.lock.mode"),
    ({**LOCKED, "cleanup.policy": "compact"}, "archive.object.lock.mode"),
    ({**LOCKED, "remote.storage.enable": "false"}, "archive.object.lock.mode"),
    ({"remote.storage.class.later.ms": "5"}, "remote.storage.class.later.ms"),
]


@pytest.mark.parametrize(("overrides", "name"), CONTRADICTIONS)
def test_settings_that_do_not_go_together_are_refused(
    overrides: Mapping[str, str], name: str
) -> None:
    [problem] = override_problems(overrides)
    assert problem.name == name
    assert any(word in problem.advice for word in ("write", "raise", "leave"))


@pytest.mark.parametrize(
    "overrides",
    [
        {"cleanup.policy": "compact"},
        {"cleanup.policy": "compact", "remote.storage.enable": "false"},
        {"retention.ms": "5"},
        {"retention.ms": "0", "retention.bytes": "0"},
        {"local.retention.ms": "5", "retention.ms": "5"},
        {"local.retention.ms": "6", "retention.ms": "5", "remote.storage.enable": "false"},
        {"local.retention.ms": "6", "retention.ms": "5", "cleanup.policy": "compact"},
        {"min.compaction.lag.ms": "5", "max.compaction.lag.ms": "5"},
        {"remote.storage.class.later": "GLACIER_IR", "remote.storage.class.later.ms": "5"},
        LOCKED,
        {**LOCKED, "retention.ms": "86400000"},
        {**LOCKED, "archive.hold": "true"},
        {"remote.storage.class.later": "", "remote.storage.class.later.ms": "-1"},
    ],
)
def test_settings_that_go_together_are_taken(overrides: Mapping[str, str]) -> None:
    validate_overrides(overrides)


def test_a_contradiction_with_a_default_of_the_broker_counts() -> None:
    defaults = {**DEFAULT_VALUES, "retention.ms": 1000}
    with pytest.raises(InvalidConfigError, match=r"retention\.ms is 1000"):
        validate_overrides({"local.retention.ms": "2000"}, defaults)


def test_what_is_not_new_need_not_exist_here() -> None:
    overrides = {"shiny.new.thing": "1", "segment.ms": "5"}
    assert override_problems(overrides, changed={"segment.ms"}) == []
    assert [each.name for each in override_problems(overrides)] == ["shiny.new.thing"]


def test_objects_stay_in_the_default_class_unless_a_topic_says_otherwise() -> None:
    config = TopicConfig.resolve({})
    assert config.storage_class is StorageClass.STANDARD
    assert config.storage_class_later is None
    assert config.storage_class_later_ms is None


@pytest.mark.parametrize("setting", ["remote.storage.class", "remote.storage.class.later"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("GLACIER", "wait for hours"),
        ("DEEP_ARCHIVE", "wait for hours"),
        ("EXPRESS_ONEZONE", "only directory buckets have it"),
        ("standard_ia", "write one of STANDARD, STANDARD_IA"),
        ("COLDLINE", "write one of STANDARD, STANDARD_IA"),
    ],
)
def test_a_class_that_does_not_answer_at_once_or_is_not_known_is_refused(
    setting: str, name: str, reason: str
) -> None:
    [problem] = override_problems({setting: name})
    assert reason in problem.advice
    assert "INTELLIGENT_TIERING" in problem.advice


def test_records_expire_no_earlier_than_their_locks_whatever_the_defaults_say() -> None:
    defaults = {**DEFAULT_VALUES, "retention.ms": 1000, "retention.bytes": 5}
    config = TopicConfig.resolve(LOCKED, defaults)
    assert config.lock == LockRule(LockMode.COMPLIANCE, DAY_MS)
    assert (config.retention_ms, config.retention_bytes) == (DAY_MS, None)
    assert TopicConfig.resolve(LOCKED).retention_ms is None
    assert TopicConfig.resolve({**LOCKED, "archive.object.lock.mode": "none"}).lock is None
