"""An intercom obeys whatever arrives: so an order is passed on once, while it lives, and never by two processes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from devices.commands import UnlockDoor
from devices.reports import OperationError
from gateway.integrations.orders import MAX_REMEMBERED_ORDERS, Instant, OrderBook, PassOn, Refuse

BEGAN = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
BOOT = "b1"


def instant(seconds: float, *, wall_off: float = 0.0) -> Instant:
    return Instant(utc=BEGAN + timedelta(seconds=seconds + wall_off), uptime_ms=int(seconds * 1000))


def order(id_: str = "v1", *, at: float = 60.0, life: float = 5.0, boot: str | None = None) -> UnlockDoor:
    issued = BEGAN + timedelta(seconds=at)
    return UnlockDoor(
        id=id_, intent=id_, issued_at=issued, expires_at=issued + timedelta(seconds=life), boot=boot,
        until_ms=None if boot is None else int((at + life) * 1000),
    )  # fmt: skip


def refused(failure: OperationError) -> Refuse:
    return Refuse(failure=failure)


def test_an_order_that_lives_is_passed_on_once_and_a_copy_of_it_never() -> None:
    book = OrderBook(BOOT, BEGAN)
    assert book.decide(order(), instant(62), busy=False) == PassOn(life_s=3.0)
    assert book.decide(order(), instant(62), busy=False) == refused(OperationError.REPEATED)
    assert book.decide(order("v2"), instant(62), busy=True) == refused(OperationError.BUSY)
    assert book.decide(order("v2"), instant(63), busy=False) == refused(OperationError.REPEATED), "nobody waits for it"


def test_a_late_order_is_not_passed_on_whichever_clock_says_so() -> None:
    late = refused(OperationError.EXPIRED)
    assert OrderBook(BOOT, BEGAN).decide(order(), instant(65), busy=False) == late
    by_uptime = order(boot=BOOT)
    assert OrderBook(BOOT, BEGAN).decide(by_uptime, instant(65.1), busy=False) == late
    # A wall clock that is wrong changes nothing for an order that names this process's own uptime.
    assert OrderBook(BOOT, BEGAN).decide(by_uptime, instant(62, wall_off=-3600), busy=False) == PassOn(life_s=3.0)
    assert OrderBook(BOOT, BEGAN).decide(by_uptime, instant(66, wall_off=-3600), busy=False) == late


def test_an_order_of_before_this_process_began_may_have_been_passed_on_by_another() -> None:
    late = refused(OperationError.EXPIRED)
    assert OrderBook(BOOT, BEGAN).decide(order(at=-1.0, life=10.0), instant(1), busy=False) == late
    assert OrderBook(BOOT, BEGAN).decide(order(boot="b0"), instant(61), busy=False) == late


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 30), st.floats(0, 30), st.booleans(), st.booleans()), max_size=40
    )
)
def test_whatever_comes_no_id_is_passed_on_twice_and_nothing_after_its_life(
    arrivals: list[tuple[int, float, float, bool, bool]],
) -> None:
    book, passed = OrderBook(BOOT, BEGAN), list[str]()
    for number, issued, arrives, by_uptime, busy in arrivals:
        one = order(f"v{number}", at=issued, boot=BOOT if by_uptime else None)
        verdict = book.decide(one, instant(arrives), busy=busy)
        if isinstance(verdict, PassOn):
            passed.append(one.id)
            assert not busy
            assert arrives < issued + 5.0
            assert verdict.life_s <= 5.0 or by_uptime
    assert len(passed) == len(set(passed))


def test_a_flood_of_ids_takes_no_memory_without_end() -> None:
    book = OrderBook(BOOT, BEGAN)
    for number in range(MAX_REMEMBERED_ORDERS + 10):
        book.decide(order(f"v{number}"), instant(62), busy=False)
    assert len(book._seen) == MAX_REMEMBERED_ORDERS  # noqa: SLF001 - what it holds is the point
