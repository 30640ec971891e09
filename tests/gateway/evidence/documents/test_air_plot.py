"""The plot of the air in a visit, and the words of an item's passport."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reports import DoorState
from gateway.domain.delivery.cold_verdict import ColdReason, ColdVerdict
from gateway.evidence.documents.air_plot import (
    MARK_TEXTS,
    MIN_LABEL_DISTANCE,
    REASON_TEXTS,
    VERDICT_TEXTS,
    PlotMark,
    air_plots,
    degrees,
    item_lines,
    limits_text,
)
from gateway.protocol.cold_chain import ColdChainAccount, StatedLimits
from tests.gateway.protocol.test_cold_chain import Kitchen, account_of, come_in, go, house_with_items, says, stow


def visit_with_a_gap() -> ColdChainAccount:
    house, log = house_with_items()
    come_in(house)
    says(house, None)
    house.run(2)
    says(house, 1.5, door=DoorState.OPEN)
    house.run(2)
    stow(house)
    house.run(2)
    says(house, 1.8)
    go(house)
    return account_of(log)


def test_the_line_of_the_air_has_a_hole_where_it_is_unknown() -> None:
    (plot,) = air_plots(visit_with_a_gap())
    first, second = plot.lines
    assert first[0][0] == 0.0
    assert first[-1][0] < second[0][0]
    assert second[-1][0] == 1.0


def test_door_scan_at_the_place_closing_and_securing_are_marked_in_their_order() -> None:
    (plot,) = air_plots(visit_with_a_gap())
    assert [mark for mark, _, _ in plot.marks] == [
        PlotMark.DOOR, PlotMark.STOWED, PlotMark.CLOSED, PlotMark.SECURED
    ]  # fmt: skip
    places = [x for _, _, x in plot.marks]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 1.0)


def test_the_limits_are_within_the_plot() -> None:
    (plot,) = air_plots(visit_with_a_gap())
    assert len(plot.limits) == 2
    assert all(0.0 < height < 1.0 for height in plot.limits)
    assert (plot.low, plot.high) == (-0.5, 2.5)


def test_each_limit_has_its_number_and_none_lies_over_another() -> None:
    (plot,) = air_plots(visit_with_a_gap())
    assert [degrees(value, "en") for _, value in plot.scale] == ["-0.5 °C", "0.0 °C", "2.0 °C", "2.5 °C"]
    heights = [height for height, _ in plot.scale]
    assert all(above - below >= MIN_LABEL_DISTANCE for below, above in pairwise(heights))


def test_a_place_whose_air_was_never_known_has_no_plot() -> None:
    account = visit_with_a_gap()
    (air,) = account.air
    blind = tuple(point.model_copy(update={"celsius": None}) for point in air.points)
    assert air_plots(account.model_copy(update={"air": (air.model_copy(update={"points": blind}),)})) == ()


@given(st.integers(0, 10_000))
def test_every_point_of_every_plot_is_in_its_frame(seed: int) -> None:
    kitchen = Kitchen(seed)
    kitchen.play()
    for plot in air_plots(account_of(kitchen.log)):
        assert all(0.0 <= value <= 1.0 for line in plot.lines for point in line for value in point)
        assert all(x <= after for line in plot.lines for (x, _), (after, _) in pairwise(line))


def test_each_verdict_reason_and_mark_has_its_words() -> None:
    assert VERDICT_TEXTS.keys() == set(ColdVerdict)
    assert REASON_TEXTS.keys() == set(ColdReason)
    assert MARK_TEXTS.keys() == set(PlotMark)


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (StatedLimits(max_c=-18.0), "at most -18.0 °C"),
        (StatedLimits(min_c=63.0), "at least 63.0 °C"),
        (StatedLimits(min_c=0.0, max_c=2.0), "0.0 °C to 2.0 °C"),
    ],
)
def test_limits_are_said_as_they_are(limits: StatedLimits, text: str) -> None:
    assert limits_text(limits, "en") == text


def test_an_item_says_what_was_wrong_first_and_in_the_readers_language() -> None:
    (item,) = visit_with_a_gap().items
    reasons, limits, seconds, air = item_lines(item, "fr")
    assert reasons == "l'air n'était pas connu pendant un moment"
    assert limits == "Limites : de 0,0 °C à 2,0 °C"
    assert "(au plus 120 s)" in seconds
    assert air == "Air avant : 1,0 °C, jusqu'à sa place : de 1,0 °C à 1,5 °C, ensuite : 1,8 °C"
