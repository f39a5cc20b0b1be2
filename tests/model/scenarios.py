"""Worlds that are searched with the real rules."""

from collections.abc import Mapping
from dataclasses import replace

from everlog.model.ids import NodeId
from tests.model.bounds import Bounds

FIRST, SECOND = NodeId(0), NodeId(1)
POWER, DISK = frozenset({"power"}), frozenset({"disk"})

OF_TWO = Bounds(
    replicas=(FIRST, SECOND),
    isr=(FIRST, SECOND),
    log=1,
    records=1,
    terms=1,
    versions=3,
    crashes=1,
)
OF_THREE = Bounds(log=1, records=1, terms=1, versions=2, crashes=1)

SMALL: Mapping[str, Bounds] = {
    "two replicas, whose power is cut": replace(OF_TWO, log=2, records=2, terms=2, loses=POWER),
    "two replicas, whose logs part": replace(OF_TWO, log=2, records=3, answers=True),
    "two replicas that lead in turn": replace(
        OF_TWO, log=2, records=2, terms=2, crashes=2, leader=SECOND
    ),
    "two replicas, which sync everything": replace(
        OF_TWO, log=2, records=2, terms=2, loses=POWER | DISK, is_flushed=True
    ),
    "two replicas of a topic that is made anew": replace(OF_TWO, records=2, topics=1, loses=POWER),
    "two replicas, and a minimum that changes": replace(
        OF_TWO, terms=2, loses=POWER | DISK, isr_min=2, settings=2
    ),
    "two replicas, and a late fetch": replace(OF_TWO, terms=2, loses=POWER, delays=1),
    "two replicas, one of which drains": replace(OF_TWO, terms=2, isr_min=2, settings=1, drains=1),
    "three replicas, which lose their disks": replace(OF_THREE, loses=DISK),
    "three replicas that lead in turn": replace(
        OF_THREE, terms=2, crashes=2, leader=SECOND, waits=False
    ),
}

_DEEP = replace(OF_THREE, log=2, records=2, terms=2, versions=4, crashes=2)

LARGE: Mapping[str, Bounds] = {
    "two replicas": replace(
        OF_TWO, log=3, records=3, terms=3, versions=5, crashes=2, loses=POWER | DISK
    ),
    "two replicas, whose leaders are told": replace(
        OF_TWO, log=2, records=3, terms=2, versions=4, crashes=2, loses=POWER, answers=True
    ),
    "two replicas, which sync everything": replace(
        OF_TWO, log=2, records=2, terms=2, versions=4, crashes=2, loses=POWER, is_flushed=True
    ),
    "two replicas, and late fetches": replace(
        OF_TWO, log=2, records=2, terms=2, crashes=2, loses=POWER, delays=2
    ),
    "three replicas": replace(_DEEP, loses=POWER | DISK),
    "three replicas that lead in turn": replace(_DEEP, terms=3, leader=SECOND, waits=False),
    "three replicas, two of which drain": replace(_DEEP, terms=3, crashes=1, drains=2),
    "three replicas, and a minimum that changes": replace(
        OF_THREE, versions=3, loses=POWER, isr_min=2, settings=2
    ),
    "three replicas of a topic that is made anew": replace(OF_THREE, records=2, topics=1),
}
"""Some have more states than anybody waits for: those are searched as far as is asked."""
