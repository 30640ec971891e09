"""Explanations of the stable codes of the API, for retailers: what a code means and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ProblemExplanation:
    """`means`: the meaning of the code. `todo`: what to do. `again`: whether the client may repeat the same request."""

    means: str
    todo: str
    again: bool = False


EXPLANATIONS: Mapping[str, ProblemExplanation] = MappingProxyType({
    "malformed_json": ProblemExplanation(
        "The body is not valid JSON, or it is ambiguous: it is incomplete, contains a name twice, NaN or "
        "Infinity, a number with thousands of digits, or more than twelve levels. `detail` says which.",
        "Write the body with a JSON library. The hub did nothing.",
    ),
    "bad_cursor": ProblemExplanation(
        "This list did not issue the `cursor`, `after` or `Last-Event-ID`, or it belongs to another retailer.",
        "Use `next` of the page before, unchanged. If you lost it, start without a cursor.",
    ),
    "bad_host": ProblemExplanation(
        "The request used a host name that is not the hub's.",
        "Use the address under `servers` in /openapi.json.",
    ),
    "unauthenticated": ProblemExplanation(
        "The request has no API key, or the key is unknown, revoked or expired; or the token of a browser is "
        "invalid or expired, or its home has ended the browser. The hub does not say which. `sealed` is the last "
        "message of the home to a browser that has ended; only that browser can decrypt it.",
        "Send `Authorization: Bearer key-..._...`. The hub shows a key once, when it is made. If you lost it, "
        "make another key and revoke this one.",
    ),
    "forbidden": ProblemExplanation(
        "The API key is valid but does not have the right: a key with the right to read cannot change anything.",
        "Use a key whose `right` is `full`.",
    ),
    "not_found": ProblemExplanation(
        "No object has this id, or it belongs to another retailer, or one of key and object belongs to the "
        "sandbox and the other does not. The hub does not say which.",
        "Check the id and the key. Read what you made with a sandbox's key with that key.",
    ),
    "method_not_allowed": ProblemExplanation(
        "The address exists, but does not support this method.",
        "The header `Allow` names the methods; this page lists all operations.",
    ),
    "conflict": ProblemExplanation(
        "The request contradicts the stored state; `detail` says how. Or two requests did the same at one moment, "
        "and the other one won.",
        "Read the object, then decide again.",
    ),
    "already_exists": ProblemExplanation(
        "Another request has already made an object with this name.",
        "Read that object, or choose another name. To repeat a request safely, send an `Idempotency-Key`.",
    ),
    "stale_version": ProblemExplanation(
        "You named or signed a version, and there is a newer one.",
        "Read the newest version, and apply your change to it.",
    ),
    "too_late": ProblemExplanation(
        "The delivery is over (delivered, cancelled, expired ...), or the door was already opened for it. It can "
        "no longer be changed or cancelled.",
        "Read its state. Announce a new delivery if you need one.",
    ),
    "not_connected": ProblemExplanation(
        "The home has not let this brand in: it has not answered yet, refused, or revoked its permission.",
        "Wait for `connection.decided`. If the home refused or revoked, ask its owner again.",
    ),
    "signature_required": ProblemExplanation(
        "This home accepts only what the brand itself signed; the hub's signature is not enough.",
        "Sign the delivery with the brand's key (`perron retailer announce --key-file`) and send it as `token`.",
    ),
    "too_slow": ProblemExplanation(
        "The body did not arrive completely in the time that the hub waits.",
        "Send it again, over a better connection. The hub did nothing.",
        again=True,
    ),
    "too_large": ProblemExplanation(
        "The body is larger than this operation accepts.",
        "`detail` says the limit. A delivery has at most fifty parcels.",
    ),
    "unsupported_media_type": ProblemExplanation(
        "The Content-Type of the body is not JSON in UTF-8.",
        "Send `Content-Type: application/json`.",
    ),
    "invalid": ProblemExplanation(
        "The JSON is valid, but a value is not. Each entry of `errors` names one place by its `pointer` (RFC 6901 "
        "in a body, otherwise the parameter's name), a `code`, and a sentence about the mistake.",
        "Correct the named values. The hub refuses unknown names, so that a misspelt name is not ignored.",
    ),
    "idempotency_key_reused": ProblemExplanation(
        "The same `Idempotency-Key` came within 24 hours with another method, address or body.",
        "Use a new key for each operation, and the same key only for the same request.",
    ),
    "signature_refused": ProblemExplanation(
        "The signature or the claims of the message are not valid. The `code` in `errors` is the one that the "
        "home would give: unknown_key, wrong_signature, no_longer_valid, wrong_audience ...",
        "Enrol the key with that `kid` for the brand, sign for this home (`aud` is the connection's home), and "
        "sign again: a message is valid for at most 31 days.",
    ),
    "not_permitted": ProblemExplanation(
        "The home's terms, as the home last reported them (`terms` of the connection), do not contain this "
        "entrance, place or carrier. The `code` in `errors` says which (entrance_not_permitted, "
        "place_not_permitted, carrier_not_permitted), its `detail` what is allowed. The hub sent nothing to the "
        "home.",
        "Name an allowed one, or ask the home for more with a new connection. The home itself checks what the hub "
        "passes on, and what you send while the home is away; a refusal then comes back as `refused`.",
    ),
    "address_refused": ProblemExplanation(
        "The hub sends no webhooks to this address: it is private, link-local, the hub's own, or not https.",
        "Use a public https address. For trials use `perron retailer watch`, which needs no address.",
    ),
    "rate_limited": ProblemExplanation(
        "This retailer (or, without a key, this address) has sent more requests than its limit.",
        "Wait for the seconds in `Retry-After`. Each answer contains the limits in `RateLimit-Policy` and the "
        "rest in `RateLimit`.",
        again=True,
    ),
    "home_offline": ProblemExplanation(
        "The home's box is not connected to the hub: its internet connection is down, or it is off. The hub sent "
        "no question.",
        "Ask again later. An order waits at the hub for the time that it names; a stop for 15 minutes.",
        again=True,
    ),
    "home_silent": ProblemExplanation(
        "The home's box is connected, but did not answer within 25 seconds.",
        "Ask again with a new question: the box does not answer the same question twice.",
        again=True,
    ),
    "internal": ProblemExplanation(
        "The hub failed. It carried the request out completely or not at all.",
        "Send the same request again with the same `Idempotency-Key`: if it was carried out, you get its answer.",
        again=True,
    ),
    "unavailable": ProblemExplanation(
        "The hub cannot do that now: something that it needs is away or full.",
        "Send the same request again in some minutes.",
        again=True,
    ),
})  # fmt: skip
