"""What a leader does that hears nothing of the cluster (REL-I8)."""

from collections.abc import Callable

from everlog.model.clock import Clock
from service.partition.errors import NotLeaderError
from service.partition.partition import Partition


class Contact:
    """Whether this broker may answer for a partition alone.

    Once nobody has answered for the metadata for as long as a session lasts, the session may be
    over, and somebody else may have been elected. Whoever that could be fetches from this broker in
    this term until it hears of its own. As long as all of them do, nobody else leads; so while
    ZooKeeper is away for everybody everything goes on, and a leader that is cut off from the others
    stops promising what only it knows. What has to be stored by all in sync needs none of this.

    Args:
        silent_seconds: Time since anybody has answered for the metadata.
        session_seconds: How long a session lasts without an answer.
        clock: Tells when followers have fetched.
    """

    def __init__(
        self, *, silent_seconds: Callable[[], float], session_seconds: float, clock: Clock
    ) -> None:
        self._silent_seconds = silent_seconds
        self._session_seconds = session_seconds
        self._clock = clock

    def leads(self, partition: Partition) -> bool:
        """Whether nobody else can lead the partition by now."""
        if self._silent_seconds() <= self._session_seconds:
            return True
        since = self._clock.monotonic() - self._session_seconds
        return partition.replicas.are_following(since=since)

    def check(self, partition: Partition) -> None:
        """Refuse what no other replica would know of, if somebody else may lead.

        Raises:
            NotLeaderError: Somebody may; clients ask the other brokers who does.
        """
        if not self.leads(partition):
            raise NotLeaderError(
                f"{partition.topic}-{partition.index} may have another leader: neither ZooKeeper "
                "nor the other replicas have been heard of for a session's time"
            )
