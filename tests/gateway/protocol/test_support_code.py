from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.support_code import (
    ALPHABET,
    CODE_CHARS,
    format_support_code,
    new_support_code,
    parse_support_code,
)

codes = st.builds(new_support_code)
places = st.integers(0, CODE_CHARS - 1)


@settings(deadline=None)
@given(codes)
def test_a_code_read_aloud_and_typed_in_small_letters_is_the_same(code: str) -> None:
    assert len(code) == CODE_CHARS
    assert parse_support_code(code) == code
    assert parse_support_code(f"  {format_support_code(code).lower()} ") == code
    assert parse_support_code(" ".join(format_support_code(code).split("-"))) == code


@settings(deadline=None)
@given(codes, places, st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_found(code: str, place: int, other: str) -> None:
    wrong = code[:place] + other + code[place + 1 :]
    assert (parse_support_code(wrong) is None) == (wrong != code)


@settings(deadline=None)
@given(codes, st.integers(0, CODE_CHARS - 2))
def test_two_neighbours_in_the_wrong_order_are_always_found(code: str, place: int) -> None:
    turned = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert (parse_support_code(turned) is None) == (turned != code)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_what_is_no_code_is_none(text: str) -> None:
    found = parse_support_code(text)
    assert found is None or (len(found) == CODE_CHARS and set(found) <= set(ALPHABET))
