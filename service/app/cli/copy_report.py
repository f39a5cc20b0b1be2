"""What ``everlog tier copy`` says: of a round, of what it cost, and of what was pruned."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from everlog.model.ids import id_text
from service.app.cli.output import Column, Table, show
from service.app.cli.prices import Prices, money_text
from service.app.cli.sizes import count_text, plural, size_text
from service.app.cli.times import instant_text

if TYPE_CHECKING:
    from service.tiering.archive_copying import CopyRound
    from service.tiering.copy_pruning import PartitionSurplus
    from service.tiering.object_verification import Problem
    from service.tiering.verification import PartitionReport

PROBLEMS_SHOWN = 20
"""In text; JSON has all that are kept."""

SURPLUS_SHOWN = 50
"""In a table; JSON has all."""

_GIB = 1 << 30
_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """One round of a copy.

    Attributes:
        verified: What reading the copy back has found; empty if it was not read back.
        whole_as_of_ms: When the last round began that had no problem; None without any.
        follow_seconds: How long until the next round; None for no next one.
    """

    done: "CopyRound"
    verified: "Sequence[PartitionReport]"
    whole_as_of_ms: int | None
    follow_seconds: int | None
    is_trial: bool

    @property
    def has_problems(self) -> bool:
        """Whether the copy is not what the source should be."""
        return bool(self.done.problem_count or any(each.problem_count for each in self.verified))

    @property
    def unsound_count(self) -> int:
        """How many problems reading back has found besides those that the copy had told of."""
        told = sum(len(each.problems) for each in self.verified) - len(self.unsound)
        return sum(each.problem_count for each in self.verified) - told

    @property
    def unsound(self) -> "list[Problem]":
        """Those of them that are kept."""
        found = (one for each in self.verified for one in each.problems)
        return [one for one in found if one.key.text not in self.done.problems]

    def lag_ms(self, now_ms: int) -> int | None:
        """Return how old the state is that the copy has whole; None if it has none."""
        return None if self.whole_as_of_ms is None else max(0, now_ms - self.whole_as_of_ms)


def round_facts(report: RoundReport, prices: Prices, *, now_ms: int) -> dict[str, Any]:
    """Return a round as facts for scripts."""
    done, counts = report.done, report.done.counts
    return {
        "dry_run": report.is_trial,
        "as_of_ms": done.as_of_ms,
        "seconds": (done.ended_ms - done.as_of_ms) / _MS,
        "lag_ms": None if report.is_trial else report.lag_ms(now_ms),
        "partitions": len(done.partitions),
        "objects_copied": counts.objects,
        "bytes_copied": counts.bytes,
        "objects_kept": counts.kept_objects,
        "bytes_kept": counts.kept_bytes,
        "meta_objects_copied": done.meta_objects,
        "bytes_by_class": class_facts(report),
        "classes_refused": sorted(each.name for each in done.refused),
        "cost": cost_facts(report, prices),
        "problems": done.problem_count,
        "problem_list": [
            {"key": problem.key, "reason": problem.reason} for problem in done.problems.values()
        ],
        "verified": [
            {
                "topic_id": id_text(each.path.topic_id),
                "partition": each.path.partition,
                "objects": each.objects,
                "bytes": each.named.bytes,
                "problems": each.problem_count,
                "problem_list": [
                    {"key": problem.key.text, "reason": problem.reason} for problem in each.problems
                ],
            }
            for each in report.verified
        ],
    }


def class_facts(report: RoundReport) -> dict[str, int]:
    """Return the bytes of the copy's objects by storage class, as far as this copy stored them."""
    found: Counter[str] = Counter()
    for each, size in report.done.counts.class_bytes.items():
        found["STANDARD" if each in report.done.refused else each.name] += size
    return dict(found)


def cost_facts(report: RoundReport, prices: Prices) -> dict[str, Any]:
    """Return what the requests of a round cost, and the bytes in a month."""
    counts = report.done.counts
    requests = counts.puts / 1000 * prices.put_1000 + counts.gets / 1000 * prices.get_1000
    return {
        "prices": prices.name,
        "currency": prices.currency,
        "puts": counts.puts,
        "gets": counts.gets,
        "copy": requests + counts.bytes / _GIB * prices.out_gib,
        "month": sum(
            size / _GIB * prices.month_of(name) for name, size in class_facts(report).items()
        ),
    }


