"""A name from outside is the same in a sentence, whether all of it is ASCII or not."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.system.text import error_line, isolate_direction, sanitized


@given(st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=60))
def test_a_plain_name_is_what_it_would_be_behind_a_name_that_is_not(name: str) -> None:
    assert sanitized(f"é {name}") == f"é {sanitized(name)}".strip()
    assert isolate_direction(name) == sanitized(name)


@given(st.text(string.ascii_letters + " ", min_size=100, max_size=200))
def test_a_plain_name_is_cut_like_any_other(name: str) -> None:
    assert len(sanitized(name)) <= 80
    assert sanitized(name)[:70] == sanitized(f"{name}é")[:70]


def test_an_error_without_text_is_named_by_its_type_and_a_long_one_by_its_first_line() -> None:
    errors = (OSError(), TimeoutError(""), OSError("\nlost"), ValueError("first\nsecond"))
    assert [error_line(error) for error in errors] == ["OSError", "TimeoutError", "OSError", "first"]
