"""A house and two retailers for tests: what they are called and how they sign."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from gateway.config.home import Home
from gateway.domain.delivery.features import used_features
from gateway.domain.delivery.promise import Cancel, Claims, DeliveryBody, Notice, Offer, Update, Window
from gateway.domain.delivery.promise_v2 import CancelV2, ClaimsV2, DeliveryBodyV2, OfferV2, UpdateV2
from gateway.domain.now import Now
from gateway.protocol.delivery_message import sign_delivery
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.jws import EnrolledKey

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
NOW = Now(utc=NOON, trusted=True, mono=100.0)
BOX = "box-1"
SECRETS = {
    "shop": SigningKey.from_seed(b"s" * 32),
    "farm": SigningKey.from_seed(b"f" * 32),
    "stranger": SigningKey.from_seed(b"x" * 32),
}
PARCEL = "8L20524752032"
DIGEST = "ab" * 32
_serial = count(1)

GRANTED_TERMS: dict[str, Any] = {
    "state": "granted",
    "entrances": ["front", "garage"],
    "carriers": ["Colissimo"],
    "places": ["hall", "fridge"],
}


def make_home(shop: Mapping[str, Any] | None = None, farm: Mapping[str, Any] | None = None) -> Home:
    """A front door that asks for the courier's code and a garage that does not; `shop`, `farm`: other terms."""
    entrance: dict[str, Any] = {
        "name": "Front",
        "way_out_by_hand": True,
        "lock": "lock",
        "door": "door",
        "cameras": {"outside": "cam"},
        "scanners": ("scanner",),
        "signal": "signal",
        "places": {"hall": {"name": "Hall"}, "fridge": {"name": "Fridge", "fridge": "cooler"}},
    }
    devices: dict[str, Any] = {
        "lock": {"kind": "lock", "vendor": "somfy", "address": "a"},
        "door": {"kind": "door", "vendor": "somfy", "address": "b"},
        "cam": {"kind": "camera", "vendor": "alexa", "address": "a", "url": "rtsp://127.0.0.1/a"},
        "scanner": {"kind": "scanner", "vendor": "scanner"},
        "signal": {"kind": "signal", "vendor": "signal"},
        "cooler": {"kind": "fridge", "vendor": "smartthings", "address": "a"},
    }
    own = {
        "garage-lock": devices["lock"] | {"address": "garage-a"},
        "garage-door": devices["door"] | {"address": "garage-b"},
    }
    others = {f"garage-{k}" if k in {"lock", "door", "scanner", "signal"} else k: v for k, v in devices.items()}
    garage = entrance | {
        "name": "Garage",
        "living_space": False,
        "courier_proof": False,
        "lock": "garage-lock",
        "door": "garage-door",
        "scanners": ("garage-scanner",),
        "signal": "garage-signal",
    }
    return Home.model_validate(
        {
            "box": BOX,
            "name": "Home",
            "devices": devices | others | own,
            "entrances": {"front": entrance, "garage": garage},
            "brands": {
                name: {
                    "name": name,
                    "keys": [{"kid": f"{name}-1", "x": SECRETS[name].public.text}],
                    "permission": GRANTED_TERMS | dict(changes or {}),
                }
                for name, changes in (("shop", shop), ("farm", farm))
            },
        }
    )


def enrolled_keys(home: Home | None = None) -> dict[str, EnrolledKey]:
    """The enrolled keys of that house, or of another one."""
    brands = (home or make_home()).brands
    return {key.kid: EnrolledKey(id_, PublicKey.from_jwk(key.x)) for id_, brand in brands.items() for key in brand.keys}


def noon_plus(**passed: float) -> Now:
    """So much later than noon."""
    later = timedelta(**passed)
    return replace(NOW, utc=NOON + later, mono=NOW.mono + later.total_seconds())


def make_offer(**changes: Any) -> Offer:  # noqa: ANN401 - any field of an offer
    """A delivery to the front door from 13:00 to 15:00 UTC."""
    return Offer.model_validate(_body() | changes)


def make_update(**changes: Any) -> Update:  # noqa: ANN401 - any field of an update
    """The same, said anew as version 2."""
    return Update.model_validate(_body() | {"version": 2} | changes)


def make_cancel(**changes: Any) -> Cancel:  # noqa: ANN401 - any field of a cancel
    """Its withdrawal, as version 2."""
    return Cancel.model_validate({"id": "d1", "version": 2} | changes)


def make_offer_v2(**changes: Any) -> OfferV2:  # noqa: ANN401 - any field of an offer
    """The same offer in a message of version 2, which lists the features that it uses."""
    return OfferV2.model_validate(_with_needs(_body() | changes))


def make_update_v2(**changes: Any) -> UpdateV2:  # noqa: ANN401 - any field of an update
    """The same, said anew as version 2 of the order."""
    return UpdateV2.model_validate(_with_needs(_body() | {"version": 2} | changes))


def _with_needs(body: dict[str, Any]) -> dict[str, Any]:
    return {"needs": used_features(body), **body}


def make_window(start: float = 1, end: float = 3) -> Window:
    """A window so many hours after noon."""
    return Window(start=NOON + timedelta(hours=start), end=NOON + timedelta(hours=end))


def make_claims(
    said: DeliveryBody | Cancel | Notice,
    *,
    brand: str = "shop",
    now: Now = NOW,
    **changes: Any,  # noqa: ANN401 - any claim
) -> Claims:
    """A message that lives for an hour, with a `jti` of its own."""
    seconds = int(now.utc.timestamp())
    fields = {"iss": brand, "aud": BOX, "iat": seconds, "nbf": seconds, "exp": seconds + 3600}
    model = ClaimsV2 if isinstance(said, DeliveryBodyV2 | CancelV2 | Notice) else Claims
    return model.model_validate(fields | {"jti": f"message-{next(_serial):012}", "delivery": said} | changes)


def sign_claims(message: Claims) -> bytes:
    """The message as its brand signs it."""
    return sign_delivery(message, SECRETS[message.iss], kid=f"{message.iss}-1")


def _body() -> dict[str, Any]:
    return {
        "id": "d1",
        "version": 1,
        "entrance": "front",
        "carrier": "Colissimo",
        "place": "hall",
        "window": make_window(),
        "parcels": (PARCEL,),
        "courier_sha256": DIGEST,
    }
