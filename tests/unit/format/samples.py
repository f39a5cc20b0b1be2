"""Things that many tests of the format need: a partition, uids, entries, and a place for pages."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any

import hypothesis
from hypothesis import strategies as st

from everlog.format.entries import Entry
from everlog.format.manifest import successor
from everlog.format.object_keys import PartitionPath, Stamp, Uid
from everlog.format.page import NewPage, Page, decode_page
from everlog.format.page_refs import PageId
from everlog.format.root import Root
from everlog.format.root_codec import encode_root
from everlog.model.ids import TopicId
from everlog.model.object_lock import ObjectLock
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from tests.examples import TIMES

PATH = PartitionPath(
    cluster_id="Ab_-9cluster-id-22char", topic_id=TopicId(bytes(range(16))), partition=7
)
NOW_MS = 1_760_000_000_000
GRACE_MS = 3_600_000


def uid(number: int) -> Uid:
    """Sixteen bytes that look random and are those of ``number``."""
    return Uid(sha256(b"%d" % number).digest()[:16])


def uids(start: int = 1_000_000) -> Iterator[Uid]:
    return (uid(number) for number in count(start))


def stamp(ver: int, *, epoch: int = 3, claim: int = 5) -> Stamp:
    return Stamp(LeaderEpoch(epoch), claim, ver)


def entry(
    base: int,
    end: int,
    *,
    number: int | None = None,
    max_timestamp: int = NOW_MS,
    data_bytes: int = 1000,
    aborted: bool = False,
    created_ms: int = NOW_MS,
    ver: int = 0,
    lock: ObjectLock | None = None,
) -> Entry:
    return Entry(
        offsets=OffsetRange(Offset(base), Offset(end)),
        max_timestamp=max_timestamp,
        size_bytes=data_bytes + 100,
        data_bytes=data_bytes,
        records=end - base,
        stamp=stamp(ver),
        uid=uid(base if number is None else number),
        crc32c=base & 0xFFFFFFFF,
        aborted=aborted,
        created_ms=created_ms,
        lock=lock,
    )


def entries(seed: int, lengths: list[int], *, base: int = 0) -> list[Entry]:
    """Entries one after the other, with times that go back and forth."""
    random = Random(seed)
    made = []
    for length in lengths:
        made.append(
            entry(
                base,
                base + length,
                max_timestamp=NOW_MS + random.randrange(-1_000_000, 1_000_000),
                data_bytes=random.randrange(1, 1 << 26),
                aborted=random.random() < 0.1,
            )
        )
        base += length
    return made


def next_root(root: Root, number: int) -> Root:
    """What the commit after ``root`` starts from."""
    ver = root.stamp.ver + 1
    return successor(
        root,
        encode_root(root).ref,
        uid=uid(2_000_000 + number),
        stamp=stamp(ver),
        created_ms=NOW_MS,
        not_before_ms=NOW_MS + GRACE_MS,
    )


class Pages:
    """The pages of a store; loading one decodes it from its bytes."""

    def __init__(self, path: PartitionPath = PATH) -> None:
        self.path = path
        self.bodies: dict[PageId, bytes] = {}
        self.loads = 0

    def put(self, pages: tuple[NewPage, ...]) -> None:
        for page in pages:
            self.bodies[page.ref.page] = page.body

    def load(self, page: PageId) -> Page:
        self.loads += 1
        return decode_page(self.bodies[page], page, path=self.path)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are not ``data``: cut off, longer, or with one bit or one run changed."""
    cut = st.integers(0, len(data) - 1).map(lambda size: data[:size])
    longer = st.binary(min_size=1, max_size=9).map(lambda more: data + more)
    flipped = st.integers(0, len(data) * 8 - 1).map(lambda bit: _flipped(data, bit))
    changed = st.builds(
        lambda at, run: data[:at] + run + data[at + len(run) :],
        st.integers(0, len(data) - 1),
        st.binary(min_size=1, max_size=40),
    )
    return st.one_of(cut, longer, flipped, changed).filter(lambda other: other != data)


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def given(
    *strategies: st.SearchStrategy[Any], examples: int = 60
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hypothesis's ``given`` without its deadline: on a busy machine a duration says nothing."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        relaxed = hypothesis.settings(deadline=None, max_examples=examples * TIMES)
        return relaxed(hypothesis.given(*strategies)(test))

    return decorate
