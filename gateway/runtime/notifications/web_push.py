"""Sends notifications to browsers by Web Push (RFC 8030), encrypted for each browser (RFC 8291) and signed (RFC 8292).

The push service of a browser's maker carries a message and reads nothing of it. Its address comes from the browser, so
it is an address from outside: https only, to public addresses only, without redirects
(`gateway/system/guarded_http.py`).
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.config.home import PushSection
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.keys import PushKey
from gateway.runtime.notifications.batching import Button, PhoneNotification
from gateway.runtime.notifications.phone import SEND_TIMEOUT_S, SendResult
from gateway.runtime.notifications.pictures import PictureShelf
from gateway.storage.push_subscriptions import PushSubscription, SubscriptionKeys
from gateway.storage.store import Store
from gateway.system.base64url import decode_base64url, encode_base64url
from gateway.system.clock import Clock
from gateway.system.config_section import ConfigError
from gateway.system.destinations import DestinationPolicy, DestinationRefused, parse_destination
from gateway.system.regular_file import read_text

if TYPE_CHECKING:
    from gateway.system.guarded_http import Lookup

PUSH_SCHEME = "push"  # as the pages name such a phone among those of Apprise
MAX_ENDPOINT_CHARS = 1000  # of a push service's address; the longest known have 500
PUBLIC_KEY_BYTES, AUTH_BYTES = 65, 16  # of a browser's key (an uncompressed point) and secret (RFC 8291, 3.1 and 3.2)
MAX_PAYLOAD_BYTES = 3800  # of the text before it is encrypted: a push service takes 4096 bytes of the result
MAX_BUTTONS = 2  # browsers show no more
TOKEN_LIFETIME = timedelta(hours=12)  # of the signature; RFC 8292 permits 24 hours
CONTACT = "mailto:box@perron.example"  # RFC 8292 wants one; a box has no address of its own, and its owner's is private

RING_LIFETIME_S = 15 * 60  # how long the service keeps what rings: as long as its links are valid
MESSAGE_LIFETIME_S = 3 * 24 * 3600
ALARM_LIFETIME_S = 28 * 24 * 3600  # the longest that push services take


class Urgency(StrEnum):
    """When the service wakes the phone (RFC 8030, 5.3)."""

    NORMAL = "normal"
    HIGH = "high"


_RESULTS: Mapping[int, SendResult] = MappingProxyType({
    **dict.fromkeys((200, 201, 202, 204), SendResult.TAKEN),
    **dict.fromkeys((404, 410), SendResult.GONE),  # RFC 8030, 7.3; 410 is what services answer
})  # fmt: skip


class BadSubscriptionError(ValueError):
    """A browser brought something that is no subscription."""


def parse_subscription(fields: Mapping[str, str], policy: DestinationPolicy) -> SubscriptionKeys:
    """Read the fields of a form that a browser sent.

    Raises:
        BadSubscriptionError: the address may not be sent to, or a key is none.
    """
    endpoint = fields.get("endpoint", "")
    try:
        parse_destination(endpoint, policy, max_chars=MAX_ENDPOINT_CHARS)
        p256dh, auth = (_decode_key(fields.get(name, "")) for name in ("p256dh", "auth"))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)  # it lies on the curve
    except (DestinationRefused, ValueError) as error:
        raise BadSubscriptionError(str(error)) from error
    if len(p256dh) != PUBLIC_KEY_BYTES or len(auth) != AUTH_BYTES:
        raise BadSubscriptionError("a key has another length")
    return SubscriptionKeys(endpoint=endpoint, p256dh=p256dh, auth=auth)


def _decode_key(text: str) -> bytes:
    if len(text) > 2 * PUBLIC_KEY_BYTES:
        raise ValueError("too long for a key")
    return decode_base64url(text.rstrip("="))


class PushSettings(Frozen):
    """Where pushes may go. `tls`: None trusts what the system trusts."""

    policy: DestinationPolicy = DestinationPolicy()
    tls: ssl.SSLContext | None = None
    lookup: "Lookup | None" = None  # of a name's addresses; None: as this machine does


def push_settings(section: PushSection) -> PushSettings:
    """Read the settings of a house file.

    Raises:
        ConfigError: the authority cannot be used.
    """
    tls = None
    if section.authority is not None:
        try:
            tls = ssl.create_default_context(cadata=read_text(section.authority))
        except (OSError, ValueError) as error:
            raise ConfigError(f"push.authority: {section.authority} holds no certificate ({error}).") from error
    return PushSettings(policy=DestinationPolicy(private=section.private_services), tls=tls)


class PushServices:
    """Sends to the browsers that the store has. `pictures` keeps what they fetch from the box."""

    def __init__(
        self, store: Store, clock: Clock, key: PushKey, *, pictures: PictureShelf, settings: PushSettings
    ) -> None:
        self.store, self.clock, self.key, self.pictures, self.settings = store, clock, key, pictures, settings

    def phones(self) -> tuple["WebPushPhone", ...]:
        """Return the browsers of people who may be told, oldest first."""
        return tuple(WebPushPhone(one, self) for one in self.store.push.subscriptions())

    async def post(self, subscription: PushSubscription, body: bytes, headers: Mapping[str, str]) -> SendResult:
        """Send one message; no failure of network or service raises."""
        settings = self.settings
        try:
            target = parse_destination(subscription.endpoint, settings.policy, max_chars=MAX_ENDPOINT_CHARS)
            await asyncio.to_thread(import_module, "gateway.system.guarded_http")
            from gateway.system.guarded_http import post_guarded  # noqa: PLC0415 - slow to import: no door waits for it

            status = await post_guarded(
                target, body, headers, settings.policy, timeout_s=SEND_TIMEOUT_S, lookup=settings.lookup,
                tls=settings.tls,
            )  # fmt: skip
        except TimeoutError:
            return SendResult.SILENT
        except (DestinationRefused, OSError):
            return SendResult.REFUSED
        return _RESULTS.get(status, SendResult.REFUSED)


class WebPushPhone:
    """A browser of a person of the household."""

    scheme = PUSH_SCHEME

    def __init__(self, subscription: PushSubscription, services: PushServices) -> None:
        self.subscription, self._services = subscription, services
        self.name, self.host = subscription.phone, urlsplit(subscription.endpoint).hostname

    @property
    def decides_brands(self) -> bool:
        """Whether its person is an owner now."""
        subscription = self._services.store.push.subscription(self.name)
        return subscription is not None and subscription.role == "owner"

    async def send(self, notification: PhoneNotification) -> SendResult:
        """Send the notification; what the store no longer has (its person or device is gone) gets nothing."""
        services = self._services
        subscription = services.store.push.subscription(self.name)
        if subscription is None:
            return SendResult.GONE
        now = services.clock.now()
        picture = None if notification.picture is None else services.pictures.put(notification.picture, now)
        body = encrypt(payload(notification, picture=picture), subscription)
        return await services.post(subscription, body, request_headers(subscription, notification, services.key, now))


def request_headers(
    subscription: PushSubscription, notification: PhoneNotification, key: PushKey, now: Now
) -> dict[str, str]:
    """Return the headers of a push (RFC 8030, 5; RFC 8292, 2)."""
    headers = {
        "Authorization": vapid_header(subscription.endpoint, key, now),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(_lifetime_s(notification)),
        "Urgency": Urgency.HIGH if notification.urgent or notification.is_ringing else Urgency.NORMAL,
    }
    if notification.subject is not None:  # what the phone has not had yet is replaced by this
        headers["Topic"] = encode_base64url(sha256(notification.subject.encode()).digest())[:32]
    return headers


def vapid_header(endpoint: str, key: PushKey, now: Now) -> str:
    """Return the value of `Authorization`: who sends, signed for this push service only."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now.utc + TOKEN_LIFETIME).timestamp()), "sub": CONTACT,
    }  # fmt: skip
    token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, ECKey.import_key(key.private), algorithms=["ES256"])
    return f"vapid t={token}, k={key.public_text}"


