"""A group on a stage of its own: a clock to wind, and a record of all that the group wants done."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from everlog.model.errors import EverlogError
from service.groups import joining, outcomes, sessions, syncing
from service.groups.calls import Claim, JoinCall, MemberProtocol, SyncCall
from service.groups.effects import Answer, Effect, JoinResult, Persist, SyncResult
from service.groups.errors import MemberIdRequiredError
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.moment import Moment
from service.groups.sessions import Departure
from service.groups.state import GroupState

WALL_MS = 1_700_000_000_000
SESSION_MS = 10_000
REBALANCE_MS = 60_000
DELAY_MS = 3_000


def protocols(*names: str, metadata: bytes = b"meta") -> tuple[MemberProtocol, ...]:
    return tuple(MemberProtocol(name, metadata) for name in names)


def join_call(member_id: str = "", **changes: Any) -> JoinCall:
    values: dict[str, Any] = {
        "claim": Claim(member_id, changes.pop("instance_id", None)),
        "new_member_id": "new",
        "client_id": "client",
        "client_host": "/127.0.0.1",
        "session_timeout_ms": SESSION_MS,
        "rebalance_timeout_ms": REBALANCE_MS,
        "protocol_type": "consumer",
        "protocols": protocols("range"),
        "member_id_required": False,
        "may_skip_assignment": True,
    }
    return JoinCall(**(values | changes))


class Stage:
    """Plays calls to one group; a ticket without an answer is a call that still waits."""

    def __init__(self, limits: GroupLimits | None = None) -> None:
        self.limits = limits or GroupLimits(initial_rebalance_delay_ms=DELAY_MS)
        self.group = Group("group", state_changed_ms=WALL_MS)
        self.now_ms = 0
        self.answers: dict[int, Any] = {}
        self.persists: list[Persist] = []
        self._tickets = count(1)
        self._names = count(1)

    @property
    def now(self) -> Moment:
        return Moment(self.now_ms, WALL_MS + self.now_ms)

    @property
    def state(self) -> GroupState:
        return self.group.state

    @property
    def member_ids(self) -> list[str]:
        return [member.member_id for member in self.group.members]

    def join(self, member_id: str = "", **changes: Any) -> int:
        changes.setdefault("new_member_id", f"m{next(self._names)}")
        ticket = next(self._tickets)
        call = join_call(member_id, **changes)
        self.play(joining.join(self.group, call, ticket, self.now, self.limits))
        return ticket

    def sync(
        self,
        member_id: str,
        assignments: Mapping[str, bytes] | None = None,
        *,
        generation: int | None = None,
        instance_id: str | None = None,
        protocol_type: str | None = None,
        protocol: str | None = None,
    ) -> int:
        ticket = next(self._tickets)
        call = SyncCall(
            claim=Claim(member_id, instance_id),
            generation=self.group.generation if generation is None else generation,
            protocol_type=protocol_type,
            protocol=protocol,
            assignments=assignments or {},
        )
        self.play(syncing.sync(self.group, call, ticket, self.now))
        return ticket

    def heartbeat(
        self, member_id: str, *, generation: int | None = None, instance_id: str | None = None
    ) -> None:
        said = self.group.generation if generation is None else generation
        sessions.heartbeat(self.group, Claim(member_id, instance_id), said, self.now)

    def leave(self, *claims: Claim | str) -> list[Departure]:
        named = [Claim(claim) if isinstance(claim, str) else claim for claim in claims]
        departures, effects = sessions.leave(self.group, named, self.now, self.limits)
        self.play(effects)
        return departures

    def store(self) -> None:
        """Let the oldest record become durable."""
        persist = self.persists.pop(0)
        self.play(outcomes.stored(self.group, persist.purpose, self.now))

    def fail_to_store(self, error: EverlogError) -> None:
        """Let the oldest record fail."""
        persist = self.persists.pop(0)
        self.play(outcomes.store_failed(self.group, persist.purpose, error, self.now, self.limits))

    def pass_ms(self, duration_ms: int) -> None:
        """Let time pass, looking at the group whenever it asks for that, and then only."""
        end_ms = self.now_ms + duration_ms
        while self.group.wake_ms is not None and self.group.wake_ms <= end_ms:
            self.now_ms = max(self.now_ms, self.group.wake_ms)
            self.play(sessions.tick(self.group, self.now, self.limits))
        self.now_ms = end_ms

    def play(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Answer):
                assert effect.ticket not in self.answers, "a call was answered twice"
                self.answers[effect.ticket] = effect.result
            else:
                self.persists.append(effect)

    def waits(self, ticket: int) -> bool:
        return ticket not in self.answers

    def joined(self, ticket: int) -> JoinResult:
        result = self.answers[ticket]
        assert isinstance(result, JoinResult), result
        return result

    def synced(self, ticket: int) -> SyncResult:
        result = self.answers[ticket]
        assert isinstance(result, SyncResult), result
        return result

    def join_with_given_id(self, **changes: Any) -> int:
        """Join as clients have to since version 4: twice."""
        refused = self.answers[self.join(member_id_required=True, **changes)]
        assert isinstance(refused, MemberIdRequiredError)
        return self.join(refused.member_id, **changes)

    def stable(self, size: int = 2, **changes: Any) -> list[str]:
        """Bring the group to a stable generation of so many members; the first one leads."""
        tickets = [self.join(**changes) for _ in range(size)]
        self.pass_ms(self.limits.initial_rebalance_delay_ms * (2 if size > 1 else 1))
        members = [self.joined(ticket).member_id for ticket in tickets]
        self.settle()
        return members

    def settle(self) -> None:
        """Let all members get an assignment that names them."""
        everybody = self.member_ids
        leader = self.group.members.leader
        assert leader is not None
        for member_id in everybody:
            given = {each: each.encode() for each in everybody} if member_id == leader else {}
            self.sync(member_id, given)
        self.store()
        assert self.state is GroupState.STABLE
