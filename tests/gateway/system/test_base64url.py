import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.system.base64url import decode_base64url, encode_base64url


@given(st.binary(max_size=100))
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data
    assert decode_base64url(encode_base64url(data).encode()) == data


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A A", "A+/A", "AA\n", "é", "AAA=", "=", "A.A"])
def test_another_spelling_and_garbage_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_base64url(text)


def test_bits_left_over_are_ignored_where_the_spelling_does_not_matter() -> None:
    assert decode_base64url("AB", canonical=False) == b"\0"
    with pytest.raises(ValueError, match="characters"):
        decode_base64url("A", canonical=False)
