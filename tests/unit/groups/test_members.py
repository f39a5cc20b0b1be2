import pytest

from service.groups.calls import Claim, MemberProtocol
from service.groups.errors import FencedInstanceError, UnknownMemberError
from service.groups.member import Member
from service.groups.members import Members
from tests.unit.groups.stage import join_call, protocols


def _member(member_id: str, *names: str, instance_id: str | None = None) -> Member:
    return Member(
        member_id=member_id,
        instance_id=instance_id,
        client_id="",
        client_host="",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=len(member_id),
        protocols=protocols(*names),
    )


def _members(*members: Member) -> Members:
    found = Members()
    for member in members:
        found.add(member)
    return found


def test_the_first_member_leads_and_hands_over_to_the_next() -> None:
    first, second = _member("a", "x"), _member("b", "x")
    members = _members(first, second)
    assert members.leader == "a"
    members.remove(first)
    assert members.leader == "b"
    members.remove(second)
    assert members.leader is None


def test_a_protocol_is_shared_only_if_all_members_know_it() -> None:
    first, second = _member("a", "x", "y"), _member("b", "y")
    members = _members(first, second)
    assert members.share(protocols("y"))
    assert not members.share(protocols("x"))
    members.remove(second)
    assert members.share(protocols("x"))


def test_protocols_that_nobody_knows_any_more_are_forgotten() -> None:
    first, second = _member("a", "x"), _member("b", *(f"p{n}" for n in range(10)), "x")
    members = _members(first, second)
    members.remove(second)
    members.update(first, join_call("a", protocols=protocols("z")))
    assert dict(members._supporters) == {"z": 1}


def test_a_protocol_named_twice_counts_once() -> None:
    twice = _member("a", "x", "x")
    members = _members(twice, _member("b", "x"))
    assert members.choose_protocol() == "x"
    assert twice.metadata("x") == b"meta"
    assert twice.metadata("unknown") == b""


def test_a_static_member_is_known_by_its_instance() -> None:
    static = _member("a", "x", instance_id="i")
    members = _members(static)
    assert members.identify(Claim("a", "i")) is static
    assert members.identify(Claim("a")) is static
    with pytest.raises(FencedInstanceError):
        members.identify(Claim("b", "i"))
    with pytest.raises(UnknownMemberError):
        members.identify(Claim("a", "other"))
    with pytest.raises(UnknownMemberError):
        members.identify(Claim(""))


def test_a_renamed_member_keeps_its_place_and_its_lead() -> None:
    static = _member("a", "x", instance_id="i")
    members = _members(static, _member("b", "x"))
    members.rename(static, "c")
    assert members.leader == "c"
    assert members.get_static("i") is static
    assert members.get("a") is None
    assert len(members) == 2


def test_the_slowest_member_sets_the_pace() -> None:
    assert _members().rebalance_timeout_ms == 0
    assert _members(_member("a", "x"), _member("ccc", "x")).rebalance_timeout_ms == 3


def test_only_who_waits_can_be_elected() -> None:
    first, second = _member("a", "x"), _member("b", "x")
    members = _members(first, second)
    assert not members.elect_leader()
    members.park_join(second, 1)
    assert members.elect_leader()
    assert members.leader == "b"
    assert members.take_join(second) == 1
    assert members.waiting_joins == 0


def test_metadata_of_the_chosen_protocol_are_told() -> None:
    member = _member("a", "x")
    member.protocols = (MemberProtocol("x", b"1"), MemberProtocol("y", b"2"))
    assert (member.metadata("x"), member.metadata("y")) == (b"1", b"2")