def encrypt(text: bytes, subscription: PushSubscription) -> bytes:
    """Encrypt a message for one browser."""
    encrypted: bytes = http_ece.encrypt(
        text, private_key=ec.generate_private_key(ec.SECP256R1()), dh=subscription.p256dh,
        auth_secret=subscription.auth, version="aes128gcm",
    )  # fmt: skip
    return encrypted


def payload(notification: PhoneNotification, *, picture: str | None) -> bytes:
    """Return what the service worker shows (`static/worker.js`), as JSON, short enough to be pushed."""
    said = {
        "title": notification.title,
        "body": notification.text,
        "late": notification.late_text,
        "at": None if notification.at is None else int(notification.at.timestamp() * 1000),
        "tag": notification.subject or notification.alone,
        "urgent": notification.urgent,
        "ringing": notification.is_ringing,
        "language": notification.language,
        "picture": picture,
        "failed": notification.failed_text,
        "actions": [_action(button) for button in notification.buttons[:MAX_BUTTONS]],
    }
    while len(packed := json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_PAYLOAD_BYTES:
        body = str(said["body"])
        said["body"] = body[: len(body) * 3 // 4].rstrip("…") + "…"
    return packed


def _action(button: Button) -> Mapping[str, object]:
    return {"action": button.action, "title": button.label, "path": button.path, "at_once": button.at_once}


def _lifetime_s(notification: PhoneNotification) -> int:
    if notification.is_ringing:
        return RING_LIFETIME_S
    return ALARM_LIFETIME_S if notification.urgent else MESSAGE_LIFETIME_S
