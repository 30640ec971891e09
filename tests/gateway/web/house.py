"""A house with accounts for tests, on a real file, with passwords that cost nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from inspect import iscoroutinefunction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from argon2 import PasswordHasher

from gateway.domain.now import Now
from gateway.storage.store import Store
from gateway.web.auth.accounts import AccountError, AccountRefused, SessionSecrets, UserAccounts
from gateway.web.auth.passwords import PasswordHashing
from gateway.web.auth.roles import Role
from gateway.web.auth.tokens import SecretToken
from tests import storefile
from tests.gateway.domain.delivery.shop import NOW, make_home

ANNA_PASSWORD = "seven green herons"  # noqa: S105 - of a house that is played
ANNA_PHONE = "192.168.1.20"
OTHER_ADDRESS = "192.168.1.66"

# Every box of these tests names things by the same key: no two names share a slot in one run and not in the next.
SAME_KEY = SimpleNamespace(token_hex=lambda size: "ab" * size, token_bytes=lambda size: b"k" * size)


def cheap_passwords() -> PasswordHashing:
    """At the lowest cost that argon2 knows."""
    return PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass
class ManualClock:
    """A clock that tests move; `now` reads it."""

    now: Now = NOW

    def on(self, *, boots: bool = False, trusted: bool = True, **passed: float) -> Now:
        """Let so much time pass; after a boot the monotonic clock begins anew."""
        later = timedelta(**passed)
        mono = 5.0 if boots else self.now.mono + later.total_seconds()
        self.now = replace(self.now, utc=self.now.utc + later, mono=mono, trusted=trusted)
        return self.now


class RetryAfter(NamedTuple):
    """He has to wait."""

    seconds: int


class AccountOutcomes:
    """The accounts, but what is refused is a value, so that many outcomes can be compared."""

    def __init__(self, accounts: UserAccounts) -> None:
        self._accounts = accounts

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the accounts have
        member = getattr(self._accounts, name)
        return _with_outcome(member) if iscoroutinefunction(member) else member


def _with_outcome(operation: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    async def outcome(*args: object, **options: object) -> object:
        try:
            return await operation(*args, **options)
        except AccountRefused as refusal:
            return refusal.error if refusal.retry_after_s is None else RetryAfter(refusal.retry_after_s)

    return outcome


@dataclass
class AccountsHouse:
    """The running accounts of one box."""

    store: Store
    accounts: AccountOutcomes
    watch: ManualClock

    @property
    def now(self) -> Now:
        return self.watch.now

    async def claim_code(self) -> str:
        code = await self.accounts.make_claim_code(self.now)
        assert isinstance(code, str)
        return code

    async def owner(self, name: str = "Anna") -> SessionSecrets:
        """Claimed by somebody."""
        code = await self.claim_code()
        return signed_in(await self.accounts.claim(code, name, ANNA_PASSWORD, self.now))

    async def guest(self, owner: SessionSecrets, name: str, role: Role = Role.HOUSEHOLD) -> SessionSecrets:
        """Invited by the owner, and in."""
        invited = await self.accounts.invite(owner.user, role, self.now)
        assert isinstance(invited, SecretToken), invited
        return signed_in(await self.accounts.accept_invitation(invited.text, name, ANNA_PASSWORD, self.now))

    async def sign_in(
        self,
        name: str = "Anna",
        password: str = ANNA_PASSWORD,
        *,
        device: str | None = None,
        address: str = OTHER_ADDRESS,
    ) -> object:
        """Somebody signs in, from a device that is not known unless it is told."""
        outcome: object = await self.accounts.sign_in(name, password, address=address, device=device, now=self.now)
        return outcome

    async def wrong(
        self, times: int, name: str = "Anna", *, device: str | None = None, address: str = OTHER_ADDRESS
    ) -> None:
        """Somebody tries a wrong password so often, each time as soon as he is let."""
        for _ in range(times):
            outcome = await self.sign_in(name, "not the password", device=device, address=address)
            while isinstance(outcome, RetryAfter):
                self.watch.on(seconds=outcome.seconds)
                outcome = await self.sign_in(name, "not the password", device=device, address=address)
            assert outcome is AccountError.WRONG


@asynccontextmanager
async def running(folder: Path, watch: ManualClock | None = None) -> AsyncIterator[AccountsHouse]:
    """The box runs; run it again in the same folder and it was restarted."""
    watch = watch or ManualClock()
    with patch("gateway.storage.schema.secrets", SAME_KEY):
        store = await Store.open(storefile.make_database(folder / "perron.sqlite"), home=make_home(), now=watch.now)
    try:
        accounts = UserAccounts(store, watch.now, passwords=cheap_passwords())
        yield AccountsHouse(store, AccountOutcomes(accounts), watch)
    finally:
        await store.close()


def signed_in(outcome: object) -> SessionSecrets:
    """He is in."""
    assert isinstance(outcome, SessionSecrets), outcome
    return outcome


def wait_seconds(outcome: object) -> int:
    """He has to wait so many seconds."""
    assert isinstance(outcome, RetryAfter), outcome
    return outcome.seconds
