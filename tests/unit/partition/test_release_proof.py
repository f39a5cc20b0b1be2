"""Before local records go somebody looks whether the archive is still this broker's."""

import asyncio

import pytest

from everlog.model.errors import EverlogError
from everlog.stores.errors import StoreUnavailableError
from service.partition.archive_home import StoreLostError
from service.partition.release_proof import ROUND_SECONDS, ReleaseProof, release_proof
from tests.simulation.clock import ManualClock


class Asked:
    """Whoever answers a look: with an error, late, or not at all."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.looks = 0
        self.is_known = True
        self.error: EverlogError | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.proof = ReleaseProof(
            is_known=lambda: self.is_known,
            confirm=self.confirm,
            clock=self.clock,
            wait_seconds=0.01,
        )

    async def confirm(self) -> None:
        self.looks += 1
        await self.answers.wait()
        if self.error is not None:
            self.is_known = not isinstance(self.error, StoreLostError)
            raise self.error


async def test_one_look_is_enough_for_all_that_goes_within_a_round() -> None:
    asked = Asked()
    asked.answers.clear()
    asking = asyncio.gather(*(asked.proof.renew() for _ in range(3)))
    await asyncio.sleep(0)
    asked.answers.set()
    assert await asking == [True, True, True]
    asked.clock.advance(int(ROUND_SECONDS * 1000) - 1)
    assert await asked.proof.renew()
    assert asked.looks == 1
    asked.clock.advance(1)
    assert await asked.proof.renew()
    assert asked.looks == 2


@pytest.mark.rule("TIER-56")
async def test_a_restore_that_took_the_store_ends_it() -> None:
    asked = Asked()
    asked.error = StoreLostError("taken")
    assert asked.proof.holds
    assert not await asked.proof.renew()
    assert not asked.proof.holds
    assert not await asked.proof.renew()
    assert asked.looks == 1


@pytest.mark.rule("TIER-35")
async def test_the_last_look_counts_while_the_store_fails_or_does_not_answer() -> None:
    asked = Asked()
    asked.error = StoreUnavailableError("list", "-", "down")
    assert await asked.proof.renew()
    asked.clock.advance(int(ROUND_SECONDS * 1000))
    asked.answers.clear()
    assert await asked.proof.renew()
    assert await asked.proof.renew()  # nobody waits again so soon
    assert asked.looks == 2


async def test_a_store_that_has_not_proved_to_be_ours_is_not_asked_here() -> None:
    asked = Asked()
    asked.is_known = False
    assert not await asked.proof.renew()
    assert asked.looks == 0


async def test_a_store_in_this_process_needs_no_proof() -> None:
    assert await release_proof(None, clock=ManualClock()).renew()
