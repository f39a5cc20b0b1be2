"""The scrubber of a broker reads objects in the transfer process, and finds what was damaged."""

from pathlib import Path

from service.tiering.object_verification import Fault
from tests.unit.tiering.archives import SMALL
from tests.unit.tiering.site import HastyClock, metadata_tree, site

DAY_MS = 86_400_000
SETTINGS = {
    "archive.scrub.bytes.per.day": str(10**15),
    "archive.scrub.round.ms": str(DAY_MS),
}


async def test_every_object_is_read_over_there_and_damage_is_found(tmp_path: Path) -> None:
    clock = HastyClock()
    async with (
        metadata_tree() as metadata,
        site(tmp_path / "data", metadata, settings=SETTINGS, clock=clock) as place,
    ):
        partition = await place.open(SMALL)
        await place.append(partition, batches=60, batch_bytes=1024)
        await place.tiered_to(partition, partition.hot.active.base_offset)
        objects = sorted((tmp_path / "data/store").rglob("*.seg"))
        change_a_byte(objects[1])
        scrubber = place.cold.scrubbing.scrubber
        for _ in range(20):
            clock.now_ms += DAY_MS // 20
            await scrubber.catch_up()
        ((problem),) = scrubber.problems.values()
        assert (problem.key.text[-40:], problem.fault) == (str(objects[1])[-40:], Fault.DAMAGED)
        assert scrubber.stats.objects == len(objects) + 1, "the bad one was looked at twice"
        assert scrubber.stats.read_objects == len(objects) + 1


def change_a_byte(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[5000] ^= 1
    path.write_bytes(body)
