"""A brand that a house does not know, and what a hub carries for it: honest, or not."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.delivery.promise import Cancel, Claims, Offer, Update
from gateway.protocol.brand_statement import ConsentStatement, EndStatement, NextKeyStatement, sign_brand_statement
from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey, sign_consent
from gateway.protocol.delivery_message import sign_delivery
from gateway.protocol.keys import BoxKey
from tests.gateway.domain.delivery.shop import NOON

HUB = "https://hub.example"
HOME = "home-1"
TERMS: dict[str, Any] = {"entrances": ("garage",), "places": ("hall",), "carriers": ("Colissimo",)}
HUB_KEY = BoxKey.generate()


@dataclass
class UnknownBrand:
    """A brand with its keys, the first of which is called `<id>-1`. `hub`: through which it speaks."""

    id: str = "lune"
    name: str = "Maison Lune"
    keys: list[BoxKey] = field(default_factory=lambda: [BoxKey.generate()])
    now: datetime = NOON
    hub: str = HUB

    def kid(self, number: int = 1) -> str:
        return f"{self.id}-{number}"

    def x(self, number: int = 1) -> str:
        return self.keys[number - 1].public.text

    def grows(self) -> int:
        """Make one more key; its number."""
        self.keys.append(BoxKey.generate())
        return len(self.keys)

    def asks(self, *, by: int = 1, lives: timedelta = timedelta(days=7), **terms: Any) -> str:  # noqa: ANN401 - terms
        """Its question, signed."""
        seconds = int(self.now.timestamp())
        word = ConsentStatement(
            iss=self.id, hub=self.hub, iat=seconds, exp=seconds + int(lives.total_seconds()), name=self.name,
            asked=AskedTerms.model_validate_json(json.dumps(TERMS | terms)), jti=secrets.token_urlsafe(16),
        )  # fmt: skip
        return sign_brand_statement(word, self.keys[by - 1].sign, kid=self.kid(by))

    def vouches(self, number: int, *, by: int = 1) -> RequestedKey:
        """One of its keys with an earlier one's word for it."""
        seconds = int(self.now.timestamp())
        word = NextKeyStatement(iss=self.id, hub=self.hub, iat=seconds, kid=self.kid(number), x=self.x(number))
        vouched = sign_brand_statement(word, self.keys[by - 1].sign, kid=self.kid(by))
        return RequestedKey(kid=self.kid(number), x=self.x(number), vouched=vouched)

    def ends(self, connection: str = "con-1", *, by: int = 1) -> str:
        """Its word that it wants no more of it."""
        word = EndStatement(iss=self.id, hub=self.hub, iat=int(self.now.timestamp()), connection=connection)
        return sign_brand_statement(word, self.keys[by - 1].sign, kid=self.kid(by))

    def shown(self, number: int = 1) -> RequestedKey:
        return RequestedKey(kid=self.kid(number), x=self.x(number))

    def asking(self, *keys: RequestedKey, connection: str | None = "con-1", **more: Any) -> bytes:  # noqa: ANN401 - its fields
        """A CONNECT job's token, as an honest hub writes it; `signed` unless said otherwise."""
        own = tuple(self.shown(1) for _ in self.keys[:1])
        fields: dict[str, Any] = {"hub": self.hub, "home": HOME, "brand": self.id, "name": self.name,
                                  "keys": keys or own, "connection": connection}  # fmt: skip
        if connection is not None:
            signed = self.asks() if self.keys else None
            fields |= {"signed": signed, "expires": self.now + timedelta(days=7)}
        return carry(ConsentMessage(**{**fields, **more}))

    def delivers(self, said: Offer | Update | Cancel, *, by: int = 1, home: str = HOME) -> bytes:
        """A delivery that it signs."""
        seconds = int(self.now.timestamp())
        claims = Claims(
            iss=self.id, aud=home, iat=seconds, nbf=seconds, exp=seconds + 3600, jti=secrets.token_urlsafe(16),
            delivery=said,
        )  # fmt: skip
        return sign_delivery(claims, self.keys[by - 1], kid=self.kid(by))


def carry(asking: ConsentMessage) -> bytes:
    """As a hub signs it; its key proves nothing."""
    return sign_consent(asking, HUB_KEY.sign)


def make_brands(count: int) -> Sequence[UnknownBrand]:
    """So many brands, none like another."""
    return [UnknownBrand(id=f"brand-{word}", name=f"Shop {word}") for word in _words(count)]


def _words(count: int) -> list[str]:
    letters = "abcdefghkmopqtuwxyz"  # none that looks like another
    size = len(letters)
    return ["".join(letters[(number // size**place) % size] for place in range(4)) for number in range(count)]
