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


def test_files_that_are_pinned_do_not_count_as_idle_and_are_closed_when_they_are() -> None:
    disk = SimDisk()
    disk.make_dirs("/log")
    descriptors = Descriptors(disk, open_max=2)
    files = []
    for name in "abcde":
        descriptors.create(f"/log/{name}")
        files.append(descriptors.pin(f"/log/{name}"))
    assert all(each._is_open for each in files)
    for each in files:
        descriptors.unpin(each)
    assert [each._is_open for each in files] == [False, False, False, True, True]
    assert descriptors.get("/log/d") is files[3]
    descriptors.get("/log/a")
    assert [each._is_open for each in files] == [False, False, False, True, False]
    descriptors.close()
    assert not any(each._is_open for each in files)
