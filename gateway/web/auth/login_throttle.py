"""Throttles sign-ins so that guessing fails and nobody can lock the owner out.

An attempt comes from a device on which this person has signed in before, or from a stranger.

- A known device has a count of its own, which only the holder of its cookie can raise. Attempts by strangers never slow
  it, whatever name they use and however many they are.
- A stranger waits by (name, address), which stops one guesser at once, and by name, which stops many together: in the
  end some 96 attempts a day on one name, from all addresses. So a person under attack who has no known device at hand
  may have to wait as long as the attack lasts; nobody else pays that price.

A name without an account is treated in the same way, so a wait does not reveal who lives here. The gateway stores a
count before it checks the password, and takes its own attempt back after a success.
"""

from collections.abc import Mapping
from dataclasses import field

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.people import AccountStore
from gateway.storage.sessions import BackoffKind
from gateway.system.addresses import client_network
from gateway.system.backoff import Backoff
from gateway.web.auth.backoff import AttemptBackoff, BackoffPolicy

PAIR_POLICY = BackoffPolicy(free_attempts=3, delays=Backoff(1.0, 900.0))
NAME_POLICY = BackoffPolicy(free_attempts=10, delays=Backoff(2.0, 900.0))
DEVICE_POLICY = BackoffPolicy(free_attempts=5, delays=Backoff(1.0, 900.0))

# Enough slots that two relevant keys seldom share one, and few enough that nobody can fill the disk.
PAIR_SLOTS = 4096
NAME_SLOTS = 1024


class LoginAttempt(Frozen):
    """One attempt and what counts it: a known device, or the slots of a stranger by kind (`name` is the first)."""

    device: str | None = None
    slots: Mapping[BackoffKind, int] = field(default_factory=dict)


class LoginThrottle:
    """All counts, in memory and in the store. `now` is the start of this run."""

    def __init__(self, register: AccountStore, now: Now) -> None:
        self._register = register
        self._devices = AttemptBackoff(DEVICE_POLICY, register.device_failure_counts(), mono=now.mono)
        self._strangers: Mapping[BackoffKind, AttemptBackoff[int]] = {
            "name": AttemptBackoff(NAME_POLICY, register.failure_counts("name"), mono=now.mono),
            "pair": AttemptBackoff(PAIR_POLICY, register.failure_counts("pair"), mono=now.mono),
        }

    def stranger_attempt(self, folded: str, address: str) -> LoginAttempt:
        """Return the attempt for a name from an address, on an unknown device."""
        name = self._register.backoff_slot(f"name\0{folded}", of=NAME_SLOTS)
        pair = self._register.backoff_slot(f"pair\0{folded}\0{client_network(address)}", of=PAIR_SLOTS)
        return LoginAttempt(slots={"name": name, "pair": pair})

    def address_attempt(self, address: str) -> LoginAttempt:
        """Return the attempt of a recovery code from an address: it names no account."""
        slot = self._register.backoff_slot(f"place\0{client_network(address)}", of=PAIR_SLOTS)
        return LoginAttempt(slots={"pair": slot})

    def wait_s(self, attempt: LoginAttempt, now: Now) -> float:
        """Return the seconds until the attempt is allowed; 0: now."""
        if attempt.device is not None:
            return self._devices.wait_s(attempt.device, now.mono)
        return max(self._strangers[kind].wait_s(slot, now.mono) for kind, slot in attempt.slots.items())

    async def count_attempt(self, attempt: LoginAttempt, now: Now) -> int:
        """Count an attempt in memory at once, so that a simultaneous one sees it, then on disk; return the count."""
        if attempt.device is not None:
            count = self._devices.count(attempt.device, now.mono)
            await self._register.set_device_failure_count(attempt.device, count)
            return count
        counts = {(kind, slot): self._strangers[kind].count(slot, now.mono) for kind, slot in attempt.slots.items()}
        await self._register.set_failure_counts(counts)
        return next(iter(counts.values()))

    async def record_success(self, attempt: LoginAttempt, now: Now) -> None:
        """Take back the counts of a right password; the count of the name decreases by this attempt only."""
        if attempt.device is not None:
            await self._register.set_device_failure_count(attempt.device, self._devices.clear(attempt.device))
            return
        counts = {}
        for kind, slot in attempt.slots.items():
            counter = self._strangers[kind]
            counts[kind, slot] = counter.give_back(slot, now.mono) if kind == "name" else counter.clear(slot)
        await self._register.set_failure_counts(counts)
