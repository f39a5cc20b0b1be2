"""Which partitions of an archive a command is about: the options ``--topic`` and ``--cluster``."""

import re
from typing import Annotated, NoReturn

import typer

from everlog.format.object_keys import PartitionPath
from everlog.model.ids import TopicId, id_bytes, id_text
from everlog.stores.object_store import ObjectStore
from service.app.cli.failure import fail
from service.app.cli.topic_identity import ask_topic_id
from service.partition.restoration import clusters_in
from service.tiering.archive_listing import partitions_in

TopicOption = Annotated[
    str | None,
    typer.Option(
        "--topic",
        metavar="TOPIC",
        help="Only this topic: its id, or its name if a broker (--bootstrap) can tell the id.",
    ),
]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", metavar="ID", help="Only this cluster.")
]

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_TEXT_ID = re.compile(r"[0-9A-Za-z_-]{22}")


def topic_id_of(text: str) -> TopicId | None:
    """Read a topic's id, as keys have it or as Kafka prints it; None if it is no id."""
    if _HEX_ID.fullmatch(text):
        return TopicId(bytes.fromhex(text))
    if _TEXT_ID.fullmatch(text):
        try:
            return TopicId(id_bytes(text))
        except ValueError:
            return None
    return None


def wanted_topic(topic: str | None, bootstrap: str) -> TopicId | None:
    """Return the id of the topic that is meant; None for all, the end if nobody knows it."""
    if topic is None:
        return None
    return topic_id_of(topic) or ask_topic_id(bootstrap, topic)


async def find_clusters(store: ObjectStore, *, url: str) -> list[str]:
    """Return the ids of the clusters whose archives a store has; end if there are none."""
    found = await clusters_in(store)
    if not found:
        fail(f"{url} holds no archive", "check the URL and its prefix")
    return found


async def find_partitions(
    store: ObjectStore, *, url: str, cluster: str | None, topic_id: TopicId | None
) -> list[PartitionPath]:
    """Return the partitions that are meant; end if there are none.

    Args:
        store: Where to look.
        url: Its URL, for people.
        cluster: Of which cluster; None for any.
        topic_id: Of which topic; None for all.
    """

    def is_meant(path: PartitionPath) -> bool:
        return cluster in {None, path.cluster_id} and topic_id in {None, path.topic_id}

    found = await partitions_in(store, is_meant)
    if not found:
        _nothing(url, cluster, topic_id)
    return found


def _nothing(url: str, cluster: str | None, topic_id: TopicId | None) -> NoReturn:
    what = "nothing" if topic_id is None else f"nothing of topic {id_text(topic_id)}"
    whose = "" if cluster is None else f" of cluster {cluster}"
    fail(f"{url} has {what}{whose} in it", "check the URL, its prefix, and what is archived yet")


def partition_text(path: PartitionPath) -> str:
    """Write which partition it is, for people: the topic's id as Kafka prints it."""
    return f"{id_text(path.topic_id)}/{path.partition}"
