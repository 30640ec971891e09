from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.hub.asking import AskedKey, AskedTerms, Asking, understood, written
from gateway.hub.words import LARGEST_JOB, Job, Kind
from gateway.proof.keys import BoxKey

KEY = BoxKey.fresh()
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
    asking = Asking(
        hub="https://hub.example", home="home-1", brand="lune", name=name, keys=(AskedKey(kid="k", x=KEY.public.text),),
        connection="con-1", asked=asked, expires=datetime(2026, 12, 1, tzinfo=UTC),
    )  # fmt: skip
    token = written(asking, KEY.sign)
    assert understood(token) == asking
    job = Job(job="job-1", kind=Kind.CONNECT, token=token.decode())
    assert len(job.model_dump_json()) <= LARGEST_JOB


@given(st.binary(max_size=300))
def test_what_is_no_question_is_none(token: bytes) -> None:
    assert understood(token) is None


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
