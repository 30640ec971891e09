"""What a browser and the box seal for each other: both agree, nobody between them reads or changes a byte."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey
from pydantic import ValidationError

from gateway.protocol.browser_envelope import (
    MAX_UP_BYTES,
    EnvelopeContent,
    Jwk,
    decrypt,
    derive_keys,
    encrypt,
    load_private_key,
    private_scalar,
)
from gateway.system.base64url import decode_base64url

BROWSER, HOME = "brw-" + "ab" * 16, "home-" + "12" * 16
OTHER = "brw-" + "cd" * 16
VECTORS = Path(__file__).with_name("vectors.json")

ours, theirs = load_private_key(bytes(31) + b"\x07"), load_private_key(bytes(31) + b"\x09")
agreed = derive_keys(ours, Jwk.of(theirs.public_key()), home=HOME, browser=BROWSER)


def fixed(size: int) -> bytes:
    return bytes(range(size))


def test_both_sides_agree_on_two_keys_that_are_this_home_s_and_this_browser_s_alone() -> None:
    other_side = derive_keys(theirs, Jwk.of(ours.public_key()), home=HOME, browser=BROWSER)
    assert (other_side.up, other_side.down) == (agreed.up, agreed.down)
    elsewhere = derive_keys(ours, Jwk.of(theirs.public_key()), home="home-2", browser=BROWSER)
    another = derive_keys(ours, Jwk.of(theirs.public_key()), home=HOME, browser=OTHER)
    assert len({one for pair in (agreed, elsewhere, another) for one in (pair.up, pair.down)}) == 6


def test_the_keys_and_an_envelope_are_those_that_were_written_down_for_the_page() -> None:
    """The same numbers are what the page's JavaScript is held to."""
    text = b'{"ask":"state"}'
    sealed = encrypt(agreed.up, BROWSER, text, random=fixed)
    answer = encrypt(agreed.down, BROWSER, b'{"piece":0}', b"\xff\n\x00", random=fixed)
    written = json.loads(VECTORS.read_text())
    made = {
        "home": HOME, "browser": BROWSER,
        "box": {"d": _coded(private_scalar(ours)), **Jwk.of(ours.public_key()).model_dump()},
        "page": {"d": _coded(private_scalar(theirs)), **Jwk.of(theirs.public_key()).model_dump()},
        "up": agreed.up.hex(), "down": agreed.down.hex(), "iv": fixed(12).hex(), "text": text.decode(),
        "sealed": sealed,
        "answer": {"text": '{"piece":0}', "raw": "ff0a00", "sealed": answer},
    }  # fmt: skip
    assert written == made


def _coded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_an_envelope_is_a_jwe_as_others_write_it() -> None:
    key = OctKey.import_key(agreed.up)
    sealed = encrypt(agreed.up, BROWSER, b'{"a":1}', random=fixed)
    assert jwe.decrypt_compact(sealed, key, algorithms=["dir", "A256GCM"]).plaintext == b'{"a":1}'
    head = {"alg": "dir", "enc": "A256GCM", "kid": BROWSER}
    theirs_ = jwe.encrypt_compact(head, b'{"b":2}', key, algorithms=["dir", "A256GCM"])
    assert decrypt(agreed.up, BROWSER, theirs_.encode(), largest=MAX_UP_BYTES) == EnvelopeContent(b'{"b":2}')


@given(text=st.dictionaries(st.text(), st.text()), raw=st.binary(max_size=200))
def test_what_is_sealed_comes_out_and_so_do_the_bytes_behind_it(text: dict[str, str], raw: bytes) -> None:
    said = json.dumps(text).encode()
    sealed = encrypt(agreed.down, BROWSER, said, raw, random=fixed)
    assert decrypt(agreed.down, BROWSER, sealed.encode(), largest=100_000) == EnvelopeContent(said, raw)


def test_json_with_a_line_feed_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="line feed"):
        encrypt(agreed.down, BROWSER, b'{\n"a":1}', random=fixed)


def test_whatever_byte_is_altered_the_envelope_stays_shut() -> None:
    sealed = encrypt(agreed.up, BROWSER, b'{"ask":"state"}', random=fixed).encode()
    for at in range(len(sealed)):
        for other in b"A_.-z" + bytes([sealed[at] ^ 1]):
            altered = sealed[:at] + bytes([other]) + sealed[at + 1 :]
            if altered != sealed:
                assert decrypt(agreed.up, BROWSER, altered, largest=MAX_UP_BYTES) is None, at
    for cut in range(len(sealed)):
        assert decrypt(agreed.up, BROWSER, sealed[:cut], largest=MAX_UP_BYTES) is None


def test_an_envelope_for_another_browser_another_way_or_another_home_stays_shut() -> None:
    sealed = encrypt(agreed.up, BROWSER, b"{}", random=fixed).encode()
    assert decrypt(agreed.down, BROWSER, sealed, largest=MAX_UP_BYTES) is None
    assert decrypt(agreed.up, OTHER, sealed, largest=MAX_UP_BYTES) is None
    elsewhere = derive_keys(ours, Jwk.of(theirs.public_key()), home="home-2", browser=BROWSER)
    assert decrypt(elsewhere.up, BROWSER, sealed, largest=MAX_UP_BYTES) is None


def test_what_is_too_large_is_not_opened() -> None:
    sealed = encrypt(agreed.up, BROWSER, b'"' + b"x" * MAX_UP_BYTES + b'"', random=fixed).encode()
    assert decrypt(agreed.up, BROWSER, sealed, largest=MAX_UP_BYTES) is None
    assert decrypt(agreed.up, BROWSER, sealed, largest=MAX_UP_BYTES + 2) is not None


@given(noise=st.binary(max_size=300))
def test_noise_is_no_envelope(noise: bytes) -> None:
    assert decrypt(agreed.up, BROWSER, noise, largest=MAX_UP_BYTES) is None


def test_a_key_that_is_no_point_of_the_curve_is_no_key() -> None:
    good = Jwk.of(ours.public_key())
    for bad in (good.model_copy(update={"y": good.x}), good.model_copy(update={"x": "A" * 43})):
        with pytest.raises(ValidationError):
            Jwk.model_validate(bad.model_dump())
    with pytest.raises(ValidationError, match="extra"):
        Jwk.model_validate({**good.model_dump(), "d": "A" * 43})
    raw = urlsafe_b64decode(good.x + "=")
    assert decode_base64url(good.x) == raw
