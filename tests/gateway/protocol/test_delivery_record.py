"""A retailer's extract of a box's log: whatever is altered, left out, moved or put in is found, and named."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.promise import DeliveryResult, State
from gateway.domain.delivery.result import DoorResult
from gateway.protocol.box_hub import GENESIS_DIGEST, MAX_EVENT_BYTES, BoxEvent, sign_by_box, verify_by_box
from gateway.protocol.delivery_record import (
    MAX_LINES,
    DeliveryRecord,
    RecordEntry,
    RecordEntryKind,
    RecordLine,
    Statement,
    chain_lines,
    first_break,
    head_hash,
)
from gateway.protocol.hash_chain import ChainFault
from gateway.protocol.jws import DELIVERY_RECORD, RejectionCode
from gateway.protocol.keys import BoxKey

KEY = BoxKey.generate()
AT = datetime(2026, 11, 25, 17, 0, 0, tzinfo=UTC)

said = st.builds(
    RecordEntry,
    at=st.integers(0, 10**8).map(lambda micros: AT + timedelta(microseconds=micros)),
    what=st.sampled_from(RecordEntryKind),
    code=st.none() | st.text("ABC0123", min_size=1, max_size=4),
    celsius=st.none() | st.floats(-40, 40),
)
logs = st.lists(said, min_size=1, max_size=MAX_LINES + 5)


def stated(lines: tuple[RecordLine, ...], left_out: int = 0, **more: object) -> Statement:
    plain = {"home": "home-1", "brand": "lune", "delivery": "order-1", "version": 1, "state": State.DELIVERED,
             "missing": 0, "house": DoorResult.LOCKED_AGAIN, "at": AT, "clock_trusted": True, "lines": len(lines),
             "left_out": left_out, "head": head_hash(lines), "entry": "e" * 64}  # fmt: skip
    return Statement.model_validate({**plain, **more})


@given(logs)
def test_what_the_box_wrote_holds_in_the_order_of_time(log: list[RecordEntry]) -> None:
    lines, left_out = chain_lines(log)
    assert first_break(lines, stated(lines)) is None
    assert len(lines) + left_out == len(log)
    assert [line.at for line in lines] == sorted(line.at for line in lines)


@given(logs, st.data())
def test_a_line_that_was_altered_is_named(log: list[RecordEntry], data: st.DataObject) -> None:
    lines, _ = chain_lines(log)
    place = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(said)
    line = lines[place]
    changed = RecordLine(**other.model_dump(), n=line.n, hash=line.hash)
    if changed != line:
        found = first_break((*lines[:place], changed, *lines[place + 1 :]), stated(lines))
        assert found is not None
        assert (found.seq, found.fault) == (place + 1, ChainFault.CHANGED)


@given(logs, st.data())
def test_a_line_that_was_left_out_is_named_in_the_middle_and_at_the_end(
    log: list[RecordEntry], data: st.DataObject
) -> None:
    lines, _ = chain_lines(log)
    place = data.draw(st.integers(0, len(lines) - 1))
    found = first_break((*lines[:place], *lines[place + 1 :]), stated(lines))
    assert found is not None
    assert (found.seq, found.fault) == (place + 1, ChainFault.MISSING)


@given(logs.filter(lambda log: len(log) > 1), st.data())
def test_lines_that_changed_places_or_stand_twice_are_found(log: list[RecordEntry], data: st.DataObject) -> None:
    lines, _ = chain_lines(log)
    place = data.draw(st.integers(0, len(lines) - 2))
    moved = (*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :])
    found = first_break(moved, stated(lines))
    assert found is not None
    assert (found.seq, found.fault) == (place + 1, ChainFault.OUT_OF_ORDER)
    assert first_break((*lines, lines[-1]), stated(lines)) is not None


@given(logs, logs)
def test_a_whole_other_log_is_no_log_of_this_statement(log: list[RecordEntry], other: list[RecordEntry]) -> None:
    lines, theirs = chain_lines(log)[0], chain_lines(other)[0]
    if lines != theirs:
        assert first_break(theirs, stated(lines)) is not None


TOKEN = sign_by_box(stated(chain_lines([RecordEntry(at=AT, what=RecordEntryKind.OPENED)])[0]), KEY.sign)


@given(at=st.integers(0, len(TOKEN) - 1), byte=st.integers(0, 255))
def test_no_byte_of_what_is_signed_can_be_another(at: int, byte: int) -> None:
    altered = TOKEN[:at] + bytes([byte]) + TOKEN[at + 1 :]
    if altered != TOKEN:
        assert isinstance(verify_by_box(Statement, altered, KEY.public), RejectionCode)


def test_another_box_s_account_is_none_and_no_event_passes_for_one() -> None:
    assert isinstance(verify_by_box(Statement, TOKEN, KEY.public), Statement)
    assert verify_by_box(Statement, TOKEN, BoxKey.generate().public) is RejectionCode.WRONG_SIGNATURE
    assert verify_by_box(BoxEvent, TOKEN, KEY.public) is RejectionCode.WRONG_HEADER
    event = sign_by_box(BoxEvent(home="home-1", seq=1, prev=GENESIS_DIGEST, at=AT), KEY.sign)
    assert verify_by_box(Statement, event, KEY.public) is RejectionCode.WRONG_HEADER
    assert TOKEN.startswith(DELIVERY_RECORD.header())


def test_the_largest_account_fits_into_an_event() -> None:
    """What a hub refuses for its size it would never acknowledge: the box's line would stand still."""
    long = RecordEntry(at=AT + timedelta(microseconds=123456), what=RecordEntryKind.TEMPERATURE, celsius=-99.9)
    lines, left_out = chain_lines([long] * 1000)
    name, at = "w" * 64, AT + timedelta(microseconds=123456)
    statement = stated(
        lines, left_out=left_out, home=name, brand=name, delivery=name, version=2**31 - 1, at=at, missing=50,
        reason="partly_delivered" * 4, message_sha256="f" * 64,
    )  # fmt: skip
    result = DeliveryResult(
        box=name, at=at, brand=name, delivery=name, version=2**31 - 1, state=State.PARTLY_DELIVERED, missing=50,
        house=DoorResult.HANDED_TO_OWNER, reason="r" * 64, answers="j" * 64, token_sha256="f" * 64, accepted=False,
        code="c" * 64,
    )  # fmt: skip
    happened = BoxEvent(
        home=name, seq=2**53 - 1, prev="f" * 64, at=at, result=result,
        account=DeliveryRecord(lines=lines, token=sign_by_box(statement, KEY.sign).decode()),
    )  # fmt: skip
    token = sign_by_box(happened, KEY.sign)
    assert len(token) <= MAX_EVENT_BYTES
    assert verify_by_box(BoxEvent, token, KEY.public) == happened
