"""Stores the brands of the house: those of its house file, and those that the owner permitted through a hub.

Only this module has both. The house file wins: it decides a brand's name, its keys, and that it is a brand at all. A
brand that is not in the house file is a *guest*: its name and keys are those of the request that the owner permitted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from gateway.config.brand_names import GUEST_BRAND_NAME, OWN_BRAND_NAME
from gateway.config.home import BrandKeySection as Enrolled
from gateway.config.home import BrandSection
from gateway.config.home import Home as HomeFile
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.permission import Permission, PermissionStatus
from gateway.domain.guests.passes import GUEST_BRAND
from gateway.domain.now import Now
from gateway.protocol.consent_verification import VerifiedConsentMessage
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey
from gateway.storage import brandkeys, consent_requests, permissions
from gateway.storage.consent_requests import ConsentIntakeResult, StoredConsentRequest
from gateway.storage.database import Database
from gateway.storage.models import StoredBrandKey
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.permissions import all_permissions, grant_test_brand, revoke_test_brand
from gateway.storage.rows import permission_of
from gateway.storage.writer import Writer
from gateway.system.i18n import Language

T = TypeVar("T")


class BrandRegistry(StorePart):
    """The brands, their keys, and the owner's decisions on them: `Store.brands`.

    `known` is every brand of this house with its valid keys; a guest from its first request on, permitted or not.
    `keys` (by `kid`) and `public_keys` (by `kid`) are the valid ones; both change in place. `brand_of`, `distrust` and
    `trust` raise `LookupError` for a public key that no brand has.
    """

    def __init__(
        self, writer: Writer, reader: Callable[[], Database], home: HomeFile, distrusted: dict[str, str]
    ) -> None:
        super().__init__(writer, reader)
        self._home, self._distrusted = home, distrusted
        self.known: Mapping[str, BrandSection] = home.brands
        self._distrust_counts: Counter[str] = Counter()
        self._test_keys: dict[str, EnrolledKey] = {}
        self.keys: dict[str, EnrolledKey] = {}
        self.public_keys: dict[str, str] = {}

    def prepare(self, db: Database, seeds: Iterable[Permission], now: Now) -> None:
        """Store what the house file says now, in the transaction that opens the store."""
        for seed in seeds:
            consent_requests.adopt_guest(db, seed, now)
            if permission_of(db, seed.brand) is None:
                permissions.store_permission(db, seed, now)
        brandkeys.enrol_keys(db, self._home.brands, now)

    def refresh(self) -> None:
        """Read the valid brands and keys again. `Store.open` calls it, and each change."""
        known = dict(self._home.brands)
        db = self.reader()
        for guest, name in consent_requests.guests(db):
            if guest == OWN_BRAND:  # of an earlier release, which did not reserve the id: its promises are nobody's now
                continue
            known.setdefault(guest, BrandSection(name=name, keys=()))
        taken = {key.kid for brand in self._home.brands.values() for key in brand.keys}
        for row in brandkeys.all_keys(db):
            if row.came == "file" or row.standing != "approved" or row.brand not in known or row.kid in taken:
                continue
            taken.add(row.kid)
            brand = known[row.brand]
            enrolled = (*brand.keys, Enrolled(kid=row.kid, x=row.x))
            known[row.brand] = brand.model_copy(update={"keys": enrolled})
        self.known = MappingProxyType(known)
        counting = {
            key.kid: EnrolledKey(id_, PublicKey.from_jwk(key.x)) for id_, brand in known.items() for key in brand.keys
        }
        self.keys.clear()
        self.keys.update(counting | self._test_keys)
        self.public_keys.clear()
        self.public_keys.update({key.kid: key.x for brand in known.values() for key in brand.keys})

    def name_of(self, brand: str, language: Language) -> str:
        """Return the name of a brand as it gave it (not sanitized); its id if the house does not know it."""
        if brand == OWN_BRAND:
            return OWN_BRAND_NAME.to(language)
        if brand == GUEST_BRAND:
            return GUEST_BRAND_NAME.to(language)
        known = self.known.get(brand)
        return brand if known is None else known.name

    def is_guest(self, brand: str) -> bool:
        """Return whether the house file does not name the brand."""
        return brand not in self._home.brands

    def is_open(self, ask: StoredConsentRequest, now: Now) -> bool:
        """Return whether the owner may still grant the request."""
        permission = permission_of(self.reader(), ask.brand)
        return permission is not None and permission.standing is PermissionStatus.PENDING and not ask.is_over(now)

    def waiting_keys(self) -> tuple[StoredBrandKey, ...]:
        """Return the new keys of known brands that wait for the owner; an earlier key of the brand signed each."""
        return tuple(
            key
            for key in brandkeys.all_keys(self.reader())
            if key.came == "next" and key.standing == "waits" and key.brand in self.known and key.distrusted is None
        )

    def recognised_keys(self, brand: str, now: Now) -> Mapping[str, str] | None:
        """Return the public keys by `kid` with which the house recognises a brand; None: it does not.

        For a guest whose request waits they are those of the request.
        """
        if brand not in self.known:
            return None
        ask = self.request_of(brand)
        if self.is_guest(brand) and (ask is None or ask.is_over(now)):
            return None
        own = {
            key.kid: key.x
            for key in brandkeys.all_keys(self.reader())
            if key.brand == brand and key.distrusted is None and self._is_recognised(key)
        }
        return MappingProxyType(own)

    def _is_recognised(self, key: StoredBrandKey) -> bool:
        if key.came == "file":
            return any(enrolled.x == key.x for enrolled in self.known[key.brand].keys)
        return key.standing == "approved" or (key.came == "asked" and key.standing == "waits")

    all_keys = reads(brandkeys.all_keys)
    request_of = reads(consent_requests.request_of)
    permission = reads(permission_of)
    permissions = reads(all_permissions)

    async def store_message(self, message: VerifiedConsentMessage, now: Now) -> ConsentIntakeResult:
        """Store a brand's message from the hub (`consent_requests.store_message`)."""
        for x in message.withdrawn:
            query = "SELECT 1 FROM brand_key WHERE x = ? AND brand = ? AND withdrawn IS NULL"
            if self.reader().exists(query, (x, message.brand)):
                self._distrusted[x] = message.brand  # at once, also if the disk does not store it
        return await self.write(lambda db: consent_requests.store_message(db, message, self._home, now))

    async def write(self, work: Callable[[Database], T], *, mark: Now | None = None) -> T:
        """Run `work` as `Writer.do` does, then read the valid brands and keys again."""
        try:
            return await super().write(work, mark=mark)
        finally:
            self.refresh()

    decide = writes(consent_requests.decide, mark=True)
    forget = writes(consent_requests.forget_guest)
    decide_key = writes(brandkeys.decide_key)
    grant_test_brand = writes(grant_test_brand)
    revoke_test_brand = writes(revoke_test_brand)

    def brand_of(self, x: str) -> str:
        """Return the brand of a public key."""
        brand = next((key.brand for key in self.all_keys() if key.x == x), None)
        if brand is None:
            raise LookupError("no brand has this key")
        return brand

    async def distrust(self, x: str, now: Now, *, by: str | None = None) -> None:
        """Distrust a public key. This takes effect at once, also if the disk does not store it."""
        brand = self.brand_of(x)
        self._distrust_counts[x] += 1
        self._distrusted[x] = brand
        await self.writer.do(lambda db: brandkeys.distrust_key(db, x, now, by=by), mark=now)

    async def trust(self, x: str, now: Now, *, by: str | None = None) -> None:
        """Trust a public key again, once that is stored."""
        self.brand_of(x)
        before = self._distrust_counts[x]
        await self.writer.do(lambda db: brandkeys.trust_key(db, x, now, by=by))
        if self._distrust_counts[x] == before:  # else it was distrusted again meanwhile
            self._distrusted.pop(x, None)

    def add_test_key(self, kid: str, key: EnrolledKey) -> None:
        """Accept a walk test's key, which belongs to no brand of the house, until `remove_test_key`."""
        self._test_keys[kid] = self.keys[kid] = key

    def remove_test_key(self, kid: str) -> None:
        """Accept a walk test's key no longer."""
        self._test_keys.pop(kid, None)
        self.keys.pop(kid, None)
