"""Everybody in a group, and what has to be known of all of them at once."""

from collections import Counter
from collections.abc import Iterable, Iterator

from service.groups.calls import Claim, JoinCall, MemberProtocol
from service.groups.errors import FencedInstanceError, UnknownMemberError
from service.groups.member import Member


class Members:
    """The members of a group in the order in which they came, and the ids given out in advance.

    Attributes:
        leader: Who assigns; one of the members, None when there are none.
        pending: Ids that were given out and have not come back, with the time when each expires.
    """

    __slots__ = ("_by_id", "_by_instance", "_supporters", "_waiting_joins", "leader", "pending")

    def __init__(self) -> None:
        self.leader: str | None = None
        self.pending: dict[str, int] = {}
        self._by_id: dict[str, Member] = {}
        self._by_instance: dict[str, str] = {}
        self._supporters: Counter[str] = Counter()
        self._waiting_joins = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._by_id

    @property
    def waiting_joins(self) -> int:
        """How many members wait for the next generation."""
        return self._waiting_joins

    @property
    def all_joined(self) -> bool:
        """Whether everybody who may come has come."""
        return self._waiting_joins == len(self._by_id) and not self.pending

    @property
    def rebalance_timeout_ms(self) -> int:
        """How long the slowest member may take to join again; 0 without members."""
        return max((member.rebalance_timeout_ms for member in self), default=0)

    def get(self, member_id: str) -> Member | None:
        """Return a member by its id."""
        return self._by_id.get(member_id)

    def get_static(self, instance_id: str) -> Member | None:
        """Return a static member by its instance id."""
        member_id = self._by_instance.get(instance_id)
        return None if member_id is None else self._by_id[member_id]

    def identify(self, claim: Claim) -> Member:
        """Return the member that the caller says it is.

        Raises:
            FencedInstanceError: A newer member has taken over the caller's instance id.
            UnknownMemberError: There is no such member.
        """
        if claim.instance_id is not None:
            current = self._by_instance.get(claim.instance_id)
            if current is not None and current != claim.member_id:
                raise FencedInstanceError
            if current is None:
                raise UnknownMemberError
        member = self._by_id.get(claim.member_id)
        if member is None:
            raise UnknownMemberError
        return member

    def add(self, member: Member) -> None:
        """Take in a new member; the first one leads."""
        assert member.member_id not in self._by_id
        if member.instance_id is not None:
            assert member.instance_id not in self._by_instance
            self._by_instance[member.instance_id] = member.member_id
        self.pending.pop(member.member_id, None)
        self._by_id[member.member_id] = member
        self._supporters.update(_names(member.protocols))
        if member.join_ticket is not None:
            self._waiting_joins += 1
        if self.leader is None:
            self.leader = member.member_id

    def remove(self, member: Member) -> None:
        """Let a member go. Its waiting calls have been answered."""
        assert member.join_ticket is None
        assert member.sync_ticket is None
        del self._by_id[member.member_id]
        self._withdraw(member.protocols)
        if member.instance_id is not None:
            del self._by_instance[member.instance_id]
        if self.leader == member.member_id:
            self.leader = next(iter(self._by_id), None)

    def rename(self, member: Member, member_id: str) -> None:
        """Give a static member a new id; from now on the old one is fenced."""
        assert member.instance_id is not None
        if self.leader == member.member_id:
            self.leader = member_id
        del self._by_id[member.member_id]
        member.member_id = member_id
        self._by_id[member_id] = member
        self._by_instance[member.instance_id] = member_id

    def update(self, member: Member, call: JoinCall) -> None:
        """Take over what a member says about itself when it joins again."""
        self._withdraw(member.protocols)
        member.protocols = call.protocols
        self._supporters.update(_names(call.protocols))
        member.client_id = call.client_id
        member.client_host = call.client_host
        member.session_timeout_ms = call.session_timeout_ms
        member.rebalance_timeout_ms = call.patience_ms

    def park_join(self, member: Member, ticket: int) -> int | None:
        """Let a member wait for the next generation; return the ticket that this one replaces."""
        replaced = member.join_ticket
        member.join_ticket = ticket
        if replaced is None:
            self._waiting_joins += 1
        return replaced

    def take_join(self, member: Member) -> int | None:
        """Return the ticket of a waiting join, which waits no more."""
        ticket = member.join_ticket
        member.join_ticket = None
        if ticket is not None:
            self._waiting_joins -= 1
        return ticket

    def elect_leader(self) -> bool:
        """Have a leader that waits for the next generation; return whether there is one."""
        current = None if self.leader is None else self._by_id[self.leader]
        if current is not None and current.join_ticket is not None:
            return True
        waiting = next((member for member in self if member.join_ticket is not None), None)
        if waiting is None:
            return False
        self.leader = waiting.member_id
        return True

    def share(self, protocols: Iterable[MemberProtocol]) -> bool:
        """Return whether one of these protocols is known to all members."""
        return any(self._supporters[name] == len(self._by_id) for name in _names(protocols))

    def choose_protocol(self) -> str:
        """Return the protocol that most members like best among those that all know."""
        candidates = {name for name, known_by in self._supporters.items() if known_by == len(self)}
        votes = Counter(member.vote(candidates) for member in self)
        # Of equal votes the first one counted wins, so the oldest member decides.
        return votes.most_common(1)[0][0]

    def _withdraw(self, protocols: Iterable[MemberProtocol]) -> None:
        self._supporters.subtract(_names(protocols))
        self._supporters = +self._supporters  # without the names that nobody knows any more


def _names(protocols: Iterable[MemberProtocol]) -> frozenset[str]:
    return frozenset(protocol.name for protocol in protocols)
