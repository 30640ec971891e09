"""Reads from the log of a visit which yes each opening used, by docs/reference/proof-format.md alone."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

Object = dict[str, Any]
DIGEST = re.compile(r"[0-9a-f]{64}")
SKEW = timedelta(seconds=2)
CLAIMS = {"iss", "sub", "aud", "jti", "iat", "exp", "visit", "closure", "picture_sha256", "yes"}
Fault = tuple[str, str, str]  # closure, why, and what excuses it


def read(rows: list[Any], box: str | None = None) -> tuple[list[Object], list[Fault]]:
    """The openings with the yes of each, as the manifest must list them, and the ones without a valid yes."""
    permits: list[Object] = []
    faults: list[Fault] = []
    yeses: dict[str, Object] = {}
    over: set[str] = set()
    supervised = False
    for row in rows:
        if not isinstance(row, dict) or row.get("kind") != "step":
            continue
        supervised = supervised or (row.get("route") or {}).get("yes_each") is True
        if not supervised:
            continue
        event = row["event"]
        if event.get("event") == "OpeningDecided" and not event["yes"]:
            over |= set(yeses)
        elif event.get("event") == "OpeningDecided" and DIGEST.fullmatch(event.get("picture_sha256", "")):
            yeses.setdefault(event["message_sha256"], event)
        for command in row["commands"]:
            if command["command"] == "Reserve":
                used = [one["message_sha256"] for one in permits]
                faults += wrong(command, yeses, over, used, row["at"])
                faults += unsigned(command, yeses, box)
                permits += listed(command, yeses, row["at"])
    keys = [one["key_sha256"] for one in permits if one["by"] is not None]
    if None in keys:
        permits = [one | {"key_sha256": None} for one in permits]
    return permits, faults


def listed(command: Object, yeses: dict[str, Object], at: str) -> list[Object]:
    if "permit" not in command:
        return []
    yes = yeses.get(command["permit"], {})
    return [{
        "closure": command["closure"], "used": short(at), "message_sha256": command["permit"], "by": yes.get("by"),
        "signed": short(yes.get("issued")), "expires": short(yes.get("expires")),
        "picture_sha256": yes.get("picture_sha256"), "key_sha256": thumbprint(yes.get("key")),
    }]  # fmt: skip


def wrong(command: Object, yeses: dict[str, Object], over: set[str], used: list[str], at: str) -> list[Fault]:
    name, digest = command["closure"], command.get("permit")
    if digest is None:
        return [(name, "no yes", "")]
    found: list[Fault] = [(name, "used twice", "")] if digest in used else []
    if digest not in yeses:
        return [*found, (name, "unknown yes", "missing")]
    yes, when = yeses[digest], datetime.fromisoformat(at)
    if (yes["visit"], yes["closure"]) != (command["visit"], name):
        found.append((name, "another opening's yes", ""))
    if digest in over:
        found.append((name, "a no came after", ""))
    if not datetime.fromisoformat(yes["issued"]) - SKEW <= when < datetime.fromisoformat(yes["expires"]):
        found.append((name, "not valid then", "time"))
    return found


def short(text: str | None) -> str | None:
    """An instant as a manifest writes it."""
    return text and text.replace(".000000Z", "Z")


def unsigned(command: Object, yeses: dict[str, Object], box: str | None) -> list[Fault]:
    """What contradicts the log in the message that the supervisor signed; an older log has no message."""
    yes = yeses.get(command.get("permit", ""), {})
    if "token" not in yes and "key" not in yes:
        return []
    claims = opened(yes.get("token", ""), yes.get("key"))
    if claims is None:
        return [(command["closure"], "not signed", "")]
    same = (
        claims["sub"] == yes["by"]
        and all(claims[name] == yes[name] for name in ("visit", "closure", "picture_sha256"))
        and claims["yes"] is True
        and all(
            at(claims[one]) == datetime.fromisoformat(yes[two]) for one, two in (("iat", "issued"), ("exp", "expires"))
        )
        and sha256(yes["token"].encode()).hexdigest() == yes["message_sha256"]
    )
    if not same:
        return [(command["closure"], "something else was signed", "")]
    return [] if box in (None, claims["aud"]) else [(command["closure"], "signed for another box", "")]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def plain(text: str) -> bytes:
    """Base64url without padding, in its one spelling."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError(text)
    return data


def point(key: Object | None) -> ec.EllipticCurvePublicKey:
    """The key of a JWK."""
    if key is None or set(key) != {"crv", "kty", "x", "y"} or (key["crv"], key["kty"]) != ("P-256", "EC"):
        raise ValueError("no key of P-256")
    x, y = plain(key["x"]), plain(key["y"])
    if (len(x), len(y)) != (32, 32):
        raise ValueError("no coordinates of P-256")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()


def thumbprint(key: Object | None) -> str | None:
    """RFC 7638, in hexadecimal; None: it is no key."""
    try:
        point(key)
    except (ValueError, TypeError, KeyError):
        return None
    return sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def opened(token: str, key: Object | None) -> Object | None:
    """The claims of a compact JWS of a supervisor that this key signed; None: it is none."""
    try:
        public, (header, payload, signature) = point(key), token.split(".")
        kid = json.loads(plain(header))["kid"]
        named = {"alg": "ES256", "typ": "perron-yes+jwt", "kid": kid}
        numbers = plain(signature)
        if (
            len(token) > 2000
            or len(numbers) != 64
            or json.dumps(named, separators=(",", ":")).encode() != plain(header)
        ):
            return None
        both = encode_dss_signature(int.from_bytes(numbers[:32]), int.from_bytes(numbers[32:]))
        public.verify(both, f"{header}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
        claims = json.loads(plain(payload))
    except (ValueError, TypeError, KeyError, InvalidSignature):
        return None
    return claims if isinstance(claims, dict) and set(claims) == CLAIMS else None
