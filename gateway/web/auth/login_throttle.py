"""Throttles sign-ins so that guessing fails and nobody can lock the owner out.

A try comes either from a device in which this person has signed in before, or from a stranger.

- A known device has a count of its own, which only whoever holds its cookie can raise. Nothing that strangers do is
  asked of it, so they cannot slow it, whatever name they try and however many they are.
- A stranger waits by (name, address), which stops one guesser at once, and by name, which stops many together: at the
  end some 96 tries a day on one name, from wherever they come. So somebody who is being attacked and has no known
  device at hand may have to wait as long as the attack goes on; that is the price, and it is paid by nobody else.

Names that nobody has are treated alike: a wait does not tell who lives here. Counts are stored before a password is
looked at; a success gives its own try back.
"""

from dataclasses import dataclass

from gateway.domain.now import Now
from gateway.storage import AccountStore
from gateway.system.addresses import client_network
from gateway.system.backoff import Backoff
from gateway.web.auth.backoff import AttemptBackoff, BackoffPolicy

PAIR_POLICY = BackoffPolicy(free=3, delays=Backoff(1.0, 900.0), fades=3600.0)
NAME_POLICY = BackoffPolicy(free=10, delays=Backoff(2.0, 900.0), fades=3600.0)
DEVICE_POLICY = BackoffPolicy(free=5, delays=Backoff(1.0, 900.0), fades=3600.0)

# So many slots that two that matter seldom meet, so few that nobody can fill the disk.
PAIR_SLOTS = 4096
NAME_SLOTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """One try, by what it is counted: a known device, or else a name's and a pair's slot (of no name: the pair's)."""

    device: str | None
    name: int | None = 0
    pair: int = 0


class LoginThrottle:
    """All counts, in memory and in the store. `now` is the beginning of this run of the program."""

    def __init__(self, register: AccountStore, now: Now) -> None:
        self._register = register
        self._names = AttemptBackoff(NAME_POLICY, register.failure_counts("name"), mono=now.mono)
        self._pairs = AttemptBackoff(PAIR_POLICY, register.failure_counts("pair"), mono=now.mono)
        self._devices = AttemptBackoff(DEVICE_POLICY, register.device_failure_counts(), mono=now.mono)

    def stranger_attempt(self, folded: str, address: str) -> LoginAttempt:
        """A try of a name from an address, by a device that is not known."""
        pair = f"pair\0{folded}\0{client_network(address)}"
        return LoginAttempt(
            device=None,
            name=self._register.backoff_slot(f"name\0{folded}", of=NAME_SLOTS),
            pair=self._register.backoff_slot(pair, of=PAIR_SLOTS),
        )

    def address_attempt(self, address: str) -> LoginAttempt:
        """A try that names nobody, from an address: a code that was made on the box."""
        pair = self._register.backoff_slot(f"place\0{client_network(address)}", of=PAIR_SLOTS)
        return LoginAttempt(device=None, name=None, pair=pair)

    def wait_s(self, attempt: LoginAttempt, now: Now) -> float:
        """Seconds until it may be made; 0: now."""
        if attempt.device is not None:
            return self._devices.wait(attempt.device, now.mono)
        by_name = 0.0 if attempt.name is None else self._names.wait(attempt.name, now.mono)
        return max(by_name, self._pairs.wait(attempt.pair, now.mono))

    async def count_attempt(self, attempt: LoginAttempt, now: Now) -> int:
        """Count it, in memory at once (another try at this moment sees it) and then on disk; returns how many it is."""
        if attempt.device is not None:
            count = self._devices.count(attempt.device, now.mono)
            await self._register.set_device_failure_count(attempt.device, count)
            return count
        pair = self._pairs.count(attempt.pair, now.mono)
        if attempt.name is None:
            await self._register.set_failure_counts({("pair", attempt.pair): pair})
            return pair
        name = self._names.count(attempt.name, now.mono)
        await self._register.set_failure_counts({("name", attempt.name): name, ("pair", attempt.pair): pair})
        return name

    async def record_success(self, attempt: LoginAttempt, now: Now) -> None:
        """It was the right password. Of the name's count only this try is taken back: the others were not his."""
        if attempt.device is not None:
            await self._register.set_device_failure_count(attempt.device, self._devices.clear(attempt.device))
            return
        pair = self._pairs.clear(attempt.pair)
        if attempt.name is None:
            await self._register.set_failure_counts({("pair", attempt.pair): pair})
            return
        name = self._names.give_back(attempt.name, now.mono)
        await self._register.set_failure_counts({("name", attempt.name): name, ("pair", attempt.pair): pair})
