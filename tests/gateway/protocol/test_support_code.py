from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.support_code import ALPHABET, LENGTH, fresh, read, spoken

codes = st.builds(fresh)
places = st.integers(0, LENGTH - 1)


@settings(deadline=None)
@given(codes)
def test_a_code_read_aloud_and_typed_in_small_letters_is_the_same(code: str) -> None:
    assert len(code) == LENGTH
    assert read(code) == code
    assert read(f"  {spoken(code).lower()} ") == code
    assert read(" ".join(spoken(code).split("-"))) == code


@settings(deadline=None)
@given(codes, places, st.sampled_from(ALPHABET))
def test_one_wrong_character_is_always_found(code: str, place: int, other: str) -> None:
    wrong = code[:place] + other + code[place + 1 :]
    assert (read(wrong) is None) == (wrong != code)


@settings(deadline=None)
@given(codes, st.integers(0, LENGTH - 2))
def test_two_neighbours_in_the_wrong_order_are_always_found(code: str, place: int) -> None:
    turned = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert (read(turned) is None) == (turned != code)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_what_is_no_code_is_none(text: str) -> None:
    found = read(text)
    assert found is None or (len(found) == LENGTH and set(found) <= set(ALPHABET))
