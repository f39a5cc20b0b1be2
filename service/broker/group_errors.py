"""The one table from what groups raise to what the wire calls it."""

from everlog.model.errors import EverlogError
from service.groups import errors
from service.protocol.error_codes import ErrorCode

_CODES: dict[type[EverlogError], ErrorCode] = {
    errors.CoordinatorLoadingError: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    errors.CoordinatorUnavailableError: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    errors.FencedInstanceError: ErrorCode.FENCED_INSTANCE_ID,
    errors.GroupFullError: ErrorCode.GROUP_MAX_SIZE_REACHED,
    errors.GroupNotEmptyError: ErrorCode.NON_EMPTY_GROUP,
    errors.GroupNotFoundError: ErrorCode.GROUP_ID_NOT_FOUND,
    errors.GroupTooLargeError: ErrorCode.UNKNOWN_SERVER_ERROR,
    errors.IllegalGenerationError: ErrorCode.ILLEGAL_GENERATION,
    errors.InconsistentProtocolError: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    errors.InvalidGroupIdError: ErrorCode.INVALID_GROUP_ID,
    errors.InvalidMemberError: ErrorCode.INVALID_REQUEST,
    errors.InvalidOffsetError: ErrorCode.INVALID_REQUEST,
    errors.InvalidSessionTimeoutError: ErrorCode.INVALID_SESSION_TIMEOUT,
    errors.MemberIdRequiredError: ErrorCode.MEMBER_ID_REQUIRED,
    errors.NotCoordinatorError: ErrorCode.NOT_COORDINATOR,
    errors.OffsetMetadataTooLargeError: ErrorCode.OFFSET_METADATA_TOO_LARGE,
    errors.RebalanceInProgressError: ErrorCode.REBALANCE_IN_PROGRESS,
    errors.SubscribedTopicError: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    errors.UnknownMemberError: ErrorCode.UNKNOWN_MEMBER_ID,
}


def group_code_of(error: EverlogError) -> ErrorCode:
    """Return the code of an error of a group.

    Raises:
        EverlogError: The error itself, when the table does not know it: that is a defect.
    """
    code = _CODES.get(type(error))
    if code is None:
        raise error
    return code
