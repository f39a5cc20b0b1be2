"""What a restore says at its end."""

from everlog.format.object_keys import PartitionPath
from everlog.format.pointer import unclaimed
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.app.cli.tier_restore import summary, topic_facts
from service.app.restored_cluster import RestoredCluster, restored_cluster
from service.app.restoring import RestoreReport
from service.coordination.restored_tree import RestoredPartition, RestoredTopic
from service.partition.restored_topics import TopicOutcome
from service.tiering.cut_choice import ChosenCut
from service.tiering.partition_restore import RestoredTier, Source

TOPIC = TopicId(b"0123456789abcdef")


def outcome(*, problem: str | None = None) -> TopicOutcome:
    path = PartitionPath(cluster_id="c", topic_id=TOPIC, partition=0)
    tier = RestoredTier(
        path=path,
        epoch=LeaderEpoch(1000),
        pointer=unclaimed(Offset(0)),
        source=Source.OBJECTS,
        objects=3,
        records=30,
    )
    restored = RestoredTopic(
        name=TopicName("t"),
        topic_id=TOPIC,
        config={},
        partitions=[RestoredPartition(epoch=LeaderEpoch(1000))],
        extra={},
    )
    return TopicOutcome(
        name=TopicName("t"),
        topic_id=TOPIC,
        partitions=1,
        tiers={0: tier},
        restored=None if problem else restored,
        problem=problem,
        notes=[],
    )


def cluster_of(chosen: ChosenCut, *outcomes: TopicOutcome) -> RestoredCluster:
    return restored_cluster(chosen, outcomes, local_logs=(), new_id=TopicId(bytes(16)))


def said(*outcomes: TopicOutcome, is_trial: bool = False) -> str:
    report = RestoreReport(
        cluster_id="c",
        store_url="file:///s",
        topics=list(outcomes),
        cluster=cluster_of(ChosenCut(), *outcomes),
        seconds=1.25,
    )
    return summary([topic_facts(each) for each in outcomes], report, "/d", is_trial=is_trial)


def test_the_facts_of_a_topic_have_stable_names() -> None:
    assert topic_facts(outcome()) == {
        "topic": "t",
        "topic_id": TOPIC.hex(),
        "restored": True,
        "partitions": 1,
        "objects": 3,
        "records": 30,
        "bytes": 0,
        "from": "segment objects",
        "problem": None,
        "notes": [],
    }


def test_the_last_lines_say_how_to_go_on() -> None:
    text = said(outcome())
    assert text.startswith("restored 1 topic, 1 partition, 0 B in 1.2 s; cluster c\n")
    assert "everlog dev --data-dir '/d' --store 'file:///s'" in text


def test_a_trial_says_that_nothing_has_changed() -> None:
    assert said(outcome(), is_trial=True).endswith("Repeat without --dry-run.")


def test_where_nothing_could_be_restored_nothing_else_is_said() -> None:
    assert said(outcome(problem="bits")).startswith("nothing was restored; everlog tier cuts ")
