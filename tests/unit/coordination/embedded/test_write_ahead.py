"""The two files through crashes, damage and a full disk."""

import pytest

from everlog.model.errors import CorruptionError
from service.coordination.embedded.tree import Tree
from service.coordination.embedded.write_ahead import LogFullError, WriteAhead
from service.coordination.metadata_store import Create, Op, Set
from tests.unit.coordination.memory_disk import MemoryDisk, all_of_it, nothing_more

LOG = "/m/log"
SNAPSHOT = "/m/snapshot"


def _open(disk: MemoryDisk, log_bytes_min: int = 1 << 20) -> tuple[WriteAhead, Tree]:
    log = WriteAhead(disk=disk, directory="/m", log_bytes_min=log_bytes_min)
    return log, log.load()


def _commit(log: WriteAhead, tree: Tree, *ops: Op) -> None:
    log.append([tree.apply(ops, session=0).transaction])


def _filled(disk: MemoryDisk) -> tuple[WriteAhead, Tree]:
    log, tree = _open(disk)
    _commit(log, tree, Create("/a", b"zero"))
    _commit(log, tree, Set("/a", b"one", 0))
    return log, tree


def test_an_empty_directory_holds_an_empty_tree() -> None:
    _, tree = _open(MemoryDisk())
    assert (tree.zxid, tree.children("/")) == (0, [])


def test_an_append_is_durable_on_return() -> None:
    disk = MemoryDisk()
    _, tree = _filled(disk)
    log, loaded = _open(disk.after_crash(nothing_more))
    assert loaded.snapshot() == tree.snapshot()
    assert log.torn_bytes == 0


def test_a_torn_tail_is_cut_and_what_follows_is_written_in_its_place() -> None:
    disk = MemoryDisk()
    _filled(disk)
    whole = disk.content(LOG)
    torn = MemoryDisk({LOG: whole + whole[:50]})
    log, tree = _open(torn)
    assert log.torn_bytes == 50
    assert torn.after_crash(nothing_more).content(LOG) == whole
    assert tree.get("/a").data == b"one"
    cut = MemoryDisk({LOG: whole[:-1]})
    log, tree = _open(cut)
    assert tree.get("/a").data == b"zero"
    _commit(log, tree, Set("/a", b"other", 0))
    assert _open(cut.after_crash(nothing_more))[1].get("/a").data == b"other"


def test_a_transaction_that_reached_the_disk_unasked_counts_and_is_synced() -> None:
    disk = MemoryDisk()
    log, tree = _open(disk)
    disk.steps_left = 1
    with pytest.raises(Exception, match="sync"):
        _commit(log, tree, Create("/a"))
    written = disk.after_crash(all_of_it)
    _open(written)
    assert _open(written.after_crash(nothing_more))[1].find("/a") is not None


def test_damage_in_the_middle_stops_the_start_and_changes_nothing() -> None:
    disk = MemoryDisk()
    _filled(disk)
    damaged = bytearray(disk.content(LOG))
    damaged[20] ^= 1
    disk = MemoryDisk({LOG: bytes(damaged)})
    with pytest.raises(CorruptionError, match=r"/m/log: damaged.*No file was changed"):
        _open(disk)
    assert disk.content(LOG) == bytes(damaged)


def test_a_damaged_snapshot_stops_the_start() -> None:
    disk = MemoryDisk()
    log, tree = _filled(disk)
    log.write_snapshot(tree.snapshot())
    damaged = bytearray(disk.content(SNAPSHOT))
    damaged[-1] ^= 1
    with pytest.raises(CorruptionError, match="/m/snapshot"):
        _open(MemoryDisk({SNAPSHOT: bytes(damaged), LOG: disk.content(LOG)}))


def test_a_log_without_its_snapshot_stops_the_start() -> None:
    disk = MemoryDisk()
    log, tree = _filled(disk)
    log.write_snapshot(tree.snapshot())
    _commit(log, tree, Set("/a", b"two", 1))
    with pytest.raises(CorruptionError, match="goes on with transaction 3"):
        _open(MemoryDisk({LOG: disk.content(LOG)}))


def test_a_log_that_does_not_fit_its_snapshot_stops_the_start() -> None:
    disk, other = MemoryDisk(), MemoryDisk()
    _filled(disk)
    log, tree = _open(other)
    _commit(log, tree, Create("/b"))
    log.write_snapshot(tree.snapshot())
    with pytest.raises(CorruptionError, match="does not fit"):
        _open(MemoryDisk({LOG: disk.content(LOG), SNAPSHOT: other.content(SNAPSHOT)}))


def test_a_snapshot_replaces_the_log() -> None:
    disk = MemoryDisk()
    log, tree = _filled(disk)
    log.write_snapshot(tree.snapshot())
    assert disk.content(LOG) == b""
    _commit(log, tree, Set("/a", b"two", 1))
    assert _open(disk.after_crash(nothing_more))[1].snapshot() == tree.snapshot()


def test_a_crash_between_snapshot_and_emptying_the_log_repeats_nothing() -> None:
    disk = MemoryDisk()
    log, tree = _filled(disk)
    disk.steps_left = 1
    with pytest.raises(Exception, match="truncate"):
        log.write_snapshot(tree.snapshot())
    left = disk.after_crash(nothing_more)
    assert left.content(LOG) != b""
    assert _open(left)[1].snapshot() == tree.snapshot()


def test_a_snapshot_is_due_once_the_log_has_outgrown_it() -> None:
    disk = MemoryDisk()
    log, tree = _open(disk, log_bytes_min=300)
    _commit(log, tree, Create("/a", b"x" * 100))
    assert not log.is_snapshot_due
    _commit(log, tree, Create("/b", b"x" * 1000))
    assert log.is_snapshot_due
    log.write_snapshot(tree.snapshot())
    _commit(log, tree, Create("/c", b"x" * 400))
    assert not log.is_snapshot_due, "the snapshot is larger than the log"
    _commit(log, tree, Create("/d", b"x" * 900))
    assert log.is_snapshot_due
    reopened, _ = _open(disk, log_bytes_min=300)
    assert reopened.is_snapshot_due


def test_a_full_disk_leaves_nothing_of_the_refused_group() -> None:
    disk = MemoryDisk()
    log, tree = _filled(disk)
    before = disk.content(LOG)
    disk.free = 50
    with pytest.raises(LogFullError):
        _commit(log, tree, Create("/b", b"x" * 200))
    assert disk.content(LOG) == before
    assert disk.after_crash(nothing_more).content(LOG) == before


def test_without_room_for_a_snapshot_the_log_goes_on() -> None:
    disk = MemoryDisk()
    log, tree = _open(disk, log_bytes_min=100)
    _commit(log, tree, Create("/a", b"x" * 200))
    disk.free = 100
    log.write_snapshot(tree.snapshot())
    assert not log.is_snapshot_due
    disk.free = 1 << 30
    _commit(log, tree, Create("/b", b"x" * 400))
    assert log.is_snapshot_due
    assert _open(disk.after_crash(nothing_more))[1].snapshot() == tree.snapshot()
