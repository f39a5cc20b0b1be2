"""The topics that a consumer wants, as its opaque metadata says.

All versions of ``ConsumerProtocolSubscription`` begin like version 0: int16 version, int32 count of
topics, that many strings. Nothing behind these is read, and nothing of any other protocol type.
"""

from everlog.model.errors import CorruptionError
from everlog.model.ids import TopicName
from service.groups.cursor import Cursor

CONSUMER_PROTOCOL_TYPE = "consumer"

_TOPIC_BYTES_MIN = 2


def subscribed_topics(metadata: bytes) -> frozenset[TopicName] | None:
    """Return the topics of a subscription, or None if this is not one.

    What a client puts there is its own business, so that it cannot be read is no error.
    """
    cursor = Cursor(metadata)
    try:
        cursor.int16()
        count = cursor.count(compact=False, element_bytes_min=_TOPIC_BYTES_MIN)
        return frozenset(TopicName(cursor.string()) for _ in range(count))
    except CorruptionError:
        return None
