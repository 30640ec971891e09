from typing import Any

import pytest

from gateway.domain.delivery.promise import DeliveryResult, ItemResult, State
from gateway.domain.delivery.result import DoorResult, Refusal
from gateway.protocol.delivery_state import PUBLIC_REASONS, DeliveryStatus, public_reason, status_of
from gateway.protocol.jws import RejectionCode
from tests.boxes import NOW

OF_THE_HOUSE = {
    Refusal.NOT_READY, Refusal.CAMERA_UNAVAILABLE, Refusal.LOCKED_OUT, Refusal.BUSY, Refusal.HOUSEHOLD_PRESENT,
    Refusal.STOPPED_BY_OWNER, Refusal.PAUSED, Refusal.NOT_APPROVED, Refusal.FRIDGE_TOO_WARM, Refusal.UNKNOWN_CODE,
    Refusal.FRIDGE_TOO_COLD, Refusal.FRIDGE_FULL,
    Refusal.GUEST_PRESENT, Refusal.REVOKED,
    Refusal.LABEL_FORBIDS, Refusal.ROBOT_NOT_PROVEN, Refusal.KEEPER_NOT_PROVEN, Refusal.KEEPER_NOT_ACCEPTED,
    Refusal.ALREADY_USED, Refusal.COURIER_NOT_PROVEN, Refusal.WRONG_ENTRANCE, Refusal.CLOCK_UNTRUSTED,
    Refusal.COLLECT_INSIDE,
    Refusal.AWAITING_PERMISSION, Refusal.CODE_OF_SEVERAL, Refusal.NO_RECEIVER, Refusal.NOT_OUT_FOR_DELIVERY,
}  # fmt: skip
UNHEARD = {RejectionCode.TOO_LARGE, RejectionCode.CLOCK_UNTRUSTED}
"""A hub takes no message so large; a box that does not know the time gives no answer, and is asked again."""


def said(**more: Any) -> DeliveryResult:  # noqa: ANN401 - a result's own fields
    return DeliveryResult.model_validate({"box": "box", "at": NOW, **more})


@pytest.mark.parametrize("refusal", Refusal)
def test_a_retailer_never_learns_how_the_house_is_doing(refusal: Refusal) -> None:
    assert (public_reason(refusal.value) is None) is (refusal in OF_THE_HOUSE)


@pytest.mark.parametrize("fault", RejectionCode)
def test_a_retailer_learns_why_his_message_was_not_believed(fault: RejectionCode) -> None:
    assert public_reason(fault.value) == (None if fault in UNHEARD else fault.value)


def test_nothing_of_an_entrance_s_readiness_goes_on() -> None:
    found = status_of(said(state=State.SCHEDULED, lacking=("lock_unknown", "camera_hall_dark")), known=True)
    assert found == DeliveryStatus(state=State.SCHEDULED)


@pytest.mark.parametrize("state", State)
def test_each_state_of_a_home_is_the_state_that_is_told(state: State) -> None:
    found = status_of(said(state=state, missing=1, house=DoorResult.LOCKED_AGAIN, reason="attended"), known=False)
    assert found == DeliveryStatus(state=state, reason="attended", missing=1, house="locked_again")


def test_the_cold_chain_of_each_item_is_passed_on_in_jsons_types() -> None:
    item = ItemResult(code="A-1", verdict="unknown", reasons=("not_stowed",), lowest_c=1.5)
    found = status_of(said(state=State.DELIVERED, cold_chain=(item,)), known=True)
    assert found is not None
    assert found.cold_chain == [{"code": "A-1", "verdict": "unknown", "reasons": ["not_stowed"], "lowest_c": 1.5}]


def test_a_message_that_is_not_believed_refuses_only_what_the_home_has_never_spoken_of() -> None:
    no = said(accepted=False, code="wrong_signature", token_sha256="0" * 64)
    assert status_of(no, known=False) == DeliveryStatus(state=State.REFUSED, reason="wrong_signature")
    assert status_of(no, known=True) is None, "what stands there stands as before"
    assert status_of(said(), known=False) is None


def test_reasons_are_words() -> None:
    assert all(reason.isascii() and reason.replace("_", "").isalpha() for reason in PUBLIC_REASONS)
