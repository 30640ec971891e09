"""The courier's receipt says enough for a dispute, and no more."""

from datetime import UTC, datetime

import pytest

from gateway.domain.delivery.result import Outcome
from gateway.evidence.receipt import OUTCOME_TEXTS, CourierReceipt
from gateway.protocol.keys import BoxKey

KEY = BoxKey.generate()
CAME = datetime(2026, 6, 1, 12, 7, 31, 5, tzinfo=UTC)
LEFT = datetime(2026, 6, 1, 12, 8, 59, tzinfo=UTC)


def issued(left: datetime | None = LEFT, parcels: tuple[str, ...] = ("4711", "0815")) -> CourierReceipt:
    return CourierReceipt(
        box="box-1",
        visit="v1",
        entrance="Front door",
        carrier="Chronopost",
        parcels=parcels,
        outcome=Outcome.DELIVERED,
        came=CAME,
        left=left,
    ).signed(KEY)


def test_a_receipt_is_the_boxs_own_and_whole() -> None:
    mine = issued()
    assert mine.is_signed_by(KEY.public)
    assert not mine.is_signed_by(BoxKey.generate().public)
    assert CourierReceipt.from_json(mine.to_json()) == mine
    for change in ({"outcome": Outcome.REFUSED}, {"parcels": ("4712",)}, {"came": LEFT}, {"box": "box-2"}):
        assert not mine.model_copy(update=change).is_signed_by(KEY.public)


def test_times_are_to_the_minute_and_codes_to_four_characters() -> None:
    mine = issued()
    assert (mine.came, mine.left) == (CAME.replace(second=0, microsecond=0), LEFT.replace(second=0))
    with pytest.raises(ValueError, match="parcels"):
        issued(parcels=("6A12345674711",))


def test_every_outcome_has_its_word() -> None:
    assert set(OUTCOME_TEXTS) == set(Outcome)
