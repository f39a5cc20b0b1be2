import numpy as np

from service.protocol.frame_memory import FrameMemory

SIZE = 1000
CAPACITY = 1024


def address(view: memoryview) -> int:
    return int(np.frombuffer(view, np.uint8).ctypes.data)


def test_memory_is_lent_again_when_no_view_of_it_is_left() -> None:
    memory = FrameMemory()
    frame = memory.take(SIZE)
    first = address(frame)
    records = frame[100:200][10:]
    del frame
    assert address(memory.take(SIZE)) != first, "a slice of a slice is still looked at"
    del records
    assert address(memory.take(SIZE)) == first


def test_what_is_lent_has_the_size_that_was_asked_for_and_can_be_written() -> None:
    memory = FrameMemory()
    memory.take(SIZE)[:] = b"x" * SIZE
    again = memory.take(SIZE - 1)
    again[-1] = 0
    assert bytes(again) == b"x" * (SIZE - 2) + b"\0"


def test_memory_beyond_the_limit_is_not_kept() -> None:
    memory = FrameMemory(bytes_max=2 * CAPACITY)
    lent = [memory.take(SIZE) for _ in range(5)]
    assert len({address(each) for each in lent}) == 5
    assert memory.kept_bytes == 2 * CAPACITY
    assert len(memory.take(100 * CAPACITY)) == 100 * CAPACITY
    assert memory.kept_bytes == 2 * CAPACITY


def test_free_buffers_that_are_too_small_make_room() -> None:
    memory = FrameMemory(bytes_max=4 * CAPACITY)
    lent = [memory.take(SIZE) for _ in range(4)]
    del lent[2:]
    large = memory.take(2 * SIZE)
    assert memory.kept_bytes == 4 * CAPACITY
    place = address(large)
    del large
    assert address(memory.take(2 * SIZE)) == place
