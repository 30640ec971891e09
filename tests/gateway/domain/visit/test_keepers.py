"""A keeper takes the key: the parcel and a keeper's code of this entrance, in any order, and nothing else opens."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import KeyedDoor, KeySafe
from gateway.domain.visit.predicates import is_keeper_accepted, keeper_refusal, may_open
from gateway.domain.visit.state import CodeKind, Holder, KeeperCode, Rules
from tests.gateway.domain.visit.closures.driven import Driven
from tests.house.promise import SimulatedDelivery

CLAIRE = KeeperCode(code="code-1", keeper="claire")
COMPANY = KeeperCode(code="code-2", keeper="oh-my-keys")
BRUNO = KeeperCode(code="code-3", keeper="bruno")  # of this house, at another entrance
WITHDRAWN = KeeperCode(code="code-4", keeper="claire", withdrawn=True)
RULES = Rules(
    closures=(KeySafe(id="safe", back_within=600.0), KeyedDoor(id="hall")),
    cameras={"outside": True},
    scanners={"s": "safe"},
    holder=Holder.KEEPER,
    keepers=frozenset({"claire", "oh-my-keys"}),
)
KEY_IN = {"safe/flap": "closed", "safe/key": "present", "hall/door": "closed"}


class Kept(Driven):
    """The safe of keepers; a keeper's code is read with the parcel that waits for it, as the store has it now."""

    def __init__(self, rules: Rules = RULES) -> None:
        super().__init__(rules, KEY_IN)
        self.parcel = self.delivery()

    def shows(self, keeper: KeeperCode, **store: object) -> None:
        """A keeper holds his code before the scanner. `store`: the delivery in the store at that time."""
        self.scans += 1
        pending = self.state.pending_scan
        waiting = pending is not None and pending.codes & self.parcel.parcels
        facts = replace(self.parcel.facts(), **store)  # type: ignore[arg-type] # `replace` checks the names
        awaiting = (e.CodeMatch(kind=CodeKind.PARCEL, delivery=facts),) if waiting else ()
        code = f"courier:{keeper.code}"
        self.feed(e.Scanned(id=f"v{self.scans}", scanner="s", code=code, keeper=keeper, awaiting=awaiting))

    def shows_token(self) -> None:
        """A courier holds his token before the scanner."""
        self.scans += 1
        match = e.CodeMatch(kind=CodeKind.COURIER, delivery=self.parcel.facts())
        self.feed(e.Scanned(id=f"v{self.scans}", scanner="s", code=self.parcel.courier, matches=(match,)))

    def scans_parcel(self) -> None:
        """The parcel's label at the scanner."""
        self.scan(self.parcel)


def ringing() -> Kept:
    house = Kept()
    house.scans_parcel()
    house.shows(CLAIRE)
    assert house.phase == "ringing"
    return house


def key_out() -> Kept:
    house = ringing()
    house.run(21)
    assert house.orders == ["open safe"]
    house.says(safe_flap="open")
    house.says(safe_key="absent")
    house.says(safe_flap="closed")
    return house


def notes(house: Driven) -> list[str]:
    return [note.what for note in house.all(c.LogNote)]


def told(house: Driven) -> list[tuple[str, str]]:
    return [(said.notification.value, said.detail) for said in house.all(c.NotifyOwner)]


# ---- who opens ------------------------------------------------------------------------------------------------------


def test_parcel_and_keeper_open_in_any_order() -> None:
    for first in ("parcel", "keeper"):
        house = Kept()
        if first == "keeper":
            house.shows(CLAIRE)
        house.scans_parcel()
        if first == "parcel":
            house.shows(CLAIRE)
        house.run(21)
        assert house.orders == ["open safe"], first
        assert house.state.visit is not None
        assert house.state.visit.holder == "claire"


@pytest.mark.parametrize(
    ("shown", "refusals"),
    [
        ((), ["keeper_not_proven"]),
        (("token",), ["keeper_not_proven", "keeper_not_proven"]),
        ((BRUNO,), ["keeper_not_accepted", "keeper_not_proven"]),
        ((WITHDRAWN,), ["keeper_not_accepted", "keeper_not_proven"]),
        (("token", BRUNO, WITHDRAWN), ["keeper_not_proven", *["keeper_not_accepted"] * 2, "keeper_not_proven"]),
    ],
)
def test_without_a_keeper_of_this_entrance_the_safe_stays_shut(
    shown: tuple[KeeperCode | str, ...], refusals: list[str]
) -> None:
    house = Kept()
    house.scans_parcel()
    for one in shown:
        house.shows(one) if isinstance(one, KeeperCode) else house.shows_token()
    house.run(120)
    assert house.orders == []
    assert house.refusals == refusals


