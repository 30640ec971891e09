"""A guest's code that a keypad may still have, in a store."""

from datetime import timedelta

from gateway.domain.delivery.permission import DAYS
from gateway.domain.guests.passes import Pass, PassState
from gateway.domain.guests.provisioning import CodeState, PassCode
from gateway.domain.now import Now
from gateway.storage.store import Store


async def leave_code(store: Store, now: Now, *, keypad: str, entrance: str = "front") -> PassCode:
    """Store a pass and its code, which this keypad took."""
    starts, ends = now.utc - timedelta(hours=1), now.utc + timedelta(days=2)
    held = Pass(
        id="left", version=1, guest="Anna", entrances=frozenset({entrance}), starts=starts, ends=ends,
        days=frozenset(DAYS), state=PassState.GRANTED,
    )  # fmt: skip
    assert await store.guests.add_pass(held, "0" * 64, now, by=None) is None
    code = PassCode(
        id="c1", held=held.id, keypad=keypad, name="pc1", pin="481516", starts=starts, ends=ends, number=20,
        state=CodeState.PROVEN,
    )  # fmt: skip
    await store.guests.add_code(code, now)
    return code
