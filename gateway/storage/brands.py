"""The brands that this house knows: those of its house file, and those that asked by a hub and that the owner let in.

This is the one place that has both. What the house file says of a brand wins: its name, its keys, that it is a brand at
all. A brand that is not in it is a *guest*: its name and keys are those of the question that the owner permitted.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from gateway.config.home import Brand
from gateway.config.home import BrandKey as Enrolled
from gateway.config.home import Home as HomeFile
from gateway.domain.delivery.permission import Permission, Standing, Terms
from gateway.domain.visit.state import Now
from gateway.protocol.consent_verification import Heard
from gateway.protocol.jws import Key, Keys, public_key
from gateway.storage import brandkeys, consent_requests, household
from gateway.storage.consent_requests import Ask, Noted
from gateway.storage.models import BrandKey
from gateway.storage.rows import permission_of
from gateway.storage.writer import Writer

K = TypeVar("K")
V = TypeVar("V")


class Brands:
    """Reached as `Store.brands`. Coroutines store and raise `StoreFailed`; plain methods read, as in `Store`.

    `keys` (by `kid`) and `publics` (`kid` to public key) are what counts now; they change in place.
    """

    def __init__(
        self, writer: Writer, reader: Callable[[], sqlite3.Connection], home: HomeFile, distrusted: dict[str, str]
    ) -> None:
        self._writer, self._reader, self._home, self._distrusted = writer, reader, home, distrusted
        self._known: Mapping[str, Brand] = home.brands
        self._lent: dict[str, Key] = {}
        self.keys = Keys.of(home.brand_keys)
        self.publics = brandkeys.by_kid(home.brands.values())

    def prepare(self, connection: sqlite3.Connection, seeds: Iterable[Permission], now: Now) -> None:
        """Take in what the configuration says now, in the transaction that opens the store."""
        for seed in seeds:
            consent_requests.adopt(connection, seed, now)
            household.seed(connection, seed, now)
        brandkeys.enrol(connection, self._home.brands, now)

    def refresh(self) -> None:
        """Read anew what counts; called after the store was opened and after each change."""
        known = dict(self._home.brands)
        connection = self._reader()
        for guest, name in consent_requests.guests(connection):
            known.setdefault(guest, Brand(name=name, keys=()))
        taken = {key.kid for brand in self._home.brands.values() for key in brand.keys}
        for row in brandkeys.keys(connection):
            if row.came == "file" or row.standing != "approved" or row.brand not in known or row.kid in taken:
                continue
            taken.add(row.kid)
            brand = known[row.brand]
            enrolled = (*brand.keys, Enrolled(kid=row.kid, x=row.x))
            known[row.brand] = brand.model_copy(update={"keys": enrolled})
        self._known = MappingProxyType(known)
        counting = {key.kid: Key(id_, public_key(key.x)) for id_, brand in known.items() for key in brand.keys}
        _become(self.keys, {**counting, **self._lent})
        _become(self.publics, brandkeys.by_kid(known.values()))

    # -- what is known

    def known(self) -> Mapping[str, Brand]:
        """Every brand of this house with the keys that count; a guest from its first question on, let in or not."""
        return self._known

    def guest(self, brand: str) -> bool:
        """Whether the house file does not know it."""
        return brand not in self._home.brands

    def ask(self, brand: str) -> Ask | None:
        """The newest question of a brand; None: it never asked by a hub."""
        return consent_requests.ask_of(self._reader(), brand)

    def asks(self, now: Now) -> tuple[Ask, ...]:
        """The questions that wait for the owner, oldest first."""
        return tuple(one for one in consent_requests.asks(self._reader()) if self.open(one, now))

    def open(self, ask: Ask, now: Now) -> bool:
        """Whether the owner may still answer it with yes."""
        permission = permission_of(self._reader(), ask.brand)
        return permission is not None and permission.standing is Standing.PENDING and not ask.over(now)

    def new_keys(self) -> tuple[BrandKey, ...]:
        """The keys of brands that are let in, for which an earlier key vouches, and which wait for the owner."""
        return tuple(
            key
            for key in brandkeys.keys(self._reader())
            if key.came == "next" and key.standing == "waits" and key.brand in self._known and key.distrusted is None
        )

    def recognised(self, brand: str, now: Now) -> Mapping[str, str] | None:
        """The public keys by `kid` by which a brand is known here; None: it is nobody's name that counts.

        Of a guest that waits for its answer they are those of its question.
        """
        if brand not in self._known:
            return None
        ask = self.ask(brand)
        if self.guest(brand) and (ask is None or ask.over(now)):
            return None
        own = {
            key.kid: key.x
            for key in brandkeys.keys(self._reader())
            if key.brand == brand and key.distrusted is None and self._recognised(key)
        }
        return MappingProxyType(own)

    def _recognised(self, key: BrandKey) -> bool:
        if key.came == "file":
            return any(one.x == key.x for one in self._known[key.brand].keys)
        return key.standing == "approved" or (key.came == "asked" and key.standing == "waits")

    # -- what is asked, and answered

    async def asked(self, heard: Heard, now: Now) -> Noted:
        """Keep what a brand said by the hub; see `questions.take_in`."""
        for x in heard.withdrawn:
            if self._belongs(x, heard.brand):
                self._distrusted[x] = heard.brand  # it holds at once, also where it cannot be stored
        try:
            return await self._writer.do(lambda db: consent_requests.take_in(db, heard, self._home, now))
        finally:
            self.refresh()

    def _belongs(self, x: str, brand: str) -> bool:
        return any(
            key.x == x and key.brand == brand and key.withdrawn is None for key in brandkeys.keys(self._reader())
        )

    async def decide(  # noqa: PLR0913 - what is decided, on what, and who decides
        self,
        brand: str,
        standing: Standing,
        terms: Terms | None,
        now: Now,
        *,
        by: str | None,
        ask: str | None = None,
        version: int | None = None,
    ) -> Permission:
        """Store the owner's word on a brand; `ask`: the digest of the question that he saw. LookupError: not so.

        `version`: of the permission that he saw.
        """
        try:
            decided, _ = await self._writer.do_marked(
                lambda db: consent_requests.decide(db, brand, standing, terms, now, by=by, ask=ask, version=version),
                now,
            )
            return decided
        finally:
            self.refresh()

    async def forget(self, brand: str, now: Now, *, by: str) -> None:
        """Forget a guest and its keys. LookupError: it is none, waits for its answer, or is let in."""
        try:
            await self._writer.do(lambda db: consent_requests.forget(db, brand, now, by=by))
        finally:
            self.refresh()

    async def approve_key(self, brand: str, kid: str, now: Now, *, by: str) -> None:
        """Let a new key of a brand count. LookupError: none of this name waits."""
        await self._judge(brand, kid, "approved", now, by)

    async def refuse_key(self, brand: str, kid: str, now: Now, *, by: str) -> None:
        """Let a new key of a brand never count. LookupError: none of this name waits."""
        await self._judge(brand, kid, "refused", now, by)

    async def _judge(self, brand: str, kid: str, standing: str, now: Now, by: str) -> None:
        try:
            await self._writer.do(lambda db: brandkeys.judge(db, brand, kid, standing, now, by=by))
        finally:
            self.refresh()

    # -- a walk test's key

    def lend(self, kid: str, key: Key) -> None:
        """Let a key count that is no brand's of this house, until it is taken back."""
        self._lent[kid] = self.keys[kid] = key

    def take_back(self, kid: str) -> None:
        """Let a lent key count no more."""
        self._lent.pop(kid, None)
        self.keys.pop(kid, None)


def _become(live: dict[K, V], new: Mapping[K, V]) -> None:
    live.clear()
    live.update(new)
