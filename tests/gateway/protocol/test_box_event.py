from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.promise import DeliveryResult, State
from gateway.protocol.box_hub import GENESIS_DIGEST, MAX_EVENT_BYTES, BoxEvent, sign_by_box, verify_by_box
from gateway.protocol.jws import BOX_EVENT, RejectionCode
from gateway.protocol.keys import BoxKey

KEY = BoxKey.generate()
AT = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)
EVENT = BoxEvent(
    home="home-1", seq=1, prev=GENESIS_DIGEST, at=AT,
    result=DeliveryResult(box="box", at=AT, brand="lune", delivery="d-1", version=1, state=State.DELIVERED),
)  # fmt: skip
TOKEN = sign_by_box(EVENT, KEY.sign)


def test_what_the_box_signed_is_read_as_it_was_said() -> None:
    assert verify_by_box(BoxEvent, TOKEN, KEY.public) == EVENT
    assert sign_by_box(EVENT, KEY.sign) == TOKEN, "the same event gives the same bytes"


@given(at=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255))
def test_no_byte_of_it_can_be_another(at: int, byte: int) -> None:
    altered = TOKEN[:at] + bytes([byte]) + TOKEN[at + 1 :]
    if altered != TOKEN:
        assert isinstance(verify_by_box(BoxEvent, altered, KEY.public), RejectionCode)


@given(st.binary(max_size=400))
def test_rubbish_is_never_an_event(rubbish: bytes) -> None:
    assert isinstance(verify_by_box(BoxEvent, rubbish, KEY.public), RejectionCode)
    signed = BOX_EVENT.header() + b"." + rubbish
    assert isinstance(verify_by_box(BoxEvent, signed + b"." + KEY.sign(signed), KEY.public), RejectionCode)


def test_another_box_s_event_a_longer_one_and_a_header_that_brings_a_key_along_are_refused() -> None:
    assert verify_by_box(BoxEvent, TOKEN, BoxKey.generate().public) is RejectionCode.WRONG_SIGNATURE
    long = BOX_EVENT.header() + b"." + b"A" * MAX_EVENT_BYTES
    assert verify_by_box(BoxEvent, long + b"." + b"A" * 86, KEY.public) is RejectionCode.TOO_LARGE
    _, payload, _ = TOKEN.split(b".")
    other = b"eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert verify_by_box(BoxEvent, other + b"." + payload + b".", KEY.public) is RejectionCode.MALFORMED
    assert verify_by_box(BoxEvent, b".".join((payload, payload)), KEY.public) is RejectionCode.MALFORMED
