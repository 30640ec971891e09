"""One-time links in messages: what is asked stands in the link, signed by the box, and counts once and for a while.

A link only ever lowers access, or answers what is asked right now: it stops one entrance, says yes or no to one visit,
or answers for one brand as its permission stood when it was asked. Whoever has the link may do that one thing.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from types import MappingProxyType
from typing import assert_never

from gateway.domain.visit.state import Now
from gateway.protocol import owner_requests

PATH = "link"  # below the base of the box's pages: BASE/link/TOKEN
NONCE_BYTES = 16
LONGEST = 600  # characters of a token

_SUBJECT = re.compile(r"[A-Za-z0-9-]{1,64}(\.[A-Za-z0-9-]{1,64}){0,2}")
_SAID = b"perron link 1\n"  # what the key signs here is no other thing that it signs
_NONCE = b"perron nonce 1\n"


class Purpose(StrEnum):
    """What a link does. Its subject, of parts between points, is in brackets."""

    STOP = auto()  # [entrance]
    APPROVE = auto()  # [entrance.visit]
    VETO = auto()  # [entrance.visit]
    PERMIT = auto()  # [entrance.brand.version of the permission that was asked for]
    REFUSE_BRAND = auto()  # the same


LIVES: Mapping[Purpose, timedelta] = MappingProxyType({
    Purpose.STOP: timedelta(hours=24),
    Purpose.APPROVE: timedelta(minutes=15),
    Purpose.VETO: timedelta(minutes=15),
    Purpose.PERMIT: timedelta(days=7),
    Purpose.REFUSE_BRAND: timedelta(days=7),
})  # fmt: skip
"""How long a link counts after what it answers was so."""

_PARTS: Mapping[Purpose, int] = MappingProxyType({
    Purpose.STOP: 1, Purpose.APPROVE: 2, Purpose.VETO: 2, Purpose.PERMIT: 3, Purpose.REFUSE_BRAND: 3,
})  # fmt: skip


class Refused(StrEnum):
    """Why a link does nothing."""

    FORGED = auto()  # this box did not sign it, or not so
    EXPIRED = auto()
    CLOCK_UNTRUSTED = auto()  # nobody can say whether it has expired; a stop counts all the same
    USED = auto()  # not found here: `Store.use_link` knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the box signed. `expires` is a whole second, UTC."""

    purpose: Purpose
    subject: str
    expires: datetime
    nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a link asks of an entrance, in the owner's own words.

    `permission_version`: it answers the permission of `wish.brand` as that stood at this version, and no other.
    """

    entrance: str
    wish: owner_requests.Stop | owner_requests.Decide | owner_requests.Permit
    permission_version: int | None = None


def make(purpose: Purpose, subject: str, expires: datetime, nonce: bytes, key: bytes) -> str:
    """Sign a link; the token is plain ASCII that may stand in any URL. `expires` loses its fraction of a second.

    Raises:
        ValueError: the subject is none of this purpose, or the nonce has not 16 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    if not _fits(purpose, subject):
        raise ValueError(f"{subject!r} is no subject for {purpose}")
    said = f"{purpose}\n{subject}\n{int(expires.timestamp())}\n{nonce.hex()}".encode()
    return f"{_text(said)}.{_text(_mac(said, key))}"


def read(token: str, key: bytes, now: Now) -> Link | Refused:
    """Read a link that comes back from anywhere. That it was not used yet is `Store.use_link`'s to say."""
    link = _signed(token, key)
    if link is None:
        return Refused.FORGED
    if now.utc >= link.expires:
        return Refused.EXPIRED
    if not now.trusted and link.purpose is not Purpose.STOP:
        return Refused.CLOCK_UNTRUSTED
    return link


def errand(link: Link) -> Errand:
    """What the owner asks by this link. The wish's `id` is the link's own: `link-` and its nonce in hex."""
    id_ = f"link-{link.nonce.hex()}"
    entrance, *rest = link.subject.split(".")
    match link.purpose:
        case Purpose.STOP:
            return Errand(entrance=entrance, wish=owner_requests.Stop(id=id_, do="stop"))
        case Purpose.APPROVE:
            return Errand(entrance=entrance, wish=owner_requests.Decide(id=id_, do="approve", visit=rest[0]))
        case Purpose.VETO:
            return Errand(entrance=entrance, wish=owner_requests.Decide(id=id_, do="refuse", visit=rest[0]))
        case Purpose.PERMIT:
            wish = owner_requests.Permit(id=id_, do="permit", brand=rest[0])
            return Errand(entrance=entrance, wish=wish, permission_version=int(rest[1]))
        case Purpose.REFUSE_BRAND:
            wish = owner_requests.Permit(id=id_, do="refuse_brand", brand=rest[0])
            return Errand(entrance=entrance, wish=wish, permission_version=int(rest[1]))
        case _:
            assert_never(link.purpose)


def nonce(message: str, purpose: Purpose, subject: str, key: bytes) -> bytes:
    """Derive the nonce of an action in a message: the same for every copy, so that all copies count once together."""
    return hmac.digest(key, _NONCE + f"{message}\n{purpose}\n{subject}".encode(), "sha256")[:NONCE_BYTES]


def address(pages: str, token: str) -> str:
    """Where a phone redeems the token."""
    return f"{pages.rstrip('/')}/{PATH}/{token}"


def _signed(token: str, key: bytes) -> Link | None:
    if len(token) > LONGEST or token.count(".") != 1:
        return None
    said, mac = map(_bytes, token.split("."))
    if said is None or mac is None or not hmac.compare_digest(_mac(said, key), mac):
        return None
    purpose, subject, expires, nonce_ = said.decode().split("\n")  # ours from here on: we signed it
    return Link(
        purpose=Purpose(purpose),
        subject=subject,
        expires=datetime.fromtimestamp(int(expires), UTC),
        nonce=bytes.fromhex(nonce_),
    )


def _fits(purpose: Purpose, subject: str) -> bool:
    parts = subject.split(".")
    return (
        _SUBJECT.fullmatch(subject) is not None
        and len(parts) == _PARTS[purpose]
        and (len(parts) < 3 or re.fullmatch(r"[0-9]+", parts[2]) is not None)
    )


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _SAID + said, "sha256")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    """Read what `_text` wrote; another spelling of the same bytes is none."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if _text(raw) == text else None
