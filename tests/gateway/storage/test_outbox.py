"""What phones are owed: with the decision or not at all, by one process at a time, until they have it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.storage.models import CommitResult
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import make_step, open_store
from tests.gateway.domain.delivery.shop import NOW, noon_plus

HELD = timedelta(seconds=50)
ALARM = c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED)


async def alarmed(store: Store, now: Now = NOW) -> int:
    outcome = await store.commit(make_step(Entrance(id="front"), ALARM, now=now))
    assert isinstance(outcome, CommitResult)
    return outcome.messages[0]


def owed(store: Store, phone: str, now: Now = NOW) -> list[int]:
    return [one.id for one in store.phones.pending(phone, now, until=now.utc + HELD)]


async def test_each_phone_is_owed_each_message_until_it_has_it_over_restarts(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["a", "b"], NOW)
        first, second = await alarmed(store), await alarmed(store)
        await store.phones.mark_delivered("a", (first,))
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["a", "b"], NOW)
        assert (owed(store, "a"), owed(store, "b"), owed(store, "c")) == ([second], [first, second], [])
        await store.messages.mark_sent(second, NOW)  # the broker's mark is another matter
        assert owed(store, "a") == [second]
        assert store.phones.pending("a", NOW, until=NOW.utc + HELD)[0].entrance == "front"


async def test_a_new_phone_is_owed_what_happens_from_now_on_and_one_that_is_gone_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await alarmed(store)
        await store.phones.set_recipients(["a"], NOW)
        second = await alarmed(store)
        await store.phones.set_recipients(["b"], NOW)
        third = await alarmed(store)
        assert (owed(store, "a"), owed(store, "b")) == ([], [third])
        await store.phones.set_recipients(["a", "b"], NOW)
        assert (owed(store, "a"), owed(store, "b")) == ([], [third])
        assert second < third


async def test_what_one_that_goes_still_waited_for_is_owed_to_those_that_came_after_it_was_said(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["early", "gone"], NOW)
        message = await alarmed(store)
        await store.phones.mark_delivered("early", (message,))
        await store.phones.set_recipients(["early", "gone", "late"], noon_plus(minutes=1))
        assert (owed(store, "early"), owed(store, "late")) == ([], [])
        await store.phones.set_recipients(["early", "late"], noon_plus(minutes=2))
        assert (owed(store, "early"), owed(store, "late")) == ([], [message]), "the early one has had it"


async def test_who_takes_a_message_up_has_it_alone_for_its_time(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, open_store(tmp_path) as other:
        await store.phones.set_recipients(["a"], NOW)
        first, second = await alarmed(store), await alarmed(store)
        until = NOW.utc + HELD
        assert await store.phones.claim("a", (first,), NOW, until=until) == {first}
        assert await other.phones.claim("a", (first, second, 999), NOW, until=until) == {second}
        assert owed(other, "a") == []
        await other.phones.release("a", (second,))
        assert owed(store, "a") == [second]
        later = noon_plus(seconds=50)
        assert owed(store, "a", later) == [first, second]  # whoever held it is dead
        assert await other.phones.claim("a", (first,), later, until=later.utc + HELD) == {first}


async def test_a_clock_that_was_wrong_holds_nothing_for_long(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["a"], NOW)
        number = await alarmed(store)
        ahead = noon_plus(days=400)
        await store.phones.claim("a", (number,), ahead, until=ahead.utc + HELD)
        assert owed(store, "a") == [number]
        assert await store.phones.claim("a", (number,), NOW, until=NOW.utc + HELD) == {number}


async def test_of_very_many_the_newest_are_seen_and_those_behind_them_come_later(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["a"], NOW)
        numbers = [await alarmed(store) for _ in range(205)]
        assert owed(store, "a") == numbers[5:]
        await store.phones.mark_delivered("a", tuple(numbers[5:]))
        assert owed(store, "a") == numbers[:5]


async def test_what_is_forgotten_is_owed_no_longer(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.phones.set_recipients(["a"], NOW)
        await alarmed(store)
        later = await alarmed(store, noon_plus(days=10))
        await store.forget(replace(noon_plus(days=11)), before=noon_plus(days=5).utc)
        assert owed(store, "a", noon_plus(days=11)) == [later]
