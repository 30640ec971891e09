"""When the pictures of one stream are others than before."""

import pytest

from gateway.video.stream import parameter_sets, parameters_changed

SPS, OTHER_SPS = b"\x67\x42\xc0\x16\xda\x02\x80", b"\x67\x42\xc0\x0d\xda\x05\x07"
PPS, OTHER_PPS = b"\x68\xce\x3c\x80", b"\x68\xce\x38\x80"
AUD, SEI, SLICE = b"\x09\x10", b"\x06\x05\x04abcd\x80", b"\x65\x88\x84\x00\x10"


def picture(*units: bytes, start: bytes = b"\x00\x00\x00\x01") -> frozenset[bytes]:
    return parameter_sets(b"".join(start + unit for unit in (*units, SLICE)))


@pytest.mark.parametrize("start", [b"\x00\x00\x01", b"\x00\x00\x00\x01"])
def test_parameter_sets_are_found_among_what_else_comes_with_a_key_picture(start: bytes) -> None:
    assert picture(AUD, SPS, PPS, SEI, start=start) == {SPS, PPS}
    assert picture(AUD, SEI, start=start) == frozenset()


@pytest.mark.parametrize(
    ("found", "is_changed"),
    [
        (picture(SPS, PPS), False),
        (picture(), False),
        (picture(PPS), False),  # some cameras send a part of them
        (picture(OTHER_SPS, PPS), True),
        (picture(SPS, OTHER_PPS), True),
        (picture(OTHER_SPS, OTHER_PPS), True),
    ],
)
def test_other_parameter_sets_are_another_film_and_those_left_out_are_not(
    found: frozenset[bytes], is_changed: bool
) -> None:
    assert parameters_changed(picture(SPS, PPS), found) is is_changed


def test_parameter_sets_that_come_late_change_nothing() -> None:
    assert not parameters_changed(frozenset(), picture(SPS, PPS))
    assert not parameters_changed(picture(SPS), picture(SPS, PPS))
