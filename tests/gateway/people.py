"""People for tests of the store: each secret is the digest of a word."""

from hashlib import sha256

from gateway.storage.models import AccountHolder, Invitation, NewAccount
from gateway.storage.people import AccountStore
from gateway.storage.sessions import SignInEntry
from tests.gateway.domain.delivery.shop import NOON


def digest(word: str) -> bytes:
    """What is stored of a secret."""
    return sha256(word.encode()).digest()


def newcomer(name: str, role: str = "owner") -> NewAccount:
    """Somebody called so, with the id `p-name`."""
    folded = name.casefold()
    person = AccountHolder(id=f"p-{folded}", name=name, role=role, added=NOON)
    return NewAccount(person=person, folded=folded, password=f"$argon2id$of-{folded}")


def sign_in_entry(device: str, *, session: str | None = None) -> SignInEntry:
    """A sign-in on a device called so."""
    name = session or f"s-{device}"
    return SignInEntry(session=name, secret=digest(name), device=device, device_secret=digest(device), at=NOON)


def invitation(ident: str, role: str = "household", by: str = "p-anna") -> Invitation:
    """An invitation called so."""
    return Invitation(id=ident, secret=digest(ident), role=role, by=by, made=NOON)


async def set_role(register: AccountStore, person: str, role: str) -> None:
    """Write another role into the store, as an earlier release did: no page changes one."""
    await register.write(lambda db: db.execute("UPDATE person SET role = ? WHERE id = ?", (role, person)).rowcount)
