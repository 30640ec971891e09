"""A sensor with two good values, such as one in a compartment: only the answer to a later query proves a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.visit import events as e
from gateway.domain.visit.closures import Compartment
from gateway.domain.visit.closures.contract import UNREPORTED, Fact
from gateway.domain.visit.facts import update_fact
from gateway.domain.visit.state import Evidence, Rules
from tests.gateway.domain.visit.closures.driven import Driven

CONTENT = Compartment(id="one", devices={"content": "eye"}).sensors["content"]
BOX = Rules(
    evidence=Evidence.SENSOR,
    has_signal=False,
    household_refuses=False,
    closures=tuple(Compartment(id=name, devices={"content": "eye"}) for name in ("one", "two")),
    routes={"hall": (("one",), ("two",))},
)
EMPTY = {f"{box}/{role}": value for box in ("one", "two") for role, value in
         (("latch", "locked"), ("lid", "closed"), ("content", "empty"))}  # fmt: skip


def after(fact: Fact, value: str, answers: int | None, last_query_id: int) -> Fact:
    context = e.ReportContext(session=1, answers=answers)
    return update_fact(fact, CONTENT, value, context, is_basic=False, last_query_id=last_query_id, mono=0.0)


def test_an_answer_that_was_measured_before_the_parcel_came_does_not_prove_the_compartment_empty() -> None:
    known = after(UNREPORTED, "empty", 5, 5)
    assert known.proven
    filled = after(known, "occupied", None, 6)  # query 6 is on its way; its answer was measured before
    late = after(filled, "empty", 6, 6)
    assert (late.value, late.proven) == ("empty", False)
    assert after(late, "empty", 7, 7).proven


def test_a_parcel_that_is_reported_twice_is_not_taken_back_by_two_answers_of_before_the_second_report() -> None:
    filled = after(after(UNREPORTED, "empty", 4, 4), "occupied", None, 4)
    again = after(filled, "occupied", None, 5)  # query 5 is on its way; its answer was measured before
    late = after(again, "empty", 1, 5)
    assert not late.proven
    second = after(late, "empty", 5, 5)
    assert (second.value, second.proven) == ("empty", False)
    assert after(second, "empty", 6, 6).proven


def test_two_answers_to_one_query_that_contradict_each_other_prove_nothing_at_the_second_change() -> None:
    first = after(after(UNREPORTED, "empty", 5, 5), "occupied", 5, 5)
    assert not after(first, "empty", 5, 5).proven


@given(
    story=st.lists(
        st.tuples(st.sampled_from(("empty", "occupied")), st.none() | st.integers(1, 8), st.booleans()), max_size=14
    )
)
def test_whatever_comes_in_which_order_empty_is_proven_only_by_a_query_of_after_the_last_occupied(
    story: list[tuple[str, int | None, bool]],
) -> None:
    fact, last_query_id = UNREPORTED, 0
    occupied_at: int | None = None
    for value, answers, asks in story:
        last_query_id += asks
        if answers is not None and answers > last_query_id:
            continue  # no device can answer a query that was not sent
        fact = after(fact, value, answers, last_query_id)
        if value == "occupied":
            said_at = last_query_id if answers is None else answers
            occupied_at = said_at if occupied_at is None else max(occupied_at, said_at)
        is_empty = fact.proven and fact.value == "empty"
        assert not is_empty or occupied_at is None or fact.answered_query_id > occupied_at


@pytest.mark.parametrize(
    ("content", "outcome", "released"),
    [("empty", [], True), ("occupied", ["unknown"], False), ("unknown", ["unknown"], False)],
)
def test_a_lid_whose_sensor_is_stuck_at_closed_makes_no_second_compartment_free(
    content: str, outcome: list[str], *, released: bool
) -> None:
    house = Driven(BOX, EMPTY)
    house.scan(house.delivery())
    house.run(1)
    assert house.orders == ["open one"], house.refusals
    house.values["one/content"] = content
    house.says(one_latch="unlocked")
    house.run(5)
    house.says(one_latch="locked")
    house.run(120)
    given_back = [one for _, one in house.did if type(one).__name__ == "ReleaseOpening"]
    assert (house.outcomes, bool(given_back)) == (outcome, released)
    assert house.orders == ["open one"]
