from service.partition.first_looks import FirstLooks


def test_so_many_may_look_until_the_next_look_at_all_partitions() -> None:
    looks = FirstLooks(looks_per_check_max=2)
    assert [looks.take() for _ in range(4)] == [True, True, False, False]
    looks.renew()
    assert [looks.take() for _ in range(3)] == [True, True, False]
