"""What a partition refuses for reasons of its own."""

from everlog.model.errors import FencedError, RejectedError, RetriableError


class NotLeaderError(RetriableError):
    """This broker does not lead the partition (any more); the client has to look for the leader."""


class UnknownPartitionError(RetriableError):
    """No such topic or partition, as far as this broker knows."""


class UnknownTopicIdError(RetriableError):
    """No topic has that id, as far as this broker knows."""


class StaleLeaderEpochError(FencedError):
    """The client knows an older leader epoch than this broker (KIP-320)."""


class UnknownLeaderEpochError(RetriableError):
    """The client knows a newer leader epoch than this broker."""


class NotEnoughReplicasError(RetriableError):
    """Too few replicas are in sync to commit anything; nothing was appended."""


class ArchivedError(RetriableError):
    """A follower wants what its leader has in the archive only: it gets that from there."""


class EndNotKnownError(RetriableError):
    """A leader in a new term does not know yet up to where its log is committed (KIP-207)."""


class TransactionsNotOfferedError(RejectedError):
    """The batch belongs to a transaction, which this broker does not offer."""


class DiskCrowdedError(RetriableError):
    """The local disk is too full for another record; nothing was appended."""


class EpochsNotAtHandError(RetriableError):
    """The history of leader epochs is in the object store, and was not asked for in time."""
