"""The one table from what the server raises to what the wire calls it."""

from everlog.format.errors import UnsupportedFormatError
from everlog.model.errors import (
    CorruptionError,
    EverlogError,
    FencedError,
    RejectedError,
    RetriableError,
)
from everlog.records.compression import DecompressionError
from everlog.records.validation import (
    CorruptMessageError,
    InvalidRecordError,
    InvalidTimestampError,
    MessageTooLargeError,
    SegmentTooSmallError,
    UnsupportedCodecError,
)
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from service.coordination.asked_elections import (
    ElectionNotNeededError,
    EligibleLeadersNotAvailableError,
    NoSuchPartitionError,
    PreferredLeaderNotAvailableError,
)
from service.coordination.controller_term import (
    ControllerBusyError,
    ControllerMovedError,
    MetadataConflictError,
    NotControllerError,
)
from service.coordination.metadata_store import (
    ConnectionLostError,
    NodeTooLargeError,
    SessionExpiredError,
)
from service.coordination.reassignments import NoReassignmentError
from service.coordination.topic_errors import (
    InvalidPartitionsError,
    InvalidReplicaAssignmentError,
    InvalidReplicationFactorError,
    InvalidTopicNameError,
    InvalidTopicRequestError,
    NothingToUndeleteError,
    TopicExistsError,
    TopicHeldError,
    UndeleteRefusedError,
    UnknownTopicError,
)
from service.coordination.topic_errors import UnknownTopicIdError as UnknownIdError
from service.hot.producer_state import OutOfOrderSequenceError, ProducerEpochError
from service.model.config_definition import InvalidConfigError
from service.model.log import LogFailedError, OffsetOutOfRangeError
from service.partition.errors import (
    ArchivedError,
    DiskCrowdedError,
    EndNotKnownError,
    EpochsNotAtHandError,
    NotEnoughReplicasError,
    NotLeaderError,
    StaleLeaderEpochError,
    TransactionsNotOfferedError,
    UnknownLeaderEpochError,
    UnknownPartitionError,
    UnknownTopicIdError,
)
from service.protocol.error_codes import ErrorCode
from service.replication.leader import NotReplicaError

MESSAGE_CHARS_MAX = 1000
"""An error may quote a name of any length that the client has sent."""

_CODES: dict[type[EverlogError], ErrorCode] = {
    ConnectionLostError: ErrorCode.REQUEST_TIMED_OUT,
    ControllerBusyError: ErrorCode.REQUEST_TIMED_OUT,
    ElectionNotNeededError: ErrorCode.ELECTION_NOT_NEEDED,
    EligibleLeadersNotAvailableError: ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    InvalidConfigError: ErrorCode.INVALID_CONFIG,
    InvalidPartitionsError: ErrorCode.INVALID_PARTITIONS,
    InvalidReplicaAssignmentError: ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    InvalidReplicationFactorError: ErrorCode.INVALID_REPLICATION_FACTOR,
    InvalidTopicNameError: ErrorCode.INVALID_TOPIC_EXCEPTION,
    InvalidTopicRequestError: ErrorCode.INVALID_REQUEST,
    MetadataConflictError: ErrorCode.REQUEST_TIMED_OUT,
    NoSuchPartitionError: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    NoReassignmentError: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
    NodeTooLargeError: ErrorCode.POLICY_VIOLATION,
    NothingToUndeleteError: ErrorCode.UNKNOWN_TOPIC_ID,
    NotControllerError: ErrorCode.NOT_CONTROLLER,
    PreferredLeaderNotAvailableError: ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
    TopicExistsError: ErrorCode.TOPIC_ALREADY_EXISTS,
    TopicHeldError: ErrorCode.POLICY_VIOLATION,
    UndeleteRefusedError: ErrorCode.POLICY_VIOLATION,
    UnknownIdError: ErrorCode.UNKNOWN_TOPIC_ID,
    UnknownTopicError: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    CorruptMessageError: ErrorCode.CORRUPT_MESSAGE,
    DecompressionError: ErrorCode.INVALID_RECORD,
    DiskCrowdedError: ErrorCode.KAFKA_STORAGE_ERROR,
    ArchivedError: ErrorCode.OFFSET_MOVED_TO_TIERED_STORAGE,
    EndNotKnownError: ErrorCode.OFFSET_NOT_AVAILABLE,
    EpochsNotAtHandError: ErrorCode.KAFKA_STORAGE_ERROR,
    InvalidRecordError: ErrorCode.INVALID_RECORD,
    InvalidTimestampError: ErrorCode.INVALID_TIMESTAMP,
    LogFailedError: ErrorCode.KAFKA_STORAGE_ERROR,
    MessageTooLargeError: ErrorCode.MESSAGE_TOO_LARGE,
    NotEnoughReplicasError: ErrorCode.NOT_ENOUGH_REPLICAS,
    NotLeaderError: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    NotReplicaError: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    OffsetOutOfRangeError: ErrorCode.OFFSET_OUT_OF_RANGE,
    OutOfOrderSequenceError: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ProducerEpochError: ErrorCode.INVALID_PRODUCER_EPOCH,
    SegmentTooSmallError: ErrorCode.RECORD_LIST_TOO_LARGE,
    StaleLeaderEpochError: ErrorCode.FENCED_LEADER_EPOCH,
    TransactionsNotOfferedError: ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    UnknownLeaderEpochError: ErrorCode.UNKNOWN_LEADER_EPOCH,
    UnknownPartitionError: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    UnknownTopicIdError: ErrorCode.UNKNOWN_TOPIC_ID,
    UnsupportedCodecError: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    # Whatever is wrong with the archive: clients ask again. Java's consumer ends at a code that it
    # does not expect in an answer to Fetch, such as REQUEST_TIMED_OUT or INVALID_REQUEST.
    **dict.fromkeys(
        (
            ObjectExistsError,
            ObjectMissingError,
            ObjectsNotDeletedError,
            StoreDeniedError,
            StoreThrottledError,
            StoreUnavailableError,
            UnsupportedFormatError,
        ),
        ErrorCode.KAFKA_STORAGE_ERROR,
    ),
    # Errors that no client can cause on purpose: what it should do next is told by their class.
    CorruptionError: ErrorCode.KAFKA_STORAGE_ERROR,
    FencedError: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    RejectedError: ErrorCode.INVALID_REQUEST,
    RetriableError: ErrorCode.REQUEST_TIMED_OUT,
    ControllerMovedError: ErrorCode.NOT_CONTROLLER,
    SessionExpiredError: ErrorCode.NOT_CONTROLLER,
}

ANSWERED: dict[ErrorCode, int] = {}
"""How often this process has answered with each code of the table, for the metrics."""


def code_of(error: EverlogError) -> ErrorCode:
    """Return the code of an error, or of the nearest of its classes that has one.

    Raises:
        EverlogError: The error itself, when the table does not know it: that is a defect.
    """
    for kind in type(error).__mro__:
        code = _CODES.get(kind)
        if code is not None:
            ANSWERED[code] = ANSWERED.get(code, 0) + 1
            return code
    raise error


def message_of(error: EverlogError) -> str:
    """Return what to tell the client; cut, because older versions carry no more than 32 KB."""
    return str(error)[:MESSAGE_CHARS_MAX]
