"""Lives of a home that takes guests: stays, passes, couriers and hands at the door, at random; then all is well again.

They are lives of their own, beside those of `life.py`, so that neither changes what the other sees.
"""

import random
from collections import Counter
from collections.abc import Callable

from gateway.domain.delivery.candidate import Errand
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import events as e
from tests.house import life
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.rules import rules_with
from tests.house.story import announce_delivery

GUEST = Errand(is_filmed=False, rings=False, has_parcels=False, for_household=True)
Act = Callable[[], object]


class GuestLife:
    """One life: a host, guests with a pass, couriers, and all that can break."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.rng = rng = random.Random(f"guests {seed}")
        rules = rules_with(
            cameras=CAMERAS, guarded=rng.random() < 0.6, by_hand=5.0, command_hold=120.0, watch=60.0,
            presence=("claire",) if rng.random() < 0.2 else (),
        )  # fmt: skip
        self.house = house = SimulatedHome(seed, rules, tell)
        house.mean = rng.choice((0.0, 0.3))
        self.is_calm = rng.random() < 0.4
        self.guest = self._pass("g0")
        self.parcel = announce_delivery(house, "d0")
        house.run(5)

    def _pass(self, ident: str) -> SimulatedDelivery:
        allowance = self.rng.choice((1, 2, 50))
        return announce_delivery(
            self.house, ident, 7200, errand=GUEST, brand="guest", allowance=allowance, label=f"{ident}-qr"
        )

    # ---- what people do ---------------------------------------------------------------------------------------------

    def guest_comes(self) -> None:
        """A guest holds the code up, and goes in if the door lets him."""
        self.house.scan(min(self.guest.parcels))
        self.house.run(self.rng.choice((0.5, 2.0, 6.0)))
        if self.rng.random() < 0.7 and self.house.open():
            self.house.run(self.rng.choice((1.0, 5.0)))
            self.house.close()

    def courier_comes(self) -> None:
        """A courier scans, waits out the bell, and goes in if he may."""
        self.parcel = announce_delivery(self.house, f"d{self.house.scans}")
        self.house.scan(min(self.parcel.parcels))
        self.house.run(self.rng.choice((5.0, 21.0, 22.0)))
        if self.rng.random() < 0.7 and self.house.open():
            self.house.run(self.rng.choice((1.0, 5.0, 30.0)))
            self.house.close()

    def stay_begins(self) -> None:
        """A stay is planned for now or soon."""
        start = self.rng.choice((0.0, 0.0, 3.0, 19.0, 25.0, 40.0))
        self.house.stay(start, start + self.rng.choice((20.0, 120.0, 900.0)), admits=self.rng.random() < 0.3)

    def pass_changes(self) -> None:
        """The host ends the pass, or grants another one."""
        if self.rng.random() < 0.5:
            self.guest.refusal = Refusal.REVOKED
            self.guest.version += 1
            facts = e.FactsChanged(delivery=self.guest.facts(), stopped=self.house.stopped, epoch=self.house.epoch)
            self.house.feed(facts)
        else:
            self.guest = self._pass(f"g{self.house.scans}")

    def acts(self) -> list[tuple[int, Act]]:
        """What may happen next, each with its weight."""
        house, rng, parcel = self.house, self.rng, self.parcel
        calm: list[tuple[int, Act]] = [
            (10, self.guest_comes),
            (6, self.courier_comes),
            (5, self.stay_begins),
            (3, house.end_stays),
            (2, self.pass_changes),
            (6, house.open),
            (6, house.close),
            (4, lambda: house.by_hand(unlock=True)),
            (4, lambda: house.by_hand(unlock=False)),
            (2, lambda: life.break_in(house, rng, parcel)),
            (1, lambda: house.stop(stopped=not house.stopped)),
            (1, lambda: house.pause(0.0, 30.0)),
            (1, house.lock_now),
            (2, lambda: life.owner_acts(house, rng, parcel)),
            (1, lambda: house.feed(e.HouseholdAnswered())),
            (1, lambda: house.feed(e.HomeChanged(somebody_home=rng.random() < 0.3, away=rng.random() < 0.3))),
        ]
        wild: list[tuple[int, Act]] = [
            (2, house.broker_down),
            (4, house.broker_up),
            (2, lambda: life.crash_soon(house, rng, parcel)),
            (2, house.kill),
            (6, lambda: life.fault(house, rng, parcel)),
            (1, lambda: life.lose_device(house, rng, parcel)),
        ]
        return calm if self.is_calm else [*calm, *wild]

    def step(self, number: int) -> None:
        """One thing happens, and a while passes."""
        if number % 12 == 0 and self.rng.random() < 0.8:
            self.house.stop(stopped=False)
            self.house.end_pauses()
            self.house.feed(e.HomeChanged(somebody_home=False, away=False))
        acts = self.acts()
        self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        self.house.run(self.rng.choice(life.PAUSES))


def run_life(seed: int, tell: Callable[[str], None] | None = None, steps: int = 60) -> Counter[str]:
    """One life; what was seen in it.

    Raises:
        AssertionError: an invariant does not hold.
    """
    guests = GuestLife(seed, tell)
    for number in range(steps):
        guests.step(number)
    house = guests.house
    house.end_stays()
    life.heal(house)
    return house.oracle.seen
