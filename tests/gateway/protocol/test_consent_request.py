from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.protocol.box_hub import MAX_JOB_BYTES, Job, JobKind
from gateway.protocol.brand_statement import NextKeyStatement, sign_brand_statement
from gateway.protocol.consent_request import (
    MAX_BRAND_KEYS,
    MAX_CONSENT_BYTES,
    MAX_WITHDRAWN_KEYS,
    AskedTerms,
    ConsentMessage,
    RequestedKey,
    is_compact,
    parse_consent,
    sign_consent,
    sign_consent_within_limit,
)
from gateway.protocol.keys import BoxKey

KEY = BoxKey.generate()
NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
NAMES = st.text(st.sampled_from("aZé &<\"'Œ"), min_size=1, max_size=80).filter(lambda name: name == name.strip())
TERMS = st.builds(
    AskedTerms,
    entrances=st.none() | st.just(("garage",)),
    carriers=st.lists(NAMES, min_size=1, max_size=32, unique=True).map(tuple),
    openings=st.integers(1, 10),
    hub_signed=st.booleans(),
)


@given(TERMS, NAMES)
def test_what_a_brand_asks_comes_to_the_box_as_it_was_asked_and_fits_into_a_job(asked: AskedTerms, name: str) -> None:
    asking = ConsentMessage(
        hub="https://hub.example",
        home="home-1",
        brand="lune",
        name=name,
        keys=(RequestedKey(kid="k", x=KEY.public.text),),
        connection="con-1",
        asked=asked,
        expires=datetime(2026, 12, 1, tzinfo=UTC),
    )
    token = sign_consent(asking, KEY.sign)
    assert parse_consent(token) == asking
    job = Job(job="job-1", kind=JobKind.CONNECT, token=token.decode())
    assert len(job.model_dump_json()) <= MAX_JOB_BYTES


@given(st.binary(max_size=300))
def test_what_is_no_question_is_none(token: bytes) -> None:
    assert parse_consent(token) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"carriers": ()}, {"carriers": (" x",)}, {"carriers": ("a\u202eb",)}, {"days": ()}, {"hours": "25:00-26:00"},
        {"hours": "08:00"}, {"openings": 0}, {"openings": 11}, {"entrances": ()}, {"entrances": ("Garage",)},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_not_asked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AskedTerms.model_validate({"carriers": ("chronopost",), **wrong})


def test_days_are_asked_once_and_in_the_order_of_the_week() -> None:
    assert AskedTerms(carriers=("c",), days=("sun", "mon", "sun")).days == ("mon", "sun")


def longest(*, vouched: int, asked: bool = True) -> ConsentMessage:
    """The longest question that there may be, each voucher of so many characters."""
    euros = "€" * 80
    keys = tuple(
        RequestedKey(kid=f"{number:064}", x="A" * 43, vouched="a.b." + "c" * (vouched - 4))
        for number in range(MAX_BRAND_KEYS)
    )
    terms = AskedTerms(
        entrances=tuple(f"{number:064}" for number in range(32)), places=tuple(f"{number:064}" for number in range(32)),
        carriers=tuple(f"{number:02}{euros[2:]}" for number in range(32)), hub_signed=True, expires=NOON,
    )  # fmt: skip
    return ConsentMessage(
        hub="h" * 200, home="a" * 64, brand="b" * 64, name=euros, keys=keys, connection="c" * 64, expires=NOON,
        withdrawn=("A" * 43,) * MAX_WITHDRAWN_KEYS, asked=terms if asked else None,
        signed=None if asked else "a.b." + "c" * 11_996,
    )  # fmt: skip


def unpadded() -> int:
    """How long a voucher is at most whose JSON has no blanks in it."""
    word = NextKeyStatement(iss="b" * 64, hub="h" * 200, iat=4_102_444_800, kid="k" * 64, x="A" * 43)
    return len(sign_brand_statement(word, BoxKey.generate().sign, kid="o" * 64))


@pytest.mark.parametrize("asked", [True, False])
def test_the_longest_question_that_the_api_takes_fits_into_a_job_whole(*, asked: bool) -> None:
    question = longest(vouched=unpadded(), asked=asked)
    assert sign_consent_within_limit(question, KEY.sign) == sign_consent(question, KEY.sign), "no voucher is left out"
    job = Job(job="job-1", kind=JobKind.CONNECT, token=sign_consent_within_limit(question, KEY.sign).decode())
    assert parse_consent(job.token.encode()) == question


@pytest.mark.parametrize("asked", [True, False])
def test_of_a_padded_question_of_before_vouchers_are_left_out_until_it_fits(*, asked: bool) -> None:
    question = longest(vouched=1_000, asked=asked)
    assert len(sign_consent(question, KEY.sign)) > MAX_CONSENT_BYTES
    token = sign_consent_within_limit(question, KEY.sign)
    found = parse_consent(Job(job="job-1", kind=JobKind.CONNECT, token=token.decode()).token.encode())
    assert found is not None
    assert [key.x for key in found.keys] == [key.x for key in question.keys]
    assert 0 < sum(key.vouched is not None for key in found.keys) < MAX_BRAND_KEYS


def test_what_a_brand_signs_has_no_blanks_in_its_json() -> None:
    def token(header: str, payload: str) -> str:
        parts = [urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, payload)]
        return ".".join([*parts, "sig"])

    good = '{"alg":"Ed25519","kid":"k","typ":"t"}'
    assert is_compact(token(good, '{"name":"café","n":1}'))
    assert is_compact(token(good, '{"name":"caf\\u00e9"}')), "as many libraries write what is no ASCII"
    for header, payload in (
        (good, '{"name": "x"}'), (good, '{"name":"x"}  '), (good, '{"name":"\\u0078"}'), (f" {good}", '{"name":"x"}'),
        (good, "no json"), ('{"alg":"Ed25519", "kid":"k"}', "{}"),
    ):  # fmt: skip
        assert not is_compact(token(header, payload)), (header, payload)
