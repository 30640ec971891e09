"""A survey says how often a camera would have refused; `decide` itself is asked whether that is so."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.installation.survey_outage import TimeSpan, dark_spans, is_refused_at, refusal_spans
from tests.house.house import SimulatedHome
from tests.house.story import announce_delivery, good_day

RING, LIVE = 20.0, 5.0
LONG = 60.0  # seconds of a survey
EDGE = 0.6  # seconds in which the survey and a real visit may differ: a film is on disk a moment later than it is live


def test_a_camera_that_was_live_all_the_time_refuses_nobody() -> None:
    proofs = [(n / 4, True) for n in range(240)]
    assert dark_spans(proofs, until=60.0) == ()
    assert refusal_spans((), ring=RING, live=LIVE, begin=0, end=60) == ()


def test_a_short_failure_refuses_nobody_and_a_long_one_from_the_ringing_before_it_on() -> None:
    brief, lasting = TimeSpan(begin=30, end=30.7), TimeSpan(begin=100, end=112)
    assert refusal_spans((brief, lasting), ring=RING, live=LIVE, begin=0, end=200) == (TimeSpan(begin=80, end=107),)


def test_failures_that_refuse_the_same_scans_are_counted_once() -> None:
    darks = (TimeSpan(begin=100, end=106), TimeSpan(begin=110, end=116))
    assert refusal_spans(darks, ring=RING, live=LIVE, begin=0, end=200) == (TimeSpan(begin=80, end=111),)


def test_a_courier_is_refused_who_comes_in_the_ringing_before_a_failure_and_no_other() -> None:
    darks = (TimeSpan(begin=30, end=30.7), TimeSpan(begin=100, end=112))
    seconds = (29, 30, 79.9, 80, 100, 106.9, 107, 112)
    assert [s for s in seconds if is_refused_at(darks, s, ring=RING, live=LIVE)] == [80, 100, 106.9]


def test_what_nobody_proves_is_not_live() -> None:
    proofs = [(0.0, True), (0.25, False), (2.0, True), (2.25, True), (9.0, True)]
    assert dark_spans(proofs, until=12.0) == (
        TimeSpan(begin=0.25, end=2.0), TimeSpan(begin=3.25, end=9.0), TimeSpan(begin=10.0, end=12.0),
    )  # fmt: skip


class Filmed(SimulatedHome):
    """A house whose outside camera is dark at some times."""

    darks: tuple[TimeSpan, ...] = ()
    begin = 0.0

    def darken(self, darks: tuple[TimeSpan, ...]) -> None:
        for span in darks:
            for at, down in ((span.begin, frozenset({"outside"})), (span.end, frozenset[str]())):
                self.later(max(0.0, at), lambda down=down: self._turn(down))  # type: ignore[misc]  # its default

    def _turn(self, down: frozenset[str]) -> None:
        self.faults.camera = down
        self.cameras_say(0.0)


def refused(darks: tuple[TimeSpan, ...], scan: float) -> bool:
    """Whether `decide` refuses a scan at this second for the camera."""
    house = good_day()
    house.__class__ = Filmed
    assert isinstance(house, Filmed)
    house.darken(darks)
    announce_delivery(house)
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
    darks, at = list[TimeSpan](), 0.0
    for lit, lasts in lengths:
        at += lit
        darks.append(TimeSpan(begin=at, end=at + lasts))
        at += lasts
    reckoned = refusal_spans(darks, ring=RING, live=LIVE, begin=-100, end=LONG + 100)
    sure = [TimeSpan(begin=span.begin + EDGE, end=span.end - EDGE) for span in reckoned]
    maybe = [TimeSpan(begin=span.begin - EDGE, end=span.end + EDGE) for span in reckoned]
    if _near(darks):
        return  # whether it lasted too long is then decided by a moment
    if any(span.begin <= scan <= span.end for span in sure):
        assert refused(tuple(darks), scan)
    elif not any(span.begin <= scan <= span.end for span in maybe):
        assert not refused(tuple(darks), scan)


def _near(darks: list[TimeSpan]) -> bool:
    """Whether some failure lasts almost as long as it may."""
    return any(abs(span.seconds - LIVE) < EDGE for span in darks)
