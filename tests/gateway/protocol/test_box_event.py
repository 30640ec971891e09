from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.promise import Result, State
from gateway.protocol.box_event import HEADER, Untrue, seal, unseal
from gateway.protocol.box_hub import BEGINNING, LARGEST_EVENT, Happened
from gateway.protocol.keys import BoxKey

KEY = BoxKey.fresh()
AT = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)
EVENT = Happened(
    home="home-1", seq=1, prev=BEGINNING, at=AT,
    result=Result(box="box", at=AT, brand="lune", delivery="d-1", version=1, state=State.DELIVERED),
)  # fmt: skip
TOKEN = seal(EVENT, KEY.sign)


def test_what_the_box_signed_is_read_as_it_was_said() -> None:
    assert unseal(TOKEN, KEY.public) == EVENT
    assert seal(EVENT, KEY.sign) == TOKEN, "the same event gives the same bytes"


@given(at=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255))
def test_no_byte_of_it_can_be_another(at: int, byte: int) -> None:
    altered = TOKEN[:at] + bytes([byte]) + TOKEN[at + 1 :]
    if altered != TOKEN:
        assert isinstance(unseal(altered, KEY.public), Untrue)


@given(st.binary(max_size=400))
def test_rubbish_is_never_an_event(rubbish: bytes) -> None:
    assert isinstance(unseal(rubbish, KEY.public), Untrue)
    signed = HEADER + b"." + rubbish
    assert isinstance(unseal(signed + b"." + KEY.sign(signed), KEY.public), Untrue)


def test_another_box_s_event_a_longer_one_and_a_header_that_brings_a_key_along_are_refused() -> None:
    assert unseal(TOKEN, BoxKey.fresh().public) is Untrue.WRONG_SIGNATURE
    long = HEADER + b"." + b"A" * LARGEST_EVENT
    assert unseal(long + b"." + b"A" * 86, KEY.public) is Untrue.MALFORMED
    _, payload, _ = TOKEN.split(b".")
    other = b"eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    assert unseal(other + b"." + payload + b".", KEY.public) is Untrue.MALFORMED
    assert unseal(b".".join((payload, payload)), KEY.public) is Untrue.MALFORMED
