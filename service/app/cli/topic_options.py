"""What commands about topics share: settings on the command line, and finding a topic."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any

from service.app.cli.client_library import (
    TOPIC_EXISTS,
    Admin,
    Cluster,
    Topic,
    kafka,
    kafka_admin,
)
from service.app.cli.connection import CHANGE_SECONDS_MAX, REQUEST_SECONDS_MAX
from service.app.cli.failure import fail, misuse
from service.model.topic_settings import LOCK_MODE, NO_LOCK

Settings = dict[str, Any]
"""By name, each as ``confluent_kafka.admin.ConfigEntry``."""


def read_cluster(admin: Admin) -> Cluster:
    """Ask for all topics and brokers."""
    return admin.list_topics(timeout=REQUEST_SECONDS_MAX)


def find_topic(metadata: Cluster, name: str) -> Topic:
    """Return a topic; end if there is none of that name."""
    found = metadata.topics.get(name)
    if found is None:
        near = get_close_matches(name, list(metadata.topics), n=1)
        advice = f"did you mean {near[0]}?" if near else '"everlog topic list" shows those that do'
        fail(f"topic {name} does not exist", advice)
    return found


def read_settings(admin: Admin, names: Sequence[str]) -> dict[str, Settings]:
    """Return the settings of each topic."""
    if not names:
        return {}
    resources = [
        kafka_admin().ConfigResource(kafka_admin().ResourceType.TOPIC, name) for name in names
    ]
    futures = admin.describe_configs(resources)
    return {resource.name: future.result() for resource, future in futures.items()}


def is_compacted(settings: Settings) -> bool:
    """Whether a topic keeps the last record of each key."""
    policy = settings.get("cleanup.policy")
    return policy is not None and "compact" in policy.value.split(",")


def is_tiered(settings: Settings) -> bool:
    """Whether the records of a topic go to the archive; those of a compacted one never do."""
    enabled, disabled = (
        name in settings and settings[name].value == "true"
        for name in ("remote.storage.enable", "remote.log.copy.disable")
    )
    return enabled and not disabled and not is_compacted(settings)


def is_held(settings: Settings) -> bool:
    """Whether nothing of a topic's archive may be removed."""
    return "archive.hold" in settings and settings["archive.hold"].value == "true"


def is_locked(settings: Settings) -> bool:
    """Whether new objects of a topic's archive are locked."""
    return LOCK_MODE in settings and settings[LOCK_MODE].value not in {None, NO_LOCK}


def create_topic(admin: Admin, topic: Any, *, advice: str) -> Topic:
    """Create a topic and return it; end if its name is taken.

    Args:
        admin: Of the cluster.
        topic: ``confluent_kafka.admin.NewTopic``.
        advice: What to do if the name is taken.
    """
    try:
        admin.create_topics([topic], request_timeout=CHANGE_SECONDS_MAX)[topic.topic].result()
    except kafka().KafkaException as error:
        if error.args[0].code() == TOPIC_EXISTS:
            fail(f"topic {topic.topic} already exists", advice)
        raise
    return read_cluster(admin).topics[topic.topic]


def alter_settings(admin: Admin, name: str, values: dict[str, str], unset: list[str]) -> None:
    """Change what a topic itself sets."""
    entries = [
        kafka_admin().ConfigEntry(
            key, value, incremental_operation=kafka_admin().AlterConfigOpType.SET
        )
        for key, value in values.items()
    ]
    entries += [
        kafka_admin().ConfigEntry(
            key, None, incremental_operation=kafka_admin().AlterConfigOpType.DELETE
        )
        for key in unset
    ]
    resource = kafka_admin().ConfigResource(
        kafka_admin().ResourceType.TOPIC, name, incremental_configs=entries
    )
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


def check_name(name: str) -> None:
    """End if no topic can have this name."""
    from service.coordination.topic_errors import InvalidTopicNameError
    from service.coordination.topic_names import check_topic_name

    try:
        check_topic_name(name)
    except InvalidTopicNameError as error:
        misuse(str(error), "")


def check_partition(topic: str, number: int, numbers: Collection[int]) -> None:
    """End if a topic has no such partition."""
    if number not in numbers:
        fail(f"{topic} has no partition {number}", f"its last one is {max(numbers)}")


def read_pairs(option: str, pairs: list[str] | None) -> dict[str, str]:
    """Read ``name=value`` of an option; end if one is none."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            misuse(f"{option} {pair!r} names nothing", f"write {option} name=value")
        found[name] = value
    return found
