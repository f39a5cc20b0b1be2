"""What ``everlog tier restore`` says of groups, settings and topics without an archive."""

from typing import TYPE_CHECKING, Any

from service.app.cli.sizes import count_text, plural
from service.app.cli.times import instant_text
from service.groups.partitioning import OFFSETS_TOPIC

if TYPE_CHECKING:
    from service.app.restored_cluster import RestoredCluster
    from service.app.restoring import RestoreReport

_NAMES_SHOWN = 10


def cut_facts(cluster: "RestoredCluster") -> dict[str, Any] | None:
    """Return what came of a cut; None if there was none."""
    chosen, offsets = cluster.chosen, cluster.offsets
    if chosen.cut is None or chosen.key is None:
        return None
    return {
        "key": chosen.key.text,
        "created_ms": chosen.cut.created_ms,
        "groups": len(offsets.groups),
        "offsets": offsets.restored,
        "offsets_clamped": offsets.clamped,
        "offsets_dropped": offsets.dropped,
        "offsets_on_disk": cluster.has_local_offsets,
        "settings": sum(map(len, cluster.settings.values())),
    }


def empty_topics(report: "RestoreReport") -> list[dict[str, Any]]:
    """Return the topics that come back without records, but the one for offsets."""
    return [
        {
            "topic": each.name,
            "topic_id": each.topic_id.hex(),
            "partitions": each.partitions,
            "notes": list(each.notes),
        }
        for each in report.topics
        if each.restored is not None and not each.is_tiered and each.name != OFFSETS_TOPIC
    ]


def cut_lines(report: "RestoreReport", *, is_earlier: bool) -> list[str]:
    """Say what came of groups, settings and topics without an archive."""
    facts = cut_facts(report.cluster)
    lines = list(report.cluster.notes)
    if facts is None:
        by_then = " by then" if is_earlier else ""
        lines.append(
            f"No cut of the cluster had been made{by_then}: offsets of groups, settings of brokers "
            "and topics without an archive do not come back."
        )
        return lines
    empty = empty_topics(report)
    lines += [f"{each['topic']}: {note}" for each in empty for note in each["notes"]]
    when = instant_text(facts["created_ms"])
    lines.append(f"From the cut of {when} (see everlog tier cuts):")
    lines.append(f"  {_groups_text(facts)}")
    lines.append(f"  {plural(facts['settings'], 'setting')} of brokers")
    if empty:
        lines.append(f"  {plural(len(empty), 'topic')} without records: {_names(empty)}")
    return lines


def _groups_text(facts: dict[str, Any]) -> str:
    if facts["offsets_on_disk"]:
        return "offsets of groups go on from the log on this disk"
    text = f"{plural(facts['groups'], 'group')}, {plural(facts['offsets'], 'committed offset')}"
    if facts["offsets_clamped"]:
        clamped = count_text(facts["offsets_clamped"])
        text += f", {clamped} of them set back to the end of what was archived"
    if facts["offsets_dropped"]:
        dropped = count_text(facts["offsets_dropped"])
        text += f"; {dropped} left out, in partitions that do not come back with records"
    return text


def _names(empty: list[dict[str, Any]]) -> str:
    names = [each["topic"] for each in empty[:_NAMES_SHOWN]]
    more = len(empty) - len(names)
    return ", ".join(names) + (f" and {more:,} more (-o json has them)" if more else "")
