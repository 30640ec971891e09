"""Baskets in the lives of a front door: what the proof says of each item, judged by what the fridge truly did.

People, networks, crashes and faults are those of `tests/house`. The fridge is warm or cold; its thermometer reports a
change at once. What the box could not hear (no broker, no gateway) is no proof of cold.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from gateway.domain.delivery.cold_verdict import ColdVerdict
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.temperature import Limits
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import ColdChain
from gateway.domain.visit.conditions.cold_chain import Fridge
from gateway.domain.visit.state import Entrance
from gateway.protocol.cold_chain import ItemPassport, read_cold_chain
from gateway.storage.audit_log import code_digest
from tests.gateway.evidence.route.rows import CODE_KEY, RecordedLog
from tests.house import life
from tests.house.faults import Faults
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.rules import rules_with
from tests.house.story import announce_delivery

SEEDS, STEPS = range(35), 60
MAX_SECONDS = 60
LIMITS = Limits(min_c=0.0, max_c=7.0)  # cold is 4 °C, warm is 12 °C
AIR = ColdChain(fridges={"fridge": Fridge(device="cooler", silence_s=3600.0)})
SCANNER = "fridge-scanner"


class TrueFridge:
    """What physically happened, by the true time: the air, the scans, and when the box could not hear."""

    def __init__(self, house: SimulatedHome) -> None:
        self.house = house
        self.warm_at: list[float] = []  # while it is warm, each moment that is looked at
        self.deaf_at: list[float] = []
        self.stowed: defaultdict[str, list[float]] = defaultdict(list)
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self._moved, house.oracle.moved = house.oracle.moved, self._look  # type: ignore[method-assign]  # of this house alone

    def look(self) -> None:
        """Note what is true now."""
        if self.house.faults.warm:
            self.warm_at.append(self.house.t)
        if self.house.session is None:
            self.deaf_at.append(self.house.t)

    def _look(self, event: e.Event, old: Entrance, new: Entrance, commands: tuple[c.Command, ...]) -> None:
        self.look()
        if isinstance(event, e.BrokerDown | e.BrokerUp | e.Restarted):
            self.deaf_at.append(self.house.t)
        if new.visit is not None:
            self.began.setdefault(new.visit.id, self.house.t)
        for command in commands:
            if isinstance(command, c.ReportDoorResult):
                self.ended.setdefault(command.visit, self.house.t)
        self._moved(event, old, new, commands)

    def is_within(self, visit: str, moments: Sequence[float]) -> bool:
        """Whether one of these moments lies in the visit, before its first result."""
        return any(self.began[visit] <= at <= self.ended[visit] for at in moments)

    def judge(self, visit: str, item: ItemPassport, code: str) -> None:
        """Compare what the proof says of an item with the truth."""
        stowed = [at for at in self.stowed[code] if self.began[visit] <= at <= self.ended[visit]]
        if item.verdict is ColdVerdict.CONFORMANT:
            assert stowed, "conformant, and nobody scanned it at the fridge"
            assert stowed[0] - self.began[visit] <= MAX_SECONDS + 1, "conformant, and it came too late"
            assert not self.is_within(visit, self.warm_at), "conformant, and the fridge was warm"
            assert not self.is_within(visit, self.deaf_at), "conformant, and the box could not hear for a time"
        if item.verdict is ColdVerdict.NON_CONFORMANT:
            was_late = bool(stowed) and stowed[0] - self.began[visit] > MAX_SECONDS - 1
            assert was_late or self.is_within(visit, self.warm_at), "non-conformant, and nothing was wrong"


def bring_basket(house: SimulatedHome, rng: random.Random, truth: TrueFridge) -> None:
    """A courier with two items, who mostly does as he should."""
    ident = f"b{house.scans}"
    items = tuple(
        OrderItem(code=f"{ident}-item-{number}", place="fridge", limits=LIMITS, max_seconds=MAX_SECONDS)
        for number in range(2)
    )
    announce_delivery(house, ident, place="fridge", items=items)
    house.scan(f"{ident}-1")
    house.run(rng.choice((21.0, 22.0, 26.0)))
    house.open()
    house.run(rng.choice((1.0, 5.0, 5.0, 60.0)))
    for item in items:
        if rng.random() < 0.85:
            house.scan(item.code, scanner=SCANNER)
            truth.stowed[item.code].append(house.t)
        if rng.random() < 0.12:
            house.faults.warm = not house.faults.warm
            truth.look()
            life.tell_faults(house)
        if rng.random() < 0.15:
            rng.choice((life.fault, life.kill, life.broker_down, life.broker_up))(house, rng, house.promises[ident])
            truth.look()
        house.run(rng.choice((0.5, 3.0)))
        if rng.random() < 0.7:
            house.fridge_says()  # it reports by itself, too
    house.close()
    house.run(rng.choice((15.0, 40.0)))


def live(seed: int) -> Counter[str]:
    """One life; what was said of its items."""
    rng = random.Random(f"baskets {seed}")
    house = SimulatedHome(seed, rules_with(cameras=CAMERAS, conditions=(AIR,), place_scanners={SCANNER: "fridge"}))
    log, truth = RecordedLog(house), TrueFridge(house)
    house.run(5)
    weights = [weight for weight, _ in life.WILD_ACTIONS]
    for step in range(STEPS):
        if step % 4 == 0:
            house.faults = Faults()
            life.lift(house, rng, house.promises.get("d0") or announce_delivery(house))
            house.end_pauses()
            house.broker_up()
            life.tell_faults(house)
            house.run(rng.choice((3.0, 40.0)))
            bring_basket(house, rng, truth)
        else:
            act = rng.choices(life.WILD_ACTIONS, weights)[0][1]
            act(house, rng, house.promises[rng.choice(list(house.promises)[-4:])])
        truth.look()
        house.run(rng.choice(life.PAUSES))
    life.heal(house)
    seen: Counter[str] = Counter()
    codes = {
        code_digest(item.code, CODE_KEY): item.code for promise in house.promises.values() for item in promise.items
    }
    for visit, part, count in log.seals:
        account = read_cold_chain(log.rows[visit][:count]) if part == 1 else None
        for item in () if account is None else account.items:
            truth.judge(visit, item, codes[item.code])
            seen[item.verdict] += 1
    return seen


def test_of_no_item_is_more_said_than_what_the_fridge_truly_did() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        seen += live(seed)
    assert min(seen[verdict] for verdict in ColdVerdict) > 10, seen
