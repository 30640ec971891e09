"""A name from outside is the same in a sentence, whether all of it is ASCII or not."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.system.text import isolate_direction, sanitized


@given(st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=60))
def test_a_plain_name_is_what_it_would_be_behind_a_name_that_is_not(name: str) -> None:
    assert sanitized(f"é {name}") == f"é {sanitized(name)}".strip()
    assert isolate_direction(name) == sanitized(name)


@given(st.text(string.ascii_letters + " ", min_size=100, max_size=200))
def test_a_plain_name_is_cut_like_any_other(name: str) -> None:
    assert len(sanitized(name)) <= 80
    assert sanitized(name)[:70] == sanitized(f"{name}é")[:70]
