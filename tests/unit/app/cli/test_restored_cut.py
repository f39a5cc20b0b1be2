"""What a restore says of groups, settings and topics without an archive."""

from dataclasses import replace

from everlog.format.cut import Cut, CutOffset
from everlog.format.meta_keys import CutKey
from everlog.format.object_keys import Uid
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.app.cli.restored_cut import cut_facts, cut_lines, empty_topics
from service.app.restored_cluster import restored_cluster
from service.app.restoring import RestoreReport
from service.coordination.restored_tree import RestoredPartition, RestoredTopic
from service.partition.restored_topics import TopicOutcome
from service.tiering.cut_choice import ChosenCut
from tests.unit.app.cli.test_tier_restore import TOPIC, outcome

CREATED_MS = 1_700_000_000_000
KEY = CutKey(cluster_id="c", created_ms=CREATED_MS, owner=0, uid=Uid(bytes(16)))


def row(partition: int, offset: int) -> CutOffset:
    return CutOffset(partition, Offset(offset), None, "", None)


def chosen(**groups: dict[TopicId, list[CutOffset]]) -> ChosenCut:
    cut = Cut(
        cluster_id="c",
        owner=0,
        created_ms=CREATED_MS,
        settings={None: {"log.retention.ms": "5", "of.the.future": "1"}},
        topics=[],
        groups=groups,
    )
    return ChosenCut(key=KEY, cut=cut, notes=["a newer cut is damaged"])


def empty(name: str, number: int = 0) -> TopicOutcome:
    topic_id = TopicId(b"%016d" % number)
    restored = RestoredTopic(
        name=TopicName(name),
        topic_id=topic_id,
        config={},
        partitions=[RestoredPartition(epoch=LeaderEpoch(1000))] * 2,
        extra={},
    )
    return TopicOutcome(
        name=TopicName(name),
        topic_id=topic_id,
        partitions=2,
        tiers={},
        restored=restored,
        problem=None,
        notes=["it has a note"],
        is_tiered=False,
    )


def report(cut: ChosenCut, *outcomes: TopicOutcome, is_local: bool = False) -> RestoreReport:
    logs = {each.topic_id for each in outcomes} if is_local else set()
    cluster = restored_cluster(cut, outcomes, local_logs=logs, new_id=TopicId(b"n" * 16))
    return RestoreReport(
        cluster_id="c", store_url="file:///s", topics=list(outcomes), cluster=cluster, seconds=1
    )


def test_all_that_was_done_with_offsets_is_counted() -> None:
    cut = chosen(
        g={TOPIC: [row(0, 0), row(7, 0)]}, h={TOPIC: [row(0, 9)], TopicId(b"x"): [row(0, 1)]}
    )
    found = report(cut, outcome(), empty("cache"), empty("__consumer_offsets", 1))
    assert cut_facts(found.cluster) == {
        "key": KEY.text,
        "created_ms": CREATED_MS,
        "groups": 2,
        "offsets": 2,
        "offsets_clamped": 1,
        "offsets_dropped": 2,
        "offsets_on_disk": False,
        "settings": 2,
    }
    assert cut_lines(found, is_earlier=False) == [
        "a newer cut is damaged",
        "all brokers: setting of.the.future=1 is not known here, and is kept",
        "cache: it has a note",
        "From the cut of 2023-11-14 22:13:20 (see everlog tier cuts):",
        (
            "  2 groups, 2 committed offsets, 1 of them set back to the end of what was archived; "
            "2 left out, in partitions that do not come back with records"
        ),
        "  2 settings of brokers",
        "  1 topic without records: cache",
    ]


def test_topics_without_records_are_told_but_not_all_of_many() -> None:
    found = report(chosen(), *(empty(f"t{number:02}", number) for number in range(12)))
    assert [each["topic"] for each in empty_topics(found)] == [f"t{n:02}" for n in range(12)]
    assert cut_lines(found, is_earlier=False)[-1] == (
        "  12 topics without records: t00, t01, t02, t03, t04, t05, t06, t07, t08, t09 "
        "and 2 more (-o json has them)"
    )


def test_offsets_that_are_on_the_disk_are_not_counted() -> None:
    cut = chosen(g={TOPIC: [row(0, 99)]})
    found = report(cut, outcome(), empty("__consumer_offsets"), is_local=True)
    assert "  offsets of groups go on from the log on this disk" in cut_lines(
        found, is_earlier=False
    )
    assert found.cluster.offsets.clamped == 0


def test_without_a_cut_it_is_said_what_does_not_come_back() -> None:
    found = report(ChosenCut(), outcome())
    assert cut_facts(found.cluster) is None
    assert "had been made:" in cut_lines(found, is_earlier=False)[0]
    assert "had been made by then:" in cut_lines(found, is_earlier=True)[0]
    assert empty_topics(replace(found, topics=[])) == []
