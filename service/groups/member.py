"""One member of a group."""

from collections.abc import Container
from dataclasses import dataclass

from service.groups.calls import MemberProtocol


@dataclass(slots=True, kw_only=True)
class Member:
    """A member, and which of its calls are waiting.

    Attributes:
        assignment: What it was given in this generation, opaque.
        join_ticket: Of the join that waits for the next generation.
        sync_ticket: Of the sync that waits for the assignment.
        is_new: Whether it has not been told its first generation yet.
        session_deadline_ms: When it counts as gone; None while a waiting call vouches for it.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[MemberProtocol, ...]
    assignment: bytes = b""
    join_ticket: int | None = None
    sync_ticket: int | None = None
    is_new: bool = False
    session_deadline_ms: int | None = None

    @property
    def is_static(self) -> bool:
        """Whether it keeps its place over a restart (KIP-345)."""
        return self.instance_id is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a waiting call shows that it is alive; a new member may be gone all the same."""
        return not self.is_new and (self.join_ticket is not None or self.sync_ticket is not None)

    def metadata(self, protocol: str | None) -> bytes:
        """Return what it said about itself for a protocol; empty if it does not know that one."""
        return next((own.metadata for own in self.protocols if own.name == protocol), b"")

    def vote(self, candidates: Container[str]) -> str:
        """Return the candidate that it likes best; it knows all of them."""
        return next(own.name for own in self.protocols if own.name in candidates)
