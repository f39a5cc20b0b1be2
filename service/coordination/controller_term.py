"""The controller's fencing token: what every one of its writes is checked against."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from everlog.model.errors import FencedError, RetriableError
from everlog.model.ids import NodeId
from service.coordination.changes import Edit, publish
from service.coordination.metadata_store import BadVersionError, Check, MetadataStore, Op, Result
from service.coordination.znodes import CONTROLLER_EPOCH, broker_epoch_path


class ControllerMovedError(FencedError):
    """Another broker is the controller now; nothing of this one's may be written any more."""


class NotControllerError(RetriableError):
    """This broker is not the controller: ask the one that the image names."""


class ControllerBusyError(RetriableError):
    """Too much is waiting for the controller already."""


class MetadataConflictError(RetriableError):
    """Brokers came and went while this was being decided, several times over."""


@dataclass(frozen=True, slots=True)
class ControllerTerm:
    """One broker's time as the controller.

    Attributes:
        epoch: Version of `CONTROLLER_EPOCH` since the claim; each claim raises it.
    """

    epoch: int

    @property
    def fence(self) -> Check:
        """The check without which the controller writes nothing."""
        return Check(CONTROLLER_EPOCH, self.epoch)

    async def publish(
        self, store: MetadataStore, edits: Sequence[Edit], *, leaders: Mapping[NodeId, int]
    ) -> int:
        """Make edits and tell everybody; return the number of the change.

        Args:
            store: Where it is written.
            edits: One transaction's worth, see `changes.batches`.
            leaders: Registrations that the edits rely on, as the epoch by broker.

        Raises:
            ControllerMovedError: The term is over.
            NodeError: A registration is over, or an operation failed.
            ConnectionLostError: Whether it was done is unknown.
        """
        checks = [self.fence, *broker_checks(leaders)]
        try:
            return await publish(store, checks=checks, edits=edits)
        except BadVersionError as error:
            self._check_moved(error)
            raise

    async def write(self, store: MetadataStore, ops: Iterable[Op]) -> list[Result]:
        """Do what nobody needs to hear of; raises as `publish` does."""
        try:
            return await store.multi([self.fence, *ops])
        except BadVersionError as error:
            self._check_moved(error)
            raise

    def _check_moved(self, error: BadVersionError) -> None:
        if error.path == CONTROLLER_EPOCH:
            raise ControllerMovedError(f"controller epoch {self.epoch} is over") from error


def broker_checks(epochs: Mapping[NodeId, int]) -> list[Check]:
    """Return the checks that these registrations still hold."""
    return [Check(broker_epoch_path(broker), epoch) for broker, epoch in epochs.items()]
