"""docs/reference/phases.md and its drawing show the phases and the arrows that `TRANSITIONS` declares, and no other."""

import re

from gateway.domain.visit.state import TRANSITIONS, Phase
from tests import phases_picture

AGAIN = "run `python -m tests.phases_picture`"


def test_the_drawing_is_up_to_date() -> None:
    assert phases_picture.PICTURE.read_text(encoding="utf-8") == phases_picture.picture(), AGAIN


def test_the_table_of_the_page_is_up_to_date() -> None:
    page = phases_picture.PAGE.read_text(encoding="utf-8")
    assert phases_picture.BEGIN in page
    assert phases_picture.page(page) == page, AGAIN


def test_every_phase_has_its_place_in_the_drawing_and_its_row_in_the_page() -> None:
    assert set(phases_picture.PLACES) == set(TRANSITIONS) == {None, *Phase}
    page = phases_picture.PAGE.read_text(encoding="utf-8")
    for phase in TRANSITIONS:
        assert f"\n| {phases_picture.phase_name(phase)} | " in page.partition(phases_picture.BEGIN)[0]


def test_every_arrow_is_drawn_once() -> None:
    drawn = re.findall(r"<title>([^<]+)</title><path", phases_picture.picture())
    declared = [
        f"{phases_picture.phase_name(before)} to {phases_picture.phase_name(after)}"
        for before, following in TRANSITIONS.items()
        for after in following
    ]
    assert sorted(drawn) == sorted(declared)


def test_every_phase_can_be_reached_and_left() -> None:
    reached = {after for following in TRANSITIONS.values() for after in following}
    assert reached == {None, *Phase}
    assert all(TRANSITIONS.values())
