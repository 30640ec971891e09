"""What an intercom tells is heard once, however its bytes come, and what cannot be read hides nothing."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from devices.reports import DoorbellPressed, MotionReport
from gateway.integrations.intercom.doorbird import MAX_LINE_BYTES, MonitorStream
from gateway.integrations.intercom.twon import EventLog, RelayState

PART = b"--ioboundary\r\nContent-Type: text/plain\r\n\r\n%b\r\n\r\n"
STREAM = b"".join(
    PART % line
    for line in (
        b"doorbell:L", b"motionsensor:L", b"doorbell:H", b"doorbell:L", b"motionsensor:H", b"doorbell:L",
        b"doorbell:H", b"doorbell:H",
    )
)  # fmt: skip
HEARD = [DoorbellPressed(), MotionReport(detected=True), DoorbellPressed()]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_means_the_same_wherever_its_bytes_are_cut(cuts: list[int]) -> None:
    stream, found = MonitorStream(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(edges):
        found += stream.feed(STREAM[start:end])
    assert found == HEARD


def test_the_first_state_of_a_stream_is_how_it_was_and_no_ring() -> None:
    assert MonitorStream().feed(PART % b"doorbell:H") == []
    stream = MonitorStream()
    assert stream.feed(b"doorbell:L\n" * 3) == []
    assert stream.feed(b"doorbell:H\n") == [DoorbellPressed()]


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_no_bytes_end_a_stream_or_fill_the_memory(pieces: list[bytes]) -> None:
    stream = MonitorStream()
    for piece in pieces:
        stream.feed(piece)
    assert len(stream._rest) <= MAX_LINE_BYTES  # noqa: SLF001 - what it holds is the point


def event(id_: int, up: int, name: str = "KeyPressed", **params: object) -> dict[str, Any]:
    return {"id": id_, "upTime": up, "event": name, "params": params or {"key": "%1"}}


def test_each_event_is_heard_once_and_after_a_restart_its_numbers_begin_again() -> None:
    log = EventLog(1, ("%1",))
    assert log.read([event(500, 3000), event(501, 3001)]) == [DoorbellPressed()] * 2
    assert log.read([event(501, 3001), event(500, 3001)]) == [], "told again"
    assert log.read([event(2, 4), event(3, 5)]) == [DoorbellPressed()] * 2, "it was restarted"


def test_only_the_bell_s_button_is_the_bell_and_only_our_switch_is_the_strike() -> None:
    log = EventLog(1, ("%1", "%2"))
    assert log.read([event(1, 1, key="%2"), event(2, 1, key="5"), event(3, 1, "KeyReleased", key="%1")]) == [
        DoorbellPressed()
    ]
    switched = [event(4, 2, "SwitchStateChanged", switch=2, state=True, originator="api")]
    assert log.read(switched) == []
    switched = [event(5, 2, "SwitchStateChanged", switch=1, state=True, originator="api")]
    assert log.read(switched) == [RelayState(on=True)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("id", "upTime", "event", "params", "key", "switch", "state")), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_no_answer_ends_the_reading_of_events(answer: object) -> None:
    EventLog(1, ("%1",)).read(answer)