def test_a_wrong_code_in_between_spoils_nothing() -> None:
    house = Kept()
    house.scans_parcel()
    house.shows_token()
    house.shows(BRUNO)
    house.shows(COMPANY)
    house.run(21)
    assert house.orders == ["open safe"]
    assert house.state.visit is not None
    assert house.state.visit.holder == "oh-my-keys"


def test_a_keeper_without_a_parcel_opens_nothing() -> None:
    house = Kept()
    house.shows(CLAIRE)
    house.run(30)
    house.shows(COMPANY)
    house.run(120)
    assert house.orders == []
    assert house.refusals == ["keeper_not_proven"]


def test_the_two_have_to_come_within_a_minute() -> None:
    house = Kept()
    house.shows(CLAIRE)
    house.run(61)
    house.scans_parcel()
    house.run(61)
    assert house.orders == []


@pytest.mark.parametrize(
    ("store", "refusal"),
    [
        ({"refusal": Refusal.CANCELLED}, "cancelled"),
        ({"version": 2}, "keeper_not_proven"),
        ({"openings_left": 0}, "already_used"),
    ],
)
def test_what_changed_since_the_parcel_was_scanned_counts(store: dict[str, object], refusal: str) -> None:
    house = Kept()
    house.scans_parcel()
    house.shows(CLAIRE, **store)
    house.run(120)
    assert house.orders == []
    assert refusal in house.refusals


def test_where_couriers_act_a_keepers_code_opens_nothing() -> None:
    house = Kept(replace(RULES, holder=Holder.COURIER, keepers=frozenset()))
    house.shows(CLAIRE)
    assert house.refusals == ["keeper_not_accepted"]
    house.scans_parcel()
    house.run(21)
    assert house.orders == ["open safe"]
    assert house.state.visit is not None
    assert house.state.visit.keeper is None


def test_no_second_opening_for_the_same_delivery() -> None:
    house = key_out()
    house.says(safe_key="present")
    house.run(60)
    assert house.door_results == ["locked_again"]
    house.parcel.used = 1
    house.scans_parcel()
    house.shows(CLAIRE)
    house.run(60)
    assert house.orders == ["open safe"]
    assert house.refusals[0] == "already_used"


def test_while_the_key_is_out_no_other_keeper_gets_anything() -> None:
    house = key_out()
    house.run(20)
    house.shows(COMPANY)
    assert house.refusals == ["busy"]
    house.shows(CLAIRE)
    assert house.refusals == ["busy"], "whoever has the key may show his code again"


def test_a_scanner_that_read_too_many_unknown_codes_accepts_no_keeper_either() -> None:
    house = Kept()
    for guess in range(3):
        house.run(20)
        house.feed(e.Scanned(id=f"g{guess}", scanner="s", code=f"courier:{guess}"))
    assert "wrong_code_limit" in house.alarms
    house.shows(CLAIRE)
    assert house.refusals[-1] == "locked_out"
    house.feed(e.Scanned(id="g9", scanner="s", code=f"courier:{BRUNO.code}", keeper=BRUNO))
    assert house.refusals[-1] == "locked_out", "a guess and a known code look the same"


def test_a_retained_code_of_a_keeper_is_no_scan() -> None:
    house = Kept()
    house.scans_parcel()
    house.feed(e.Scanned(id="old", scanner="s", code="courier:x", keeper=CLAIRE, retained=True))
    house.run(120)
    assert house.orders == []


# ---- withdrawn ------------------------------------------------------------------------------------------------------


def test_a_code_that_is_withdrawn_while_it_rings_opens_nothing() -> None:
    house = ringing()
    house.feed(e.KeeperWithdrawn(codes=frozenset({CLAIRE.code})))
    assert house.phase is None
    assert house.refusals == ["keeper_not_accepted"]
    house.run(60)
    assert house.orders == []


def test_a_code_that_is_withdrawn_before_the_owner_answers_opens_nothing() -> None:
    house = Kept()
    house.parcel = house.delivery(needs_yes=True)
    house.scans_parcel()
    house.shows(CLAIRE)
    house.run(21)
    assert house.phase == "approving"
    house.feed(e.KeeperWithdrawn(codes=frozenset({CLAIRE.code})))
    visit = house.all(c.RingBell)[-1].visit
    house.feed(e.OwnerDecided(visit=visit, yes=True))
    house.run(60)
    assert house.orders == []


def test_a_withdrawn_code_that_waits_for_its_parcel_is_answered_no() -> None:
    house = Kept()
    house.shows(CLAIRE)
    house.feed(e.KeeperWithdrawn(codes=frozenset({CLAIRE.code})))
    assert house.refusals == ["keeper_not_proven"]
    house.scans_parcel()
    house.run(61)
    assert house.orders == []


def test_another_keepers_code_may_be_withdrawn_meanwhile() -> None:
    house = ringing()
    house.feed(e.KeeperWithdrawn(codes=frozenset({COMPANY.code})))
    house.run(21)
    assert house.orders == ["open safe"]