def print_round(report: RoundReport, prices: Prices, *, now_ms: int) -> None:
    """Say what a round has done."""
    done, counts = report.done, report.done.counts
    verb = "would copy" if report.is_trial else "copied"
    seconds = max(done.ended_ms - done.as_of_ms, 1) / _MS
    what = (
        f"{verb} {plural(counts.objects + done.meta_objects, 'object')}, {size_text(counts.bytes)}"
    )
    if counts.bytes and not report.is_trial:
        what += f" in {seconds:.1f} s ({size_text(counts.bytes / seconds)}/s)"
    kept = f"{count_text(counts.kept_objects)} ({size_text(counts.kept_bytes)}) were there already"
    print(f"{what}; {kept}, of {plural(len(done.partitions), 'partition')}")
    for problem in _problems(report)[:PROBLEMS_SHOWN]:
        print(problem)
    more = len(_problems(report)) - PROBLEMS_SHOWN
    if more > 0:
        print(f"    and {more:,} more; -o json has them")
    if counts.objects:
        print(_cost_text(cost_facts(report, prices)))
    print(_classes_text(report), end="")
    if report.verified:
        print(_verified_text(report))
    print(_state_text(report, now_ms=now_ms))


def _problems(report: RoundReport) -> list[str]:
    ours = [f"{each.key}: {each.reason}" for each in report.done.problems.values()]
    read = [
        f"{each.key.text} in the copy: {each.reason}; remove it there, and copy again"
        for each in report.unsound
    ]
    return ours + read


def _cost_text(cost: dict[str, Any]) -> str:
    copied, month = money_text(cost["copy"]), money_text(cost["month"])
    requests = f"{plural(cost['puts'], 'PUT')} and {plural(cost['gets'], 'GET')}"
    return (
        f"Cost     {copied} {cost['currency']} for {requests}, the copy {month} "
        f"{cost['currency']} a month ({cost['prices']})"
    )


def _classes_text(report: RoundReport) -> str:
    """Say what the copy is stored as, where that is not simply the default."""
    found, refused = class_facts(report), sorted(each.name for each in report.done.refused)
    if not refused and found.keys() <= {"STANDARD"}:
        return ""
    sizes = ", ".join(f"{name} {size_text(size)}" for name, size in sorted(found.items()))
    text = f"Classes  {sizes}\n"
    if refused:
        text += f"The copy's store does not have {', '.join(refused)}: that is STANDARD there.\n"
    return text


def _verified_text(report: RoundReport) -> str:
    objects = sum(each.objects for each in report.verified)
    size = sum(each.named.bytes for each in report.verified)
    read = f"{plural(objects, 'object')}, {size_text(size)}"
    if report.unsound_count:
        return f"Verified {plural(report.unsound_count, 'problem')} in {read}"
    but = ", but for those above" if report.has_problems else ""
    return f"Verified {read}: all read back and sound{but}"


def _state_text(report: RoundReport, *, now_ms: int) -> str:
    if report.is_trial:
        return "Nothing changed (dry run). Repeat without --dry-run."
    lag = report.lag_ms(now_ms)
    if lag is None or report.done.problem_count:
        since = "" if lag is None else f"; it was whole {lag / _MS:,.1f} s ago"
        return f"{plural(report.done.problem_count, 'problem')}: the copy is not whole{since}"
    assert report.whole_as_of_ms is not None
    state = f"The copy has all that was archived at {instant_text(report.whole_as_of_ms)} UTC"
    if report.follow_seconds is None:
        return f"{state}. Again, and only what is new comes."
    return f"{state}: lag {lag / _MS:,.1f} s; next round in {report.follow_seconds} s"


# ---- pruning


def prune_facts(found: "Sequence[PartitionSurplus]", *, is_real: bool) -> dict[str, Any]:
    """Return what may go, or has gone, as facts for scripts."""
    return {
        "dry_run": not is_real,
        "partition_list": [
            {
                "topic_id": id_text(each.path.topic_id),
                "partition": each.path.partition,
                "kept_because": each.kept_because,
                "young": each.young,
                "object_list": [
                    {"key": one.key, "bytes": one.size, "reason": one.reason}
                    for one in each.objects
                ],
            }
            for each in found
        ],
    }


def print_prune(found: "Sequence[PartitionSurplus]", *, is_real: bool) -> None:
    """Say what may go, or has gone, and why."""
    objects = [one for each in found for one in each.objects]
    for each in found:
        if each.kept_because is not None:
            print(f"{id_text(each.path.topic_id)}/{each.path.partition} stays: {each.kept_because}")
    if objects:
        show(
            Table(
                [Column("SIZE", is_number=True), Column("OBJECT"), Column("WHY", is_prose=True)],
                [[size_text(one.size), one.key, one.reason] for one in objects[:SURPLUS_SHOWN]],
            )
        )
    if len(objects) > SURPLUS_SHOWN:
        print(f"and {len(objects) - SURPLUS_SHOWN:,} more; -o json has them")
    young = sum(each.young for each in found)
    if young:
        print(f"{plural(young, 'object')} will follow: younger than --grace")
    what = f"{plural(len(objects), 'object')}, {size_text(sum(one.size for one in objects))}"
    if is_real:
        print(f"removed {what}")
    elif objects:
        print(f"would remove {what}\nNothing changed (dry run). Repeat with --yes.")
    else:
        print("nothing to remove")
