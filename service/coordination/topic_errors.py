"""Why a topic cannot be created, changed or deleted; each has an error code of its own in Kafka.

```
RejectedError
├── TopicExistsError                  36 TOPIC_ALREADY_EXISTS
├── UnknownTopicError                  3 UNKNOWN_TOPIC_OR_PARTITION
├── UnknownTopicIdError              100 UNKNOWN_TOPIC_ID
├── NothingToUndeleteError           100 UNKNOWN_TOPIC_ID
├── InvalidTopicNameError             17 INVALID_TOPIC_EXCEPTION
├── InvalidPartitionsError            37 INVALID_PARTITIONS
├── InvalidReplicationFactorError     38 INVALID_REPLICATION_FACTOR
├── InvalidReplicaAssignmentError     39 INVALID_REPLICA_ASSIGNMENT
├── InvalidTopicRequestError          42 INVALID_REQUEST
├── TopicHeldError                    44 POLICY_VIOLATION
└── UndeleteRefusedError              44 POLICY_VIOLATION
RetriableError
└── NotControllerError                41 NOT_CONTROLLER
```
"""

from everlog.model.errors import RejectedError
from everlog.model.ids import TopicId, TopicName, id_text


class TopicExistsError(RejectedError):
    """There is a topic of that name."""

    def __init__(self, name: TopicName) -> None:
        super().__init__(f"topic {name!r} already exists")
        self.name = name


class UnknownTopicError(RejectedError):
    """There is no topic of that name."""

    def __init__(self, name: TopicName) -> None:
        super().__init__(f"there is no topic {name!r}")
        self.name = name


class UnknownTopicIdError(RejectedError):
    """There is no topic of that id; it may have been deleted."""

    def __init__(self, topic_id: TopicId) -> None:
        super().__init__(f"there is no topic with the id {id_text(topic_id)}")
        self.topic_id = topic_id


class NothingToUndeleteError(RejectedError):
    """No deleted topic has that id."""

    def __init__(self, topic_id: TopicId) -> None:
        super().__init__(
            f"no deleted topic has the id {id_text(topic_id)}: its time is over, or it never was; "
            "everlog tier deleted shows what can be brought back"
        )
        self.topic_id = topic_id


class TopicHeldError(RejectedError):
    """Nothing of the topic may be deleted."""

    def __init__(self, name: TopicName) -> None:
        super().__init__(
            f"topic {name!r} is on hold (archive.hold=true), and nothing of it is deleted: release "
            f"it first, with everlog tier hold {name} --release"
        )
        self.name = name


class UndeleteRefusedError(RejectedError):
    """A deleted topic cannot come back any more, or not like this."""


class InvalidTopicNameError(RejectedError):
    """The name is not one that a topic can have."""


class InvalidPartitionsError(RejectedError):
    """The number of partitions is not possible."""


class InvalidReplicationFactorError(RejectedError):
    """There cannot be that many replicas."""


class InvalidReplicaAssignmentError(RejectedError):
    """The replicas that were asked for do not make sense."""


class InvalidTopicRequestError(RejectedError):
    """The request contradicts itself."""