def test_a_keeper_who_has_the_key_keeps_it_and_brings_it_back() -> None:
    house = key_out()
    house.feed(e.KeeperWithdrawn(codes=frozenset({CLAIRE.code})))
    house.run(30)
    assert house.phase == "inside"
    house.says(safe_key="present")
    house.run(60)
    assert house.door_results == ["locked_again"]
    assert notes(house) == ["key_taken:claire", "key_returned:claire"]


# ---- who has it -----------------------------------------------------------------------------------------------------


def test_log_and_owner_get_the_name_of_the_person_who_has_the_key() -> None:
    house = key_out()
    assert notes(house) == ["key_taken:claire"]
    assert told(house) == [("at_the_door", "claire"), ("key_taken", "claire")]
    house.run(700)
    assert ("key_missed", "claire") in told(house)
    assert {alarm.detail for alarm in house.all(c.RaiseAlarm) if alarm.code is c.AlarmCode.KEY_LATE} == {"claire"}
    house.says(safe_key="present")
    house.run(60)
    assert notes(house) == ["key_taken:claire", "key_returned:claire"]
    assert told(house)[-1] == ("locked_again", "claire")


def test_a_key_that_stays_away_becomes_the_owners() -> None:
    house = key_out()
    house.run(3600)
    assert house.phase == "handed_to_owner"
    assert ("look_after_the_door", "claire") in told(house)


def test_a_visit_of_a_courier_names_nobody() -> None:
    house = Kept(replace(RULES, holder=Holder.COURIER, keepers=frozenset()))
    house.scans_parcel()
    house.run(21)
    house.says(safe_key="absent")
    assert notes(house) == ["key_taken"]
    assert all(detail == "" for _, detail in told(house))


# ---- the rule -------------------------------------------------------------------------------------------------------

KEEPERS = st.none() | st.builds(
    KeeperCode, code=st.just("x"), keeper=st.sampled_from(["claire", "oh-my-keys", "bruno"]), withdrawn=st.booleans()
)


@given(holder=st.sampled_from(Holder), keepers=st.frozensets(st.sampled_from(["claire", "bruno"])), keeper=KEEPERS)
def test_only_an_accepted_keeper_or_where_couriers_act_nobody_may_open(
    holder: Holder, keepers: frozenset[str], keeper: KeeperCode | None
) -> None:
    rules = replace(RULES, holder=holder, keepers=keepers)
    expected = keeper is None if holder is Holder.COURIER else keeper is not None and is_keeper_accepted(rules, keeper)
    assert (keeper_refusal(rules, keeper) is None) is expected
    if keeper is not None and is_keeper_accepted(rules, keeper):
        assert (holder, keeper.withdrawn) == (Holder.KEEPER, False)
        assert keeper.keeper in keepers


@pytest.mark.parametrize(
    ("keeper", "refusal"),
    [(None, "keeper_not_proven"), (BRUNO, "keeper_not_accepted"), (WITHDRAWN, "keeper_not_accepted"), (CLAIRE, None)],
)
def test_each_intent_checks_again_whether_its_keeper_counts(keeper: KeeperCode | None, refusal: str | None) -> None:
    house = ringing()
    assert house.state.visit is not None
    state = replace(house.state, visit=replace(house.state.visit, keeper=keeper))
    assert may_open(state, house.parcel.facts(), house.now(), ("safe", "hall")) == refusal


ACTS = ("parcel", "token", "claire", "bruno", "withdrawn")


@pytest.mark.parametrize("order", [acts for n in (1, 2, 3) for acts in permutations(ACTS, n)], ids="-".join)
def test_in_whatever_order_codes_come_only_parcel_and_claire_open(order: tuple[str, ...]) -> None:
    house = Kept()
    show = {"claire": CLAIRE, "bruno": BRUNO, "withdrawn": WITHDRAWN}
    for act in order:
        if act == "parcel":
            house.scans_parcel()
        elif act == "token":
            house.shows_token()
        else:
            house.shows(show[act])
    house.run(21)
    assert house.orders == (["open safe"] if {"parcel", "claire"} <= set(order) else [])


def test_a_delivery_of_two_brands_is_not_decided_by_a_keepers_code() -> None:
    house = Kept()
    other = SimulatedDelivery(id="d0", start=house.t, end=house.t + 3600, brand="other")
    house.run(11)
    matches = tuple(
        e.CodeMatch(kind=CodeKind.PARCEL, delivery=replace(one.facts(), id=f"{one.brand}.d0"))
        for one in (house.parcel, other)
    )
    house.feed(e.Scanned(id="v9", scanner="s", code="d0-1", matches=matches))
    assert house.refusals == ["code_of_several"]
    assert told(house) == [("code_of_several", "brand, other")]
