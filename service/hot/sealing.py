"""What is written beside a segment that will not grow any more."""

from service.hot.layout import LEADER_EPOCHS
from service.hot.leader_epochs import LeaderEpochs, encode_epochs
from service.hot.producer_state import ProducerStates
from service.hot.segment import Segment
from service.hot.sparse_index import encode_index
from service.hot.writes import Seal
from service.model.disk import File


def seal_of(segment: Segment, file: File, epochs: LeaderEpochs, producers: ProducerStates) -> Seal:
    """Encode all of it as it is now, at the end of the segment."""
    assert segment.index is not None, "an empty segment is not sealed"
    successor = Segment(segment.directory, segment.next_offset)
    return Seal(
        segment=segment,
        file=file,
        index=encode_index(segment.index, segment.summary()),
        epochs=encode_epochs(epochs),
        epochs_path=f"{segment.directory}/{LEADER_EPOCHS}",
        producers=producers.encode(successor.base_offset),
        producers_path=successor.producers_path,
    )
