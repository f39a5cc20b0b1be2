"""What is written down of records, and what of those that are not as they were sent."""

from tests.cluster.recording import PAYLOAD_BYTES, Recorder, payload_of, value_of
from tests.history.anomalies import Kind
from tests.history.checker import anomalies
from tests.history.operations import DAMAGED, Partition

PARTITION = Partition("orders", 0)


def test_a_record_says_which_one_it_is() -> None:
    assert value_of(payload_of(1 << 30)) == 1 << 30
    assert len(payload_of(7)) > PAYLOAD_BYTES


def test_a_record_of_which_a_bit_is_wrong_is_none() -> None:
    payload = payload_of(12345)
    for at in range(len(payload)):
        flipped = bytearray(payload)
        flipped[at] ^= 4
        assert value_of(bytes(flipped)) == DAMAGED
    for other in (None, b"", payload[:-1], payload + b"x", b"no number."):
        assert value_of(other) == DAMAGED


def test_what_is_below_all_local_logs_was_read_from_the_store() -> None:
    recorder = Recorder(local_starts={PARTITION: 10})
    recorder.poll("reader", PARTITION, 0, [(at, payload, 0) for at, payload in enumerate([1] * 12)])
    assert (recorder.counts["read"], recorder.counts["read from the store"]) == (12, 10)


def test_damaged_records_are_an_anomaly() -> None:
    recorder = Recorder()
    recorder.poll("reader", PARTITION, 0, [(0, value_of(b"rotten"), 0)])
    assert Kind.PHANTOM in {each.kind for each in anomalies(recorder.history)}
