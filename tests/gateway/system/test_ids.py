"""No id is given twice, also not by a process that was forked."""

import os
import re
from collections.abc import Callable

import pytest

from gateway.system.ids import random_text, unique_id


def test_no_id_is_given_twice() -> None:
    drawn = [unique_id() for _ in range(2_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in drawn)


def test_no_random_text_is_given_twice_and_each_character_occurs_in_each_place() -> None:
    drawn = [random_text() for _ in range(2_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch("[a-z2-7]{26}", one) for one in drawn)
    assert all(len(set(place)) == 32 for place in zip(*drawn, strict=True))


@pytest.mark.parametrize("make", [unique_id, random_text])
def test_a_forked_process_gives_other_ids(make: Callable[[], str]) -> None:
    make()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, make().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    assert theirs
    assert theirs not in {make() for _ in range(1_000)}
