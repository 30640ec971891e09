"""A brand's signing key (Ed25519), and what it signs: deliveries, and statements about keys and connections.

Everything signed is a compact JWS (RFC 7515). The hub passes it on byte for byte, and the home verifies it, so nobody
in between can make or change an order.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from .models import NewAskedTerms, NewDeliveryOrder

_ALGORITHM = "Ed25519"  # RFC 9864
_REGISTRY = jws.JWSRegistry(algorithms=[_ALGORITHM])
_FEATURES: Mapping[str, tuple[str, ...]] = {
    "collect": ("collect",),
    "dimensions": ("dimensions",),
    "entrances": ("entrances",),
    "expected_address": ("expected_address",),
    "holder": ("holder_robot", "yes_each"),
    "items": ("items",),
    "label_rules": ("label_rules",),
    "min_celsius": ("min_celsius",),
}
"""The features that an order with this field uses (docs/retailer/api.md, Versions of an order)."""

MESSAGE_LIFETIME = timedelta(hours=1)
MAX_LIFETIME = timedelta(days=31)


def _now() -> datetime:
    return datetime.now(UTC)


class SigningKey:
    """The private half of a brand's key. `kid` is its name at the hub; begin it with the brand's id.

    `now` is the clock: what is signed counts from then on.
    """

    def __init__(self, kid: str, key: OKPKey, *, now: Callable[[], datetime] = _now) -> None:
        if not isinstance(key.private_key, Ed25519PrivateKey):
            raise ValueError("not a private Ed25519 key")  # noqa: TRY004 - the text is no such key
        self.kid, self._key, self._now = kid, key, now

    @classmethod
    def generate(cls, kid: str, *, now: Callable[[], datetime] = _now) -> Self:
        """Make a new key. Keep `to_jwk` where only your program reads it."""
        return cls(kid, OKPKey.import_key(Ed25519PrivateKey.generate()), now=now)

    @classmethod
    def from_jwk(cls, kid: str, text: str, *, now: Callable[[], datetime] = _now) -> Self:
        """Read a key that `to_jwk` wrote, or `perron retailer keys`; ValueError: it is none."""
        try:
            return cls(kid, OKPKey.import_key(json.loads(text)), now=now)
        except (JoseError, TypeError, ValueError) as error:
            raise ValueError("not a private Ed25519 key as a JWK") from error

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r})"

    def to_jwk(self) -> str:
        """Return the key as a JWK, its private half included."""
        return json.dumps(self._key.as_dict(private=True))

    @property
    def x(self) -> str:
        """The public half, as the hub and homes know it: a JWK's `x`."""
        return str(self._key.as_dict(private=False)["x"])

    def sign_order(  # noqa: PLR0913 - the claims of a message
        self,
        order: NewDeliveryOrder,
        *,
        brand: str,
        home: str,
        order_id: str,
        version: int = 1,
        do: Literal["offer", "update"] = "offer",
        lifetime: timedelta = MESSAGE_LIFETIME,
    ) -> str:
        """Sign an order for a home; it is sent as `token` of `NewSignedDelivery`, or `SignedDeliveryChange`.

        `brand` and `home` are those of the granted connection. `order_id` is your id of the delivery (a-z, 0-9,
        hyphens); `name` of the order is not signed. An `update` is the whole order, with a higher `version`.
        """
        fields = json.loads(order.model_dump_json(exclude_unset=True, exclude={"name"}))
        used = sorted({word for name in fields for word in _FEATURES.get(name, ())})
        is_second = bool(used) or "info" in fields
        if is_second:
            fields["needs"] = used
        if "entrances" in fields and order.entrance not in fields["entrances"]:
            fields["entrances"] = [order.entrance, *fields["entrances"]]
        if "label_rules" in fields:
            fields["label_rules"] = sorted(fields["label_rules"])
        if "holder" in fields:
            fields["yes_each"] = True
        delivery = {"do": do, "id": order_id, "version": version, **fields}
        return self._sign_message(delivery, brand=brand, home=home, is_second=is_second, lifetime=lifetime)

    def sign_cancel(
        self,
        *,
        brand: str,
        home: str,
        order_id: str,
        version: int,
        lifetime: timedelta = MESSAGE_LIFETIME,
    ) -> str:
        """Sign the cancel of an order, as `token` of `Cancellation`; `version` is higher than that of the order."""
        delivery = {"do": "cancel", "id": order_id, "version": version}
        return self._sign_message(delivery, brand=brand, home=home, is_second=False, lifetime=lifetime)

    def sign_more_time(
        self,
        *,
        brand: str,
        home: str,
        order_id: str,
        version: int,
        lifetime: timedelta = MESSAGE_LIFETIME,
    ) -> str:
        """Sign that the courier is late, as `token` of `MoreTimeRequest`; `version` is the newest of the order."""
        delivery = {"do": "more_time", "id": order_id, "version": version, "needs": ["more_time"]}
        return self._sign_message(delivery, brand=brand, home=home, is_second=True, lifetime=lifetime)

    def sign_arrival(  # noqa: PLR0913 - the claims of a message
        self,
        *,
        brand: str,
        home: str,
        order_id: str,
        version: int,
        on_the_way: bool = False,
        eta: datetime | None = None,
        lifetime: timedelta = MESSAGE_LIFETIME,
    ) -> str:
        """Sign when the courier comes, as `token` of `ArrivalNotice`; `version` is the newest of the order."""
        said = {"on_the_way": True} if on_the_way else {}
        at = {} if eta is None else {"eta": eta.isoformat()}
        delivery = {"do": "arrival", "id": order_id, "version": version, "needs": ["arrival"], **said, **at}
        return self._sign_message(delivery, brand=brand, home=home, is_second=True, lifetime=lifetime)

    def sign_facts_query(
        self, *, brand: str, home: str, jti: str | None = None, lifetime: timedelta = MESSAGE_LIFETIME
    ) -> str:
        """Sign the query for what the brand did in a home: `token` of `SignedBrandMessage`.

        `jti`: your name for the query, 16 to 64 characters; `answers` of `StatedFacts` says which query it answers.
        """
        claims = self._claims(brand, home, lifetime)
        return self._sign("perron-facts-query+jwt", claims if jti is None else {**claims, "jti": jti})

    def sign_comment(self, text: str, *, brand: str, home: str, lifetime: timedelta = MESSAGE_LIFETIME) -> str:
        """Sign the brand's comment on that: `token` of `SignedBrandMessage`. At most 500 printable characters."""
        return self._sign("perron-brand-comment+jwt", {**self._claims(brand, home, lifetime), "comment": text})

    def prove(self, *, brand: str, hub: str) -> str:
        """Prove to a hub that you have this key: `proof` of `NewBrandKey`. `hub` is the hub's own address."""
        return self._sign("perron-brand-key+jwt", {"brand": brand, "kid": self.kid, "hub": hub.rstrip("/")})

    def vouch_for(self, later: "SigningKey", *, brand: str, hub: str) -> str:
        """State that a later key is the brand's too: `vouched` of `NewBrandKey`. Homes then show it to their owners."""
        claims = {"iss": brand, "hub": hub.rstrip("/"), "iat": self._seconds(), "kid": later.kid, "x": later.x}
        return self._sign("perron-next-key+jwt", claims)

    def sign_request(self, asked: NewAskedTerms, *, brand: str, name: str, hub: str) -> str:
        """Sign the request to be let in by a home: `signed` of `NewConnection`. `name` is the brand's at the hub."""
        now = self._seconds()
        claims = {
            "iss": brand, "hub": hub.rstrip("/"), "iat": now, "name": name,
            "asked": json.loads(asked.model_dump_json(exclude_unset=True)),
            "exp": now + int(MAX_LIFETIME.total_seconds()), "jti": secrets.token_urlsafe(16),
        }  # fmt: skip
        return self._sign("perron-ask+jwt", claims)

    def sign_end(self, connection: str, *, brand: str, hub: str) -> str:
        """Sign the end of a connection: `signed` of `ConnectionEnd`."""
        claims = {"iss": brand, "hub": hub.rstrip("/"), "iat": self._seconds(), "connection": connection}
        return self._sign("perron-end+jwt", claims)

    def _sign_message(
        self, delivery: Mapping[str, Any], *, brand: str, home: str, is_second: bool, lifetime: timedelta
    ) -> str:
        typ = "perron-delivery-2+jwt" if is_second else "perron-delivery+jwt"
        return self._sign(typ, {**self._claims(brand, home, lifetime), "delivery": delivery})

    def _claims(self, brand: str, home: str, lifetime: timedelta) -> dict[str, Any]:
        if not timedelta(0) < lifetime <= MAX_LIFETIME:
            raise ValueError("a message lives at most 31 days")
        now = self._seconds()
        times = {"iat": now, "nbf": now, "exp": now + int(lifetime.total_seconds())}
        return {"iss": brand, "aud": home, **times, "jti": secrets.token_urlsafe(18)}

    def _sign(self, typ: str, claims: Mapping[str, Any]) -> str:
        # Without spaces: the hub refuses padding, by which a request could grow beyond the largest job.
        payload = json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()
        header = {"alg": _ALGORITHM, "kid": self.kid, "typ": typ}
        return jws.serialize_compact(header, payload, self._key, registry=_REGISTRY)

    def _seconds(self) -> int:
        return int(self._now().timestamp())
