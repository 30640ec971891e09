from typing import Any

import pytest

from gateway.domain.delivery.promise import Result, State
from gateway.domain.visit.state import DoorResult, Refusal
from gateway.protocol.delivery_state import REASONS, Standing, coarse, standing
from gateway.protocol.jws import Fault
from tests.boxes import NOW

OF_THE_HOUSE = {
    Refusal.NOT_READY, Refusal.CAMERA_UNAVAILABLE, Refusal.LOCKED_OUT, Refusal.BUSY, Refusal.HOUSEHOLD_PRESENT,
    Refusal.STOPPED_BY_OWNER, Refusal.PAUSED, Refusal.NOT_APPROVED, Refusal.FRIDGE_TOO_WARM, Refusal.UNKNOWN_CODE,
    Refusal.ALREADY_USED, Refusal.COURIER_NOT_PROVEN, Refusal.WRONG_ENTRANCE, Refusal.CLOCK_UNTRUSTED,
    Refusal.AWAITING_PERMISSION, Refusal.CODE_OF_SEVERAL,
}  # fmt: skip
UNHEARD = {Fault.TOO_LARGE, Fault.CLOCK_UNTRUSTED}
"""A hub takes no message so large; a box that does not know the time gives no answer, and is asked again."""


def said(**more: Any) -> Result:  # noqa: ANN401 - a result's own fields
    return Result.model_validate({"box": "box", "at": NOW, **more})


@pytest.mark.parametrize("refusal", Refusal)
def test_a_retailer_never_learns_how_the_house_is_doing(refusal: Refusal) -> None:
    assert (coarse(refusal.value) is None) is (refusal in OF_THE_HOUSE)


@pytest.mark.parametrize("fault", Fault)
def test_a_retailer_learns_why_his_message_was_not_believed(fault: Fault) -> None:
    assert coarse(fault.value) == (None if fault in UNHEARD else fault.value)


def test_nothing_of_an_entrance_s_readiness_goes_on() -> None:
    found = standing(said(state=State.SCHEDULED, lacking=("lock_unknown", "camera_hall_dark")), known=True)
    assert found == Standing(state=State.SCHEDULED)


@pytest.mark.parametrize("state", State)
def test_each_state_of_a_home_is_the_state_that_is_told(state: State) -> None:
    found = standing(said(state=state, missing=1, house=DoorResult.LOCKED_AGAIN, reason="attended"), known=False)
    assert found == Standing(state=state, reason="attended", missing=1, house="locked_again")


def test_a_message_that_is_not_believed_refuses_only_what_the_home_has_never_spoken_of() -> None:
    no = said(accepted=False, code="wrong_signature", token_sha256="0" * 64)
    assert standing(no, known=False) == Standing(state=State.REFUSED, reason="wrong_signature")
    assert standing(no, known=True) is None, "what stands there stands as before"
    assert standing(said(), known=False) is None


def test_reasons_are_words() -> None:
    assert all(reason.isascii() and reason.replace("_", "").isalpha() for reason in REASONS)
