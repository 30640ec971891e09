"""Whatever retailers, owner and doors do in whatever order: openings and withdrawals stay within the allowance."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.events import FactsChanged
from gateway.protocol.hash_chain import find_break
from gateway.storage.models import CommitResult
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import IN_WINDOW, entrance_state, make_step, open_store, receive, reserve_step
from tests.gateway.domain.delivery.shop import make_cancel, make_home, make_offer, make_update

NAMES = ("d1", "d2")
ACTIONS = ["offer", "update", "cancel", "look", "reserve", "reserve", "spend", "give back", "not sent"]
ACTIONS += ["revoke", "permit", "stop", "lift", "reopen"]
SCRIPT = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(NAMES)), min_size=5, max_size=40)


class House:
    """A door that commits intents on facts that it looked up some time ago, and the truth kept beside the store."""

    def __init__(self, openings: int) -> None:
        self.openings = openings
        self.version = 1
        self.looked: dict[str, object] = {}
        self.intents: dict[str, list[str]] = {name: [] for name in NAMES}  # in the order of their commit
        self.settled: dict[str, str] = {}  # visit -> how its reservation ended first
        self.cancelled: set[str] = set()
        self.revoked = self.stopped = False
        self.epoch = 0
        self.looked_epoch = 0

    def used(self, name: str) -> tuple[int, int]:
        ends = [self.settled.get(visit, "reserved") for visit in self.intents[name]]
        return sum(e in {"reserved", "spend"} for e in ends), sum(e != "not sent" for e in ends)

    async def act(self, store: Store, action: str, name: str) -> None:
        self.version += 1
        unique = {"parcels": (f"parcel-{name}",), "courier_sha256": None, "entrance": "garage"}
        match action:
            case "offer":
                await receive(store, make_offer(id=name, version=self.version, **unique))
            case "update":
                answer = await receive(store, make_update(id=name, version=self.version, **unique))
                assert not (answer.result.accepted and self.used(name)[1])
            case "cancel":
                answer = await receive(store, make_cancel(id=name, version=self.version))
                if answer.result.accepted:
                    assert self.used(name)[1] == 0, "a cancel after a reservation was taken"
                    self.cancelled.add(name)
            case "look":
                self.looked[name] = store.deliveries.facts(f"shop.{name}", IN_WINDOW)
                self.looked_epoch = self.epoch
            case "reserve":
                await self.reserve(store, name)
            case "spend" | "give back" | "not sent":
                await self.settle(store, action, name)
            case "revoke":
                await store.brands.decide("shop", PermissionStatus.REVOKED, IN_WINDOW)
                self.revoked = True
            case "permit":
                await store.brands.decide("shop", PermissionStatus.GRANTED, IN_WINDOW)
                self.revoked = False
            case "stop" | "lift":
                self.epoch = await store.entrances.set_stop("garage", IN_WINDOW, on=action == "stop")
                self.stopped = action == "stop"
            case _:
                raise AssertionError(action)

    async def reserve(self, store: Store, name: str) -> None:
        """On facts as old as they are: the store must find out."""
        under = self.looked.get(name) or store.deliveries.facts(f"shop.{name}", IN_WINDOW)
        if under is None:
            return
        visit = f"{name}-{len(self.intents[name])}-{self.version}"
        outcome = await store.commit(reserve_step(under, visit=visit, epoch=self.looked_epoch))  # type: ignore[arg-type]  # kept as object
        if isinstance(outcome, CommitResult):
            assert name not in self.cancelled, "an intent after a cancel"
            assert not self.revoked, "an intent after a revocation"
            assert not self.stopped, "an intent after a stop"
            self.intents[name].append(visit)
        else:
            assert isinstance(outcome, FactsChanged)
            self.looked[name] = outcome.delivery
            self.looked_epoch = outcome.epoch

    async def settle(self, store: Store, how: str, name: str) -> None:
        """The newest intent ends, or (said twice, or late) ends again."""
        if not self.intents[name]:
            return
        visit = self.intents[name][-1]
        command: c.Command = c.ConsumeOpening(visit=visit, delivery=f"shop.{name}")
        if how != "spend":
            command = c.ReleaseOpening(visit=visit, delivery=f"shop.{name}", withdrawal=how == "not sent")
        await store.commit(make_step(entrance_state(), command))
        self.settled.setdefault(visit, how)

    def agree(self, store: Store) -> None:
        for name in NAMES:
            used, withdrawn = self.used(name)
            assert used <= self.openings, "more openings than allowed"
            assert withdrawn <= 2 * self.openings, "more withdrawals than allowed"
            facts = store.deliveries.facts(f"shop.{name}", IN_WINDOW)
            if facts is not None:
                assert (facts.openings_left, facts.withdrawals_left) == (
                    self.openings - used,
                    2 * self.openings - withdrawn,
                )
                assert (facts.refusal is Refusal.CANCELLED) is (name in self.cancelled)


async def play(script: list[tuple[str, str]], openings: int, folder: Path) -> None:
    house = House(openings)
    done = iter(script)
    running = True
    while running:
        running = False
        async with open_store(folder, make_home(shop={"openings": openings})) as store:
            house.agree(store)
            for action, name in done:
                if action == "reopen":
                    running = True
                    break
                await house.act(store, action, name)
                house.agree(store)
            assert find_break(store.log.entries()) is None


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(SCRIPT, st.integers(1, 2))
def test_openings_and_withdrawals_stay_within_what_is_allowed(script: list[tuple[str, str]], openings: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(script, openings, Path(folder)))
