"""A retailer's extract of a box's log: whatever is altered, left out, moved or put in is found, and named."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.promise import Result, State
from gateway.domain.visit.state import DoorResult
from gateway.protocol.box_event import ACCOUNT_HEADER, Untrue, seal, unseal, vouch, vouched
from gateway.protocol.box_hub import BEGINNING, LARGEST_EVENT, Happened
from gateway.protocol.delivery_record import MOST, Account, Line, Said, Statement, What, broken, chained, head_of
from gateway.protocol.hash_chain import Fault
from gateway.protocol.keys import BoxKey

KEY = BoxKey.fresh()
AT = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)

said = st.builds(
    Said,
    at=st.integers(0, 10**8).map(lambda micros: AT + timedelta(microseconds=micros)),
    what=st.sampled_from(What),
    code=st.none() | st.text("ABC0123", min_size=1, max_size=4),
    celsius=st.none() | st.floats(-40, 40),
)
logs = st.lists(said, min_size=1, max_size=MOST + 5)


def stated(lines: tuple[Line, ...], left_out: int = 0, **more: object) -> Statement:
    plain = {"home": "home-1", "brand": "lune", "delivery": "order-1", "version": 1, "state": State.DELIVERED,
             "missing": 0, "house": DoorResult.LOCKED_AGAIN, "at": AT, "clock_trusted": True, "lines": len(lines),
             "left_out": left_out, "head": head_of(lines), "entry": "e" * 64}  # fmt: skip
    return Statement.model_validate({**plain, **more})


@given(logs)
def test_what_the_box_wrote_holds_in_the_order_of_time(log: list[Said]) -> None:
    lines, left_out = chained(log)
    assert broken(lines, stated(lines)) is None
    assert len(lines) + left_out == len(log)
    assert [line.at for line in lines] == sorted(line.at for line in lines)


@given(logs, st.data())
def test_a_line_that_was_altered_is_named(log: list[Said], data: st.DataObject) -> None:
    lines, _ = chained(log)
    place = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(said)
    line = lines[place]
    changed = Line(**other.model_dump(), n=line.n, hash=line.hash)
    if changed != line:
        found = broken((*lines[:place], changed, *lines[place + 1 :]), stated(lines))
        assert found is not None
        assert (found.seq, found.fault) == (place + 1, Fault.CHANGED)


@given(logs, st.data())
def test_a_line_that_was_left_out_is_named_in_the_middle_and_at_the_end(log: list[Said], data: st.DataObject) -> None:
    lines, _ = chained(log)
    place = data.draw(st.integers(0, len(lines) - 1))
    found = broken((*lines[:place], *lines[place + 1 :]), stated(lines))
    assert found is not None
    assert (found.seq, found.fault) == (place + 1, Fault.MISSING)


@given(logs.filter(lambda log: len(log) > 1), st.data())
def test_lines_that_changed_places_or_stand_twice_are_found(log: list[Said], data: st.DataObject) -> None:
    lines, _ = chained(log)
    place = data.draw(st.integers(0, len(lines) - 2))
    moved = (*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :])
    found = broken(moved, stated(lines))
    assert found is not None
    assert (found.seq, found.fault) == (place + 1, Fault.OUT_OF_ORDER)
    assert broken((*lines, lines[-1]), stated(lines)) is not None


@given(logs, logs)
def test_a_whole_other_log_is_no_log_of_this_statement(log: list[Said], other: list[Said]) -> None:
    lines, theirs = chained(log)[0], chained(other)[0]
    if lines != theirs:
        assert broken(theirs, stated(lines)) is not None


TOKEN = vouch(stated(chained([Said(at=AT, what=What.OPENED)])[0]), KEY.sign).encode()


@given(at=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255))
def test_no_byte_of_what_is_signed_can_be_another(at: int, byte: int) -> None:
    altered = TOKEN[:at] + bytes([byte]) + TOKEN[at + 1 :]
    if altered != TOKEN:
        assert isinstance(vouched(altered, KEY.public), Untrue)


def test_another_box_s_account_is_none_and_no_event_passes_for_one() -> None:
    assert isinstance(vouched(TOKEN, KEY.public), Statement)
    assert vouched(TOKEN, BoxKey.fresh().public) is Untrue.WRONG_SIGNATURE
    assert unseal(TOKEN, KEY.public) is Untrue.MALFORMED
    event = seal(Happened(home="home-1", seq=1, prev=BEGINNING, at=AT), KEY.sign)
    assert vouched(event, KEY.public) is Untrue.MALFORMED
    assert TOKEN.startswith(ACCOUNT_HEADER)


def test_the_largest_account_fits_into_an_event() -> None:
    """What a hub refuses for its size it would never acknowledge: the box's line would stand still."""
    long = Said(at=AT + timedelta(microseconds=123456), what=What.TEMPERATURE, celsius=-99.9)
    lines, left_out = chained([long] * 1000)
    name, at = "w" * 64, AT + timedelta(microseconds=123456)
    statement = stated(
        lines, left_out=left_out, home=name, brand=name, delivery=name, version=2**31 - 1, at=at, missing=50,
        reason="partly_delivered" * 4, message_sha256="f" * 64,
    )  # fmt: skip
    result = Result(
        box=name, at=at, brand=name, delivery=name, version=2**31 - 1, state=State.PARTLY_DELIVERED, missing=50,
        house=DoorResult.HANDED_TO_OWNER, reason="r" * 64, answers="j" * 64, token_sha256="f" * 64, accepted=False,
        code="c" * 64,
    )  # fmt: skip
    happened = Happened(
        home=name, seq=2**53 - 1, prev="f" * 64, at=at, result=result,
        account=Account(lines=lines, token=vouch(statement, KEY.sign)),
    )  # fmt: skip
    token = seal(happened, KEY.sign)
    assert len(token) <= LARGEST_EVENT
    assert unseal(token, KEY.public) == happened
