"""A survey says how often a camera would have refused; `decide` itself is asked whether that is so."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.installation.survey_outage import Span, dark, refused_at, refusing
from tests.house.house import House
from tests.house.story import announce, good_day

RING, LIVE = 20.0, 5.0
LONG = 60.0  # seconds of a survey
EDGE = 0.6  # seconds in which the survey and a real visit may differ: a film is on disk a moment later than it is live


def test_a_camera_that_was_live_all_the_time_refuses_nobody() -> None:
    proofs = [(n / 4, True) for n in range(240)]
    assert dark(proofs, until=60.0) == ()
    assert refusing((), ring=RING, live=LIVE, begin=0, end=60) == ()


def test_a_short_failure_refuses_nobody_and_a_long_one_from_the_ringing_before_it_on() -> None:
    brief, lasting = Span(begin=30, end=30.7), Span(begin=100, end=112)
    assert refusing((brief, lasting), ring=RING, live=LIVE, begin=0, end=200) == (Span(begin=80, end=107),)


def test_failures_that_refuse_the_same_scans_are_counted_once() -> None:
    darks = (Span(begin=100, end=106), Span(begin=110, end=116))
    assert refusing(darks, ring=RING, live=LIVE, begin=0, end=200) == (Span(begin=80, end=111),)


def test_a_courier_is_refused_who_comes_in_the_ringing_before_a_failure_and_no_other() -> None:
    darks = (Span(begin=30, end=30.7), Span(begin=100, end=112))
    seconds = (29, 30, 79.9, 80, 100, 106.9, 107, 112)
    assert [s for s in seconds if refused_at(darks, s, ring=RING, live=LIVE)] == [80, 100, 106.9]


def test_what_nobody_proves_is_not_live() -> None:
    proofs = [(0.0, True), (0.25, False), (2.0, True), (2.25, True), (9.0, True)]
    assert dark(proofs, until=12.0) == (
        Span(begin=0.25, end=2.0), Span(begin=3.25, end=9.0), Span(begin=10.0, end=12.0),
    )  # fmt: skip


class Filmed(House):
    """A house whose outside camera is dark at some times."""

    darks: tuple[Span, ...] = ()
    begin = 0.0

    def darken(self, darks: tuple[Span, ...]) -> None:
        for span in darks:
            for at, down in ((span.begin, frozenset({"outside"})), (span.end, frozenset[str]())):
                self.later(max(0.0, at), lambda down=down: self._turn(down))  # type: ignore[misc]  # its default

    def _turn(self, down: frozenset[str]) -> None:
        self.faults.camera = down
        self.cameras_say(0.0)


def refused(darks: tuple[Span, ...], scan: float) -> bool:
    """Whether `decide` refuses a scan at this second for the camera."""
    house = good_day()
    house.__class__ = Filmed
    assert isinstance(house, Filmed)
    house.darken(darks)
    announce(house)
    house.run(scan)
    house.scan("d0-1")
    house.run(RING + LIVE + 40)
    assert set(house.refusals) <= {"camera_unavailable"}
    return bool(house.refusals)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.tuples(st.floats(1.5, 30), st.floats(0.2, 12)), max_size=4),
    scan=st.floats(0, LONG),
)
def test_what_a_survey_reckons_is_what_the_rules_decide(lengths: list[tuple[float, float]], scan: float) -> None:
    darks, at = list[Span](), 0.0
    for lit, lasts in lengths:
        at += lit
        darks.append(Span(begin=at, end=at + lasts))
        at += lasts
    reckoned = refusing(darks, ring=RING, live=LIVE, begin=-100, end=LONG + 100)
    sure = [Span(begin=span.begin + EDGE, end=span.end - EDGE) for span in reckoned]
    maybe = [Span(begin=span.begin - EDGE, end=span.end + EDGE) for span in reckoned]
    if _near(darks):
        return  # whether it lasted too long is then decided by a moment
    if any(span.begin <= scan <= span.end for span in sure):
        assert refused(tuple(darks), scan)
    elif not any(span.begin <= scan <= span.end for span in maybe):
        assert not refused(tuple(darks), scan)


def _near(darks: list[Span]) -> bool:
    """Whether some failure lasts almost as long as it may."""
    return any(abs(span.seconds - LIVE) < EDGE for span in darks)
