"""Leaders that somebody asks for: only if it is safe, and only if it makes a difference."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId, TopicName
from service.coordination.asked_elections import (
    ElectionKind,
    ElectionNotNeededError,
    EligibleLeadersNotAvailableError,
    LeaderElections,
    NoSuchPartitionError,
    PreferredLeaderNotAvailableError,
    elect_preferred,
    elect_unclean,
)
from service.coordination.draining import begin_draining
from service.coordination.elections import ElectionRules, Electorate
from service.coordination.leadership import ElectionStats, default_rules
from service.coordination.registration import register_broker
from tests.unit.coordination.stage import Stage, description, founded, open_server, running
from tests.unit.coordination.test_elections import STATE, live, nodes

RULES = ElectionRules()
LED_BY_ANOTHER = replace(STATE, leader=NodeId(1), leader_broker_epoch=3)
ALL = live(b0=10, b1=3, b2=4)


def test_the_preferred_leader_takes_over_in_a_new_term() -> None:
    after = elect_preferred(LED_BY_ANOTHER, Electorate(live=ALL), RULES, controller_epoch=2)
    assert (after.leader, after.leader_broker_epoch, after.leader_epoch) == (0, 10, 6)
    assert (after.isr, after.version, after.unclean_epoch) == (nodes(0, 1, 2), 8, None)


@pytest.mark.parametrize(
    ("state", "electorate", "why"),
    [
        (LED_BY_ANOTHER, Electorate(live=live(b1=3)), "not running"),
        (LED_BY_ANOTHER, Electorate(live=live(b1=3), draining=live(b0=10)), "about to stop"),
        (replace(LED_BY_ANOTHER, isr=nodes(1, 2)), Electorate(live=ALL), "not in sync"),
    ],
)
def test_a_preferred_leader_that_cannot_lead_is_not_elected(
    state: object, electorate: Electorate, why: str
) -> None:
    with pytest.raises(PreferredLeaderNotAvailableError, match=why):
        elect_preferred(state, electorate, RULES, controller_epoch=2)  # type: ignore[arg-type]


def test_who_leads_already_needs_no_election() -> None:
    with pytest.raises(ElectionNotNeededError):
        elect_preferred(STATE, Electorate(live=ALL), RULES, controller_epoch=2)
    with pytest.raises(ElectionNotNeededError):
        elect_unclean(LED_BY_ANOTHER, Electorate(live=ALL), RULES, controller_epoch=2)


def test_a_preferred_leader_that_was_started_anew_gets_its_term() -> None:
    after = elect_preferred(STATE, Electorate(live=live(b0=11)), RULES, controller_epoch=2)
    assert (after.leader, after.leader_broker_epoch) == (0, 11)


def test_an_unclean_leader_is_elected_because_somebody_says_so() -> None:
    offline = replace(STATE, leader=None, leader_broker_epoch=-1, isr=nodes(0))
    after = elect_unclean(offline, Electorate(live=live(b2=4)), RULES, controller_epoch=2)
    assert (after.leader, after.isr, after.unclean_epoch) == (2, nodes(2), 6)
    with pytest.raises(EligibleLeadersNotAvailableError, match="start one of 0, 1, 2"):
        elect_unclean(offline, Electorate(live=live(b9=4)), RULES, controller_epoch=2)


def test_who_is_in_sync_comes_before_whoever_is_not() -> None:
    offline = replace(STATE, leader=None, leader_broker_epoch=-1, isr=nodes(2))
    after = elect_unclean(offline, Electorate(live=ALL), RULES, controller_epoch=2)
    assert (after.leader, after.unclean_epoch) == (2, None)


def elections(stage: Stage) -> LeaderElections:
    return LeaderElections(
        store=stage.store,
        images=stage.images,
        controller=stage.controller,
        rules_of=default_rules,
        stats=ElectionStats(),
    )


@pytest.mark.rule("REL-C8")
async def test_the_image_has_what_was_asked_for() -> None:
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: NodeId(2) in image.brokers)
        await stage.create("t", assignment={n: (NodeId(2), NodeId(1)) for n in range(3)})
        await other.close()
        await stage.images.wait_for(
            lambda image: all(each.leader == 1 for each in stage.topic("t").partitions)
        )
        t, asked = TopicName("t"), elections(stage)
        absent = await asked.elect([(t, 0), (t, 9), (TopicName("u"), 0)], ElectionKind.PREFERRED)
        assert [type(why) for why in absent.values()] == [
            PreferredLeaderNotAvailableError,
            NoSuchPartitionError,
            NoSuchPartitionError,
        ]
        again = await founded(server)
        await register_broker(again, description(2))
        assert await asked.elect([(t, 0)], ElectionKind.PREFERRED) != {(t, 0): None}, (
            "it has left the ISR"
        )
        await stage.create("u", assignment={0: (NodeId(1), NodeId(2))})
        everything = await asked.elect(None, ElectionKind.PREFERRED)
        assert list(everything) == [(t, 0), (t, 1), (t, 2)], "of u nothing is to be done"


async def test_a_leader_that_drains_while_it_is_asked_for_is_not_elected() -> None:
    server = await open_server()
    async with running(server) as stage:
        other = await founded(server)
        broker = await register_broker(other, description(2))
        await stage.images.wait_for(lambda image: NodeId(2) in image.brokers)
        await stage.create("t", assignment={0: (NodeId(2), NodeId(1))})
        await begin_draining(other, broker)
        await stage.images.wait_for(lambda _: stage.topic("t").partitions[0].leader == 1)
        found = await elections(stage).elect([(TopicName("t"), 0)], ElectionKind.PREFERRED)
        assert isinstance(found[TopicName("t"), 0], PreferredLeaderNotAvailableError)
