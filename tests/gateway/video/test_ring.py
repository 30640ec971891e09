from hypothesis import given
from hypothesis import strategies as st

from gateway.video.ring import EncodedPicture, PreRollBuffer


def sample(number: int, *, key: bool, size: int = 10) -> EncodedPicture:
    return EncodedPicture(bytes(size), number, number, key, float(number))


def filled(
    keys: list[bool], *, pre_roll: float = 10.0, limit: int = 1 << 20
) -> tuple[list[EncodedPicture], PreRollBuffer]:
    ring, samples = PreRollBuffer(pre_roll, limit), [sample(number, key=key) for number, key in enumerate(keys)]
    for each in samples:
        ring.add(each)
    return samples, ring


def test_nothing_is_kept_before_the_first_key_picture() -> None:
    _, ring = filled([False, False, True, False])

    assert [held.dts for held in ring] == [2, 3]


def test_the_oldest_group_goes_only_when_the_next_one_covers_the_whole_pre_roll() -> None:
    _, ring = filled([number % 4 == 0 for number in range(22)])

    assert next(iter(ring)).dts == 8  # 21 - 10 = 11: the group that begins at 12 does not reach back to 11 yet


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 20))
def test_a_ring_holds_the_newest_pictures_without_a_hole_from_a_key_picture_on(keys: list[bool], pre_roll: int) -> None:
    samples, ring = filled(keys, pre_roll=pre_roll)
    held = list(ring)

    assert held == samples[len(samples) - len(held) :]
    assert not held or held[0].is_key
    if True in keys:
        first = keys.index(True)
        assert held
        assert held[0].arrived_at <= max(first, len(keys) - 1 - pre_roll)


def test_a_stream_that_is_too_fat_keeps_less_than_the_pre_roll_and_never_half_a_group() -> None:
    _, ring = filled([number % 4 == 0 for number in range(20)], pre_roll=1000, limit=95)

    assert [held.dts for held in ring] == [*range(12, 20)]


def test_a_stream_without_key_pictures_cannot_fill_the_memory() -> None:
    _, ring = filled([True, *[False] * 100], limit=95)

    assert len(ring) == 0


def test_without_a_pre_roll_only_the_newest_group_is_kept_from_the_next_picture_on() -> None:
    _, ring = filled([number % 4 == 0 for number in range(10)])
    assert [held.dts for held in ring.newest_group()] == [8, 9]
    assert len(ring) == 10

    ring.pre_roll_s = 0.0
    ring.add(sample(10, key=False))
    assert [held.dts for held in ring] == [held.dts for held in ring.newest_group()] == [8, 9, 10]
    ring.add(sample(11, key=True))
    assert [held.dts for held in ring] == [11]


def test_an_empty_ring_has_no_newest_group() -> None:
    assert PreRollBuffer(10.0).newest_group() == []
