"""One of each thing that is signed, sealed or chained, made of fixed keys, times and numbers.

`golden.json` was written by the release before the floor plan (commit 5900e72), by this very function: each module is
asked for by the name that it had there. Run it at another commit with `python -m tests.gateway.protocol.golden`.
"""

import importlib
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from pydoc import locate
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = Path(__file__).with_name("golden.json")
MODULE_NAMES = {
    "gateway.delivery.promise": "gateway.domain.delivery.promise",
    "gateway.delivery.signature": "gateway.protocol.delivery_message",
    "gateway.guard.envelope": "gateway.protocol.guard_message",
    "gateway.hub.account": "gateway.protocol.delivery_record",
    "gateway.hub.asking": "gateway.protocol.consent_request",
    "gateway.hub.brandword": "gateway.protocol.brand_statement",
    "gateway.hub.possession": "gateway.protocol.brand_statement",
    "gateway.hub.sealed": "gateway.protocol.box_hub",
    "gateway.hub.unsigned": "gateway.protocol.delivery_message",
    "gateway.hub.words": "gateway.protocol.box_hub",
    "gateway.proof.chain": "gateway.protocol.hash_chain",
    "gateway.proof.checkpoint": "gateway.evidence.checkpoint",
    "gateway.proof.keys": "gateway.protocol.keys",
    "gateway.proof.receipt": "gateway.evidence.receipt",
    "gateway.proof.retention": "gateway.evidence.retention",
    "gateway.remote.envelope": "gateway.protocol.browser_envelope",
    "gateway.remote.signed": "gateway.protocol.browser_token",
    "gateway.remote.words": "gateway.protocol.browser_messages",
    "gateway.visit.state": "gateway.domain.visit.state",
}
"""Each module as it was called when the file was written, and as it is called now."""

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECONDS = int(AT.timestamp())
HUB = "https://hub.example"
BROWSER = f"brw-{7:032x}"
UUID = "8b3f6c1e-52a4-4d8e-9c57-0a4f4b0c9d11"


RENAMED: dict[str, dict[str, str]] = {
    "gateway.delivery.signature": {
        "sign": "sign_delivery",
        "private_key": "gateway.protocol.ed25519.SigningKey.from_seed",
    },
    "gateway.delivery.promise": {"promise": "order_of"},
    "gateway.guard.envelope": {"seal": "sign_guard_message"},
    "gateway.hub.asking": {"AskedKey": "RequestedKey", "Asking": "ConsentMessage", "written": "sign_consent"},
    "gateway.hub.brandword": {
        "Asks": "ConsentStatement",
        "Vouches": "NextKeyStatement",
        "Ends": "EndStatement",
        "said": "sign_brand_statement",
    },
    "gateway.hub.possession": {"prove": "sign_proof"},
    "gateway.hub.sealed": {"seal": "sign_by_box", "vouch": "sign_by_box"},
    "gateway.hub.unsigned": {"sign": "sign_delivery"},
    "gateway.hub.words": {"Happened": "BoxEvent", "digest": "token_digest"},
    "gateway.proof.chain": {
        "Hidden": "HiddenBody",
        "Head": "ChainHead",
        "canonical": "canonical_json",
        "link": "link_hash",
    },
    "gateway.proof.checkpoint": {"checkpoint": "sign_checkpoint"},
    "gateway.proof.receipt": {"receipt": "CourierReceipt"},
    "gateway.proof.retention": {"tombstone": "Tombstone"},
    "gateway.remote.envelope": {"keys": "derive_keys", "private_key": "load_private_key", "seal": "encrypt"},
    "gateway.remote.words": {"Token": "BrowserTokenClaims", "Stop": "StopOrder", "Asking": "BrowserQuery"},
    "gateway.visit.state": {
        "House": "gateway.domain.delivery.result.DoorResult",
        "Now": "gateway.domain.now.Now",
        "Outcome": "gateway.domain.delivery.result.Outcome",
    },
}
"""For each module as it was called then: what in it has another name now, or lies in another module."""


