"""Clients of one group that behave as real ones do, crash included, with a virtual clock."""

from collections import defaultdict
from random import Random

from everlog.model.errors import EverlogError
from service.groups.calls import Claim
from service.groups.effects import JoinResult, SyncResult
from service.groups.errors import (
    CoordinatorUnavailableError,
    FencedInstanceError,
    IllegalGenerationError,
    MemberIdRequiredError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.state import GroupState
from tests.unit.groups.stage import Stage, protocols

HEARTBEAT_MS = 3_000
NAMES = ["range", "sticky", "robin"]


class Client:
    """One consumer: joins, asks for its assignment, sends heartbeats, and does what it is told."""

    def __init__(self, crowd: "Crowd", number: int, random: Random) -> None:
        self.crowd = crowd
        self.number = number
        self.random = random
        self.instance_id = f"i{number}" if random.random() < 0.4 else None
        self.alive = False
        self.is_fenced = False
        self.forget()

    def forget(self) -> None:
        """Lose everything but its name, as a new process does."""
        self.member_id = ""
        self.generation = -1
        self.assignment: bytes | None = None
        self.ticket: int | None = None
        self.next_heartbeat_ms = 0

    def start(self) -> None:
        self.forget()
        self.alive, self.is_fenced = True, False
        self.join()

    def crash(self) -> None:
        self.alive = False

    def leave(self) -> None:
        self.alive = False
        if self.member_id and self.instance_id is None:
            self.crowd.stage.leave(Claim(self.member_id))

    def join(self) -> None:
        self.assignment = None
        liked = self.random.sample(NAMES, 2)
        known = [*liked, "always"] if self.random.random() < 0.1 else ["always", *liked]
        self.ticket = self.crowd.stage.join(
            self.member_id,
            instance_id=self.instance_id,
            member_id_required=self.number % 2 == 0,
            may_skip_assignment=self.number % 3 == 0,
            rebalance_timeout_ms=self.random.choice([None, 15_000, 30_000]),
            protocols=protocols(*known, metadata=bytes([self.random.randrange(3)])),
        )

    def look(self) -> None:
        """Take note of an answer, and send a heartbeat when it is time for one."""
        stage = self.crowd.stage
        if self.ticket is not None and not stage.waits(self.ticket):
            answer = stage.answers[self.ticket]
            self.ticket = None
            self._take(answer)
        elif self.ticket is None and stage.now_ms >= self.next_heartbeat_ms:
            self.next_heartbeat_ms = stage.now_ms + HEARTBEAT_MS
            self._beat()

    def _take(self, answer: object) -> None:
        if isinstance(answer, JoinResult):
            self._ask(answer)
        elif isinstance(answer, SyncResult):
            self.crowd.check_assignment(self, answer)
            self.assignment = answer.assignment
        else:
            assert isinstance(answer, EverlogError)
            self._recover(answer)

    def _ask(self, joined: JoinResult) -> None:
        self.member_id, self.generation = joined.member_id, joined.generation
        self.crowd.check_generation(joined)
        given = {}
        if joined.leader == joined.member_id and not joined.skip_assignment:
            given = {
                each.member_id: self.crowd.assigned(joined, each.member_id)
                for each in joined.members
            }
        self.ticket = self.crowd.stage.sync(
            self.member_id, given, generation=self.generation, instance_id=self.instance_id
        )

    def _beat(self) -> None:
        if self.is_fenced:
            return
        try:
            self.crowd.stage.heartbeat(
                self.member_id, generation=self.generation, instance_id=self.instance_id
            )
        except EverlogError as error:
            self._recover(error)

    def _recover(self, error: EverlogError) -> None:
        match error:
            case MemberIdRequiredError():
                self.member_id = error.member_id
            case FencedInstanceError():
                self.is_fenced = True
                return
            case UnknownMemberError() | IllegalGenerationError():
                self.member_id, self.generation = "", -1
            case RebalanceInProgressError() | CoordinatorUnavailableError():
                pass
            case _:
                raise error
        self.join()


class Crowd:
    """Clients, a stage, and what must always be true of both."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = Random(seed)
        self.stage = Stage()
        self.clients = [Client(self, number, self.random) for number in range(size)]
        self.protocols: dict[int, set[str | None]] = defaultdict(set)

    @property
    def alive(self) -> list[Client]:
        return [client for client in self.clients if client.alive and not client.is_fenced]

    def assigned(self, joined: JoinResult, member_id: str) -> bytes:
        return f"{joined.generation} {member_id}".encode()

    def check_generation(self, joined: JoinResult) -> None:
        self.protocols[joined.generation].add(joined.protocol)
        assert len(self.protocols[joined.generation]) == 1, "a generation has one protocol"
        if joined.members:
            assert joined.member_id in {member.member_id for member in joined.members}

    def check_assignment(self, client: Client, synced: SyncResult) -> None:
        generation, _, member_id = synced.assignment.partition(b" ")
        assert int(generation) == client.generation, "an assignment of another generation"
        # A static member that came back under a new id has what it had before.
        assert client.instance_id is not None or member_id == client.member_id.encode()

    def disturb(self) -> None:
        """Let something happen to somebody."""
        client = self.random.choice(self.clients)
        if client.alive:
            self.random.choice([client.crash, client.crash, client.leave])()
        else:
            client.start()

    def step(self, duration_ms: int, *, fail_rate: float) -> None:
        """Let time pass, records be written or not, and everybody look around."""
        self.stage.pass_ms(duration_ms)
        while self.stage.persists and self.random.random() < 0.7:
            if self.random.random() < fail_rate:
                self.stage.fail_to_store(CoordinatorUnavailableError())
            else:
                self.stage.store()
        self.random.shuffle(self.clients)
        for client in self.clients:
            if client.alive:
                client.look()
        self.check()

    def check(self) -> None:
        group, members = self.stage.group, list(self.stage.group.members)
        waiting = [member for member in members if member.join_ticket is not None]
        assert group.members.waiting_joins == len(waiting)
        assert (group.members.leader is None) == (not members)
        assert group.members.leader is None or group.members.leader in group.members
        statics = {each.instance_id: each for each in members if each.is_static}
        assert all(group.members.get_static(name or "") is each for name, each in statics.items())
        assert group.unsynced <= set(self.stage.member_ids)
        if group.state is GroupState.EMPTY:
            assert not members
        for member in members:
            assert member.session_deadline_ms is not None or member.is_waiting
            if member.session_deadline_ms is not None:
                assert group.wake_ms is not None
                assert group.wake_ms <= member.session_deadline_ms
