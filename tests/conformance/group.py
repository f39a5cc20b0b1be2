"""A consumer group of one client, for the length of a test."""

from tests.conformance.client import Client, Member
from tests.conformance.records import PARTITIONS
from tests.conformance.waiting import wait_until_true


class Group:
    """Members that share a topic of four partitions; those left over leave when it closes."""

    def __init__(self, client: Client, topic: str) -> None:
        self.name = f"group-of-{topic}"
        self._client = client
        self._topic = topic
        self._members: list[Member] = []

    def join(self, count: int) -> list[Member]:
        """Start members and wait until all partitions are shared out evenly."""
        for _ in range(count):
            self._members.append(self._client.join(self.name, self._topic))
        wait_until_true(self._is_balanced)
        return self._members[-count:]

    def leave(self, member: Member) -> None:
        """Let a member go and wait until the others have taken over what it held."""
        self._members.remove(member)
        member.leave()
        if self._members:
            wait_until_true(self._is_balanced)

    def close(self) -> None:
        """End what a failed test has left running."""
        for member in self._members:
            member.leave()

    def _is_balanced(self) -> bool:
        held = [member.assigned() for member in self._members]
        together = frozenset().union(*held)
        return (
            together == frozenset(range(PARTITIONS))
            and sum(map(len, held)) == PARTITIONS
            and {len(each) for each in held} == {PARTITIONS // len(self._members)}
        )
