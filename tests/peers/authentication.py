"""HTTP authentication as a device does it: Basic and Digest by RFC 2617, the side of the server.

Strict where the RFC lets a server be strict: a digest must be for the very request line, with `qop=auth`, MD5, a nonce
that this server gave, and a count never seen before with that nonce. Right words with an old nonce are `STALE`.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.request import parse_http_list, parse_keqv_list

from aiohttp import web

NONCE_COUNT = re.compile(r"[0-9a-fA-F]{8}")


class Scheme(StrEnum):
    """How a request says who sends it."""

    BASIC = "Basic"
    DIGEST = "Digest"
    QUERY = "query"  # DoorBird's `http-user` and `http-password`; no challenge names it


class Refusal(StrEnum):
    """Why nobody was let in."""

    ABSENT = "no credentials"
    OTHER_SCHEME = "a scheme that is not offered"
    WRONG = "wrong credentials"
    STALE = "right credentials, old nonce"


@dataclass(frozen=True)
class Account:
    """Who may ask, and for what: `rights` are words of the peer."""

    name: str
    password: str
    rights: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Login:
    """Who asks, and how he said so."""

    account: Account
    scheme: Scheme


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Gatekeeper:
    """Checks who sends a request.

    Args:
        accounts: who is known.
        realm: the realm of both challenges.
        schemes: what is offered, in the challenges' order; another scheme is refused.
        clock: seconds, never going back.
        nonce_s: for how many seconds a nonce is good.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        *,
        realm: str,
        schemes: Sequence[Scheme],
        clock: Callable[[], float],
        nonce_s: float,
    ) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._realm, self._schemes, self._clock, self._nonce_s = realm, tuple(schemes), clock, nonce_s
        self._given: dict[str, float] = {}
        self._counts: dict[str, set[str]] = {}

    def forget_nonces(self) -> None:
        """A restarted device knows no nonce that it gave before."""
        self._given.clear()
        self._counts.clear()

    def challenges(self, *, stale: bool) -> list[tuple[str, str]]:
        """The headers of a 401, one for each scheme that is offered."""
        return [("WWW-Authenticate", self._challenge(scheme, stale=stale)) for scheme in self._schemes]

    def _challenge(self, scheme: Scheme, *, stale: bool) -> str:
        if scheme is Scheme.BASIC:
            return f'Basic realm="{self._realm}"'
        nonce = secrets.token_hex(16)
        self._given[nonce] = self._clock()
        self._counts[nonce] = set()
        rest = ", stale=true" if stale else ""
        return f'Digest realm="{self._realm}", nonce="{nonce}", algorithm=MD5, qop="auth"{rest}'

    def check(self, request: web.Request) -> Login | Refusal:
        """Who sends this request, by its `Authorization` header."""
        word, _, rest = request.headers.get("Authorization", "").partition(" ")
        offered = {scheme.value.lower(): scheme for scheme in self._schemes}
        if not word:
            return Refusal.ABSENT
        match offered.get(word.lower()):
            case Scheme.BASIC:
                return self._basic(rest)
            case Scheme.DIGEST:
                return self._digest(request, rest)
            case _:
                return Refusal.OTHER_SCHEME

    def by_password(self, name: str, password: str, scheme: Scheme) -> Login | Refusal:
        """Who has this name and this password."""
        account = self._accounts.get(name)
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            return Refusal.WRONG
        return Login(account, scheme)

    def _basic(self, rest: str) -> Login | Refusal:
        try:
            name, colon, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Refusal.WRONG
        return self.by_password(name, password, Scheme.BASIC) if colon else Refusal.WRONG

    def _digest(self, request: web.Request, rest: str) -> Login | Refusal:
        try:
            said = parse_keqv_list(parse_http_list(rest))
        except ValueError:
            return Refusal.WRONG
        account = self._accounts.get(said.get("username", ""))
        fixed = {"realm": self._realm, "uri": request.raw_path, "qop": "auth", "algorithm": "MD5"}
        if account is None or any(said.get(key, "MD5" if key == "algorithm" else "") != fixed[key] for key in fixed):
            return Refusal.WRONG
        nonce, count, cnonce = said.get("nonce", ""), said.get("nc", ""), said.get("cnonce", "")
        if not NONCE_COUNT.fullmatch(count) or not cnonce:
            return Refusal.WRONG
        secret = _md5(f"{account.name}:{self._realm}:{account.password}")
        expected = _md5(f"{secret}:{nonce}:{count}:{cnonce}:auth:{_md5(f'{request.method}:{request.raw_path}')}")
        if not hmac.compare_digest(said.get("response", "").encode(), expected.encode()):
            return Refusal.WRONG
        return Login(account, Scheme.DIGEST) if self._first_use(nonce, count.lower()) else Refusal.STALE

    def _first_use(self, nonce: str, count: str) -> bool:
        given = self._given.get(nonce)
        if given is None or self._clock() - given > self._nonce_s or count in self._counts[nonce]:
            return False
        self._counts[nonce].add(count)
        return True
