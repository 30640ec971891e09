"""What is signed, sealed or chained keeps its bytes: as the release before the floor plan wrote them, so it is now."""

import json

import pytest

from gateway.domain.delivery.promise import Claims
from gateway.domain.now import Now
from gateway.evidence.checkpoint import Checkpoint
from gateway.evidence.receipt import CourierReceipt
from gateway.protocol import browser_envelope, guard_message
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey
from tests.gateway.protocol.golden import AT, BROWSER, FILE, make_all, module_now
from tests.gateway.protocol.golden_more import MORE_FILE, make_more

MORE: dict[str, str] = json.loads(MORE_FILE.read_text(encoding="utf-8"))
KEPT: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
BRAND = PublicKey.from_jwk(SigningKey.from_seed(b"b" * 32).public.text)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_each_has_the_bytes_that_the_release_before_gave_it(name: str) -> None:
    assert make_all(module_now)[name] == KEPT[name]


@pytest.mark.parametrize("name", sorted(MORE))
def test_each_that_is_no_token_has_the_bytes_that_it_had_before(name: str) -> None:
    assert make_more()[name] == MORE[name]


def test_none_is_left_out() -> None:
    assert set(make_all(module_now)) == set(KEPT)
    assert set(make_more()) == set(MORE)


@pytest.mark.parametrize("name", ["offer", "update", "cancel"])
def test_a_brand_s_message_of_then_is_believed(name: str) -> None:
    at = Now(utc=AT, trusted=True, mono=0.0)
    found = verify_delivery(KEPT[name].encode(), {"shop-1": EnrolledKey("shop", BRAND)}, box="box-1", now=at)
    assert isinstance(found, Claims)
    assert found.delivery.do == name


def test_what_guard_and_gateway_said_then_is_read() -> None:
    to, of = (KEPT[name].encode() for name in ("to_guard", "from_guard"))
    assert isinstance(guard_message.verify_guard_message(to, guard_message.ToGuard, BRAND), guard_message.ToGuard)
    assert isinstance(guard_message.verify_guard_message(of, guard_message.FromGuard, BRAND), guard_message.FromGuard)


def test_a_checkpoint_and_a_receipt_of_then_hold() -> None:
    for kind, name in ((Checkpoint, "checkpoint"), (CourierReceipt, "receipt")):
        signed = kind.from_json(KEPT[name].encode())
        assert signed.is_signed_by(PublicKey.from_text(signed.key))


def test_an_envelope_of_then_is_opened() -> None:
    found = browser_envelope.decrypt(b"k" * 32, BROWSER, KEPT["browser_envelope"].encode(), largest=100)
    assert found is not None
    assert (found.text, found.raw) == (b'{"do":"look"}', b"raw")
