from service.hot.descriptors import Descriptors
from tests.simulation.disk import SimDisk


def test_a_forgotten_file_stays_open_for_those_who_have_pinned_it() -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    descriptors = Descriptors(disk)
    descriptors.create("/log/a").write_at(0, [b"old"])
    old = descriptors.pin("/log/a")
    assert descriptors.pin("/log/a") is old
    disk.open("/log/b", create=True).write_at(0, [b"new"])
    disk.rename("/log/b", "/log/a")
    descriptors.forget("/log/a")
    new = descriptors.pin("/log/a")
    assert (old.read_at(0, 3), new.read_at(0, 3)) == (b"old", b"new")
    descriptors.unpin(old)
    assert old._is_open
    descriptors.unpin(old)
    assert not old._is_open
    descriptors.unpin(new)
    assert new._is_open
