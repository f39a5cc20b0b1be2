"""What brokers know of an archive: ids of topics, whose cluster it is, and in which store."""

import os
from dataclasses import dataclass
from urllib.parse import quote

from everlog.model.ids import TopicId
from everlog.stores.url import DirectoryLocation, parse_store_url
from service.app.cli.client_library import Admin, Cluster, kafka, kafka_admin
from service.app.cli.connection import REQUEST_SECONDS_MAX, connect_admin, kafka_errors
from service.app.cli.failure import fail
from service.app.cli.log_dirs import read_log_dir
from service.app.cli.topic_options import find_topic, read_cluster

_SOURCE = "archive.read.only.cluster"
_STORE_DIR = "store"
"""Below the data directory of a broker without ``store.url``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicIdentity:
    """A topic as the names of its objects have it.

    Attributes:
        cluster_id: Whose archive it is in; None if that is for the store to tell.
        partitions: Their numbers.
    """

    cluster_id: str | None
    topic_id: TopicId
    partitions: list[int]


def ask_topic_id(bootstrap: str, name: str) -> TopicId:
    """Ask a broker for the id of a topic; end if it does not know one of that name."""
    with kafka_errors(bootstrap):
        admin = connect_admin(bootstrap)
        return read_identity(admin, read_cluster(admin), name).topic_id


def read_identity(admin: Admin, metadata: Cluster, name: str) -> TopicIdentity:
    """Ask who a topic is; end if there is none of that name."""
    topic = find_topic(metadata, name)
    wanted = kafka().TopicCollection([name])
    described = admin.describe_topics(wanted, request_timeout=REQUEST_SECONDS_MAX)
    uuid = described[name].result().topic_id
    halves = (uuid.get_most_significant_bits(), uuid.get_least_significant_bits())
    return TopicIdentity(
        cluster_id=archive_cluster(admin, metadata),
        topic_id=TopicId(b"".join((each % (1 << 64)).to_bytes(8, "big") for each in halves)),
        partitions=sorted(topic.partitions),
    )


def read_store_url(admin: Admin, metadata: Cluster) -> str | None:
    """Ask a broker where its archive is; None if what it says does not tell.

    What it says of files is true on its own machine.
    """
    url = broker_settings(admin, metadata).get("store.url")
    if not url:
        log_dir = read_log_dir(metadata, min(metadata.brokers))
        return None if log_dir is None else f"file://{quote(log_dir)}/{_STORE_DIR}"
    location = parse_store_url(url)
    is_relative = isinstance(location, DirectoryLocation) and not os.path.isabs(location.path)
    return None if is_relative else url


def archive_cluster(admin: Admin, metadata: Cluster) -> str | None:
    """Ask whose archive a broker serves; None if it serves the only one of its store."""
    settings = broker_settings(admin, metadata)
    return settings.get(_SOURCE) or None if _is_read_only(settings) else metadata.cluster_id


def check_writable(admin: Admin, metadata: Cluster) -> None:
    """End if a broker only reads.

    For what the client library passes on without the broker's words, or tries for long.
    """
    settings = broker_settings(admin, metadata)
    if _is_read_only(settings):
        fail(
            f"this broker is read-only, it serves the archive in {settings['store.url']}",
            "write to a broker of the cluster that has it, with --bootstrap",
        )


def _is_read_only(settings: dict[str, str | None]) -> bool:
    return settings.get("archive.read.only") == "true"


def broker_settings(admin: Admin, metadata: Cluster) -> dict[str, str | None]:
    """Ask the first broker for its settings."""
    broker = min(metadata.brokers)
    resource = kafka_admin().ConfigResource(kafka_admin().ResourceType.BROKER, str(broker))
    (future,) = admin.describe_configs([resource]).values()
    return {name: entry.value for name, entry in future.result().items()}
