"""Everything that holds records is read once, in ranges, and nothing else."""

from typing import Any

from bench.buckets.ranges import ObjectRange, cut, segment_ranges, total_bytes


class ListedBucket:
    """As much of boto3's client as lists a bucket."""

    def __init__(self, *pages: dict[str, int]) -> None:
        self._pages = pages

    def get_paginator(self, operation: str) -> "ListedBucket":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's own
        assert Bucket == "bucket"
        return [
            {"Contents": [{"Key": key, "Size": size} for key, size in page.items()]}
            for page in self._pages
        ] + [{}]


def test_an_object_is_cut_without_gap_or_overlap() -> None:
    assert list(cut("a", 10, 4)) == [
        ObjectRange("a", 0, 4),
        ObjectRange("a", 4, 4),
        ObjectRange("a", 8, 2),
    ]


def test_an_object_of_whole_ranges_has_no_empty_one() -> None:
    assert [each.length for each in cut("a", 8, 4)] == [4, 4]


def test_only_segment_objects_are_read_in_the_order_of_their_names() -> None:
    client = ListedBucket({"t/seg/2": 5, "t/root/1": 9}, {"t/seg/1": 3, "meta/cluster.json": 1})
    ranges = segment_ranges(client, "bucket", 4)
    assert ranges == [
        ObjectRange("t/seg/1", 0, 3),
        ObjectRange("t/seg/2", 0, 4),
        ObjectRange("t/seg/2", 4, 1),
    ]
    assert total_bytes(ranges) == 8