class Renamed:
    """A module of today whose classes and functions are found by the names that they had when the file was written."""

    def __init__(self, name: str) -> None:
        self._module = importlib.import_module(MODULE_NAMES[name])
        self._names = RENAMED.get(name, {})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a class or a function
        new = self._names.get(name, name)
        found = locate(new) if "." in new else getattr(self._module, new)
        return _signer_of(found) if hasattr(found, "signed") else found


def _signer_of(document: Any) -> Callable[..., Any]:  # noqa: ANN401 - a class of signed documents
    """Return what was a function of its own then."""
    return lambda *, key, **fields: document(**fields).signed(key)


def module_now(name: str) -> Any:  # noqa: ANN401 - a module
    """Find a module by the name that it had when the file was written."""
    return Renamed(name)


def module_before(name: str) -> Any:  # noqa: ANN401 - a module
    """Find it where nothing has moved yet."""
    return importlib.import_module(name)


def p256_key(number: int) -> ec.EllipticCurvePrivateKey:
    """Return a P-256 key that is the same each time."""
    return ec.derive_private_key(number, ec.SECP256R1())


def make_all(module: Callable[[str], Any]) -> dict[str, str]:
    """Make all of them; what is not text already is written as base64."""
    promise, signature = module("gateway.delivery.promise"), module("gateway.delivery.signature")
    brand = signature.private_key(b"b" * 32)
    box = module("gateway.proof.keys").BoxKey(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    window = promise.Window(start=AT, end=AT + timedelta(hours=2))
    body = {
        "id": "order-1", "version": 3, "entrance": "front", "place": "hall", "carrier": "Colissimo", "window": window,
        "parcels": ("8L20524752032",), "courier_sha256": "ab" * 32,
    }  # fmt: skip
    claims = {"aud": "box-1", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600, "jti": "0123456789abcdef"}
    offered = promise.Offer(**body)

    def said(delivery: object) -> bytes:
        return bytes(signature.sign(promise.Claims(iss="shop", delivery=delivery, **claims), brand, kid="shop-1"))

    unsigned, account = module("gateway.hub.unsigned"), module("gateway.hub.account")
    guard, sealed, words = module("gateway.guard.envelope"), module("gateway.hub.sealed"), module("gateway.hub.words")
    found: dict[str, bytes | str] = {
        "offer": said(offered),
        "update": said(promise.Update(**body)),
        "cancel": said(promise.Cancel(id="order-1", version=4)),
        "hub_signed": unsigned.sign(unsigned.HubClaims(brand="shop", delivery=offered, **claims), brand, kid="hub-1"),
        "to_guard": guard.seal(guard.ToGuard(at="set", lock="front", question="q" * 24, counter=7, body="{}"), brand),
        "from_guard": guard.seal(
            guard.FromGuard(
                lock="front", part="lock", channel="state", boot=f"1-{0:016x}", seq=4, uptime_ms=9, counter=7, body="{}"
            ),
            brand,
        ),
        "box_event": sealed.seal(words.Happened(home="home-1", seq=1, prev="0" * 64, at=AT), box.sign),
        "box_statement": sealed.vouch(
            account.Statement(
                home="home-1", brand="shop", delivery="order-1", version=3, message_sha256="cd" * 32,
                state=promise.State.DELIVERED, missing=0, house=module("gateway.visit.state").House.LOCKED_AGAIN,
                at=AT, clock_trusted=True, lines=2, head="ef" * 32, entry="01" * 32,
            ),
            box.sign,
        ),
    }  # fmt: skip
    return {name: _text(one) for name, one in (found | _of_brands(module, box) | _of_proofs(module, box)
                                               | _of_browsers(module)).items()}  # fmt: skip


def _of_brands(module: Callable[[str], Any], key: Any) -> dict[str, bytes | str]:  # noqa: ANN401 - the same
    asking, brandword = module("gateway.hub.asking"), module("gateway.hub.brandword")
    terms = asking.AskedTerms(carriers=("Colissimo",), openings=2)
    asks = brandword.Asks(
        iss="shop", hub=HUB, iat=SECONDS, name="Boutique", asked=terms, exp=SECONDS + 3600, jti="0123456789abcdef"
    )
    vouches = brandword.Vouches(iss="shop", hub=HUB, iat=SECONDS, kid="shop-2", x=key.public.text)
    question = asking.Asking(
        hub=HUB, home="home-1", brand="shop", name="Boutique", keys=(asking.AskedKey(kid="shop-1", x=key.public.text),),
        connection="con-1", asked=terms, expires=AT,
    )  # fmt: skip
    return {
        "brand_asks": brandword.said(asks, key.sign, kid="shop-1"),
        "brand_vouches": brandword.said(vouches, key.sign, kid="shop-1"),
        "brand_ends": brandword.said(brandword.Ends(iss="shop", hub=HUB, iat=SECONDS, connection="con-1"), key.sign,
                                     kid="shop-1"),
        "key_possession": module("gateway.hub.possession").prove(key.sign, brand="shop", kid="shop-1", hub=HUB),
        "consent_request": asking.written(question, key.sign),
    }  # fmt: skip


def _of_proofs(module: Callable[[str], Any], key: Any) -> dict[str, bytes | str]:  # noqa: ANN401 - the same
    chain, checkpoint = module("gateway.proof.chain"), module("gateway.proof.checkpoint")
    time = module("gateway.visit.state").Now(utc=AT, trusted=True, mono=5.0)
    entry = chain.canonical({"event": "Scanned", "code": {"last": "2032"}, "é": [1, None, True, 0.5]})
    linked = chain.link(chain.link(b"\0" * 32, 1, entry), 2, chain.Hidden(sha256(entry).digest()))
    end = checkpoint.checkpoint(chain.Head(seq=2, hash=linked), box="box-1", now=time, key=key)
    received = module("gateway.proof.receipt").receipt(
        box="box-1", visit="v1", entrance="front", carrier="Colissimo", parcels=("2032",),
        outcome=module("gateway.visit.state").Outcome.DELIVERED, came=AT, left=AT + timedelta(minutes=4), key=key,
    )  # fmt: skip
    stone = module("gateway.proof.retention").tombstone(
        box="box-1", visit="v1", parts=(), at=AT, why="request", who="owner", key=key
    )
    return {
        "log_entry": entry,
        "log_link": linked,
        "checkpoint": end.to_json(),
        "receipt": received.to_json(),
        "tombstone": stone.to_json(),
    }


def _of_browsers(module: Callable[[str], Any]) -> dict[str, bytes | str]:
    envelope, signed = module("gateway.remote.envelope"), module("gateway.remote.signed")
    words = module("gateway.remote.words")
    keys = envelope.keys(p256_key(11), envelope.Jwk.of(p256_key(12).public_key()), home="home-1", browser=BROWSER)
    token = words.Token(iss=BROWSER, sub="home-1", aud=HUB, iat=SECONDS, exp=SECONDS + 60)
    order = words.Order(
        iss=BROWSER, aud="home-1", jti=UUID, number=3, iat=SECONDS, exp=SECONDS + 60, order=words.Stop(do="stop")
    )
    nobody = b"\1" * 64  # ES256 is another one each time: what is signed is compared, not the signature
    found = {f"browser_key_{name}": value for name, value in sorted(asdict(keys).items())}
    return {
        **found,
        "browser_token": signed.sign(token, lambda _: nobody),
        "browser_order": signed.sign(order, lambda _: nobody),
        "browser_envelope": envelope.seal(b"k" * 32, BROWSER, b'{"do":"look"}', b"raw", random=lambda n: b"\2" * n),
    }


def _text(one: bytes | str) -> str:
    if isinstance(one, str):
        return one
    try:
        return one.decode("ascii")
    except UnicodeDecodeError:
        return b64encode(one).decode()


if __name__ == "__main__":
    FILE.write_text(json.dumps(make_all(module_before), indent=1, sort_keys=True) + "\n", encoding="utf-8")
