"""Each stable code of the API, explained: what it means, and what a retailer's program does about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Explained:
    """`means`: what the hub says by it. `todo`: what to do. `again`: whether the same request may be sent again."""

    means: str
    todo: str
    again: bool = False


EXPLAINED: Mapping[str, Explained] = MappingProxyType({
    "malformed_json": Explained(
        "The body cannot be read as JSON in one way only: it is cut off, has a name twice, NaN or Infinity, a number"
        " with thousands of digits, or is nested deeper than twelve levels. `detail` says which.",
        "Write the body by a JSON library, once. Nothing was done.",
    ),
    "bad_cursor": Explained(
        "A `cursor`, an `after` or a `Last-Event-ID` is none that this list gave, or is another retailer's.",
        "Take `next` of the page before as it is; begin without a cursor if you have lost it.",
    ),
    "bad_host": Explained(
        "The request came to this machine under a name that is not the hub's own.",
        "Use the address that stands under `servers` in /openapi.json.",
    ),
    "unauthenticated": Explained(
        "No API key came with the request, or one that is unknown, revoked or over; or a browser's token that is none,"
        " is over, or whose browser has ended at its home. Which of these is not told; `sealed` is what the home of a"
        " browser that has ended has to say to it, which that browser alone can open.",
        "Send `Authorization: Bearer key-..._...`. A secret was told once, when the key was made; if it is lost, make"
        " another key and revoke this one.",
    ),
    "forbidden": Explained(
        "The key counts, but has not the right: a key that may read only cannot change anything.",
        "Use a key whose `right` is `full`.",
    ),
    "not_found": Explained(
        "There is nothing of this name, or it is another retailer's, or it is of the other world: a key of the sandbox"
        " sees the sandbox only. Nobody is told which of these it is.",
        "Check the id and the key. What you made under a sandbox's key is read under that key.",
    ),
    "method_not_allowed": Explained(
        "The address is there, but this method is none of it.",
        "The header `Allow` names the methods; this page lists all operations.",
    ),
    "conflict": Explained(
        "It does not fit what is there; `detail` says what. Also where two requests did the same at one moment, of"
        " which the other one won.",
        "Read what is there, then decide anew.",
    ),
    "already_exists": Explained(
        "There is one of this name already, made by another request than this one.",
        "Read that one, or take another name. To send a request again safely give it an `Idempotency-Key`.",
    ),
    "stale_version": Explained(
        "You said which version you know, or signed a version, and there is a newer one already.",
        "Read it, and make your change of what it is now.",
    ),
    "too_late": Explained(
        "It is over (delivered, cancelled, expired ...), or the door was already opened for it, so it can no longer be"
        " changed or cancelled.",
        "Read its state; a new delivery is a new one.",
    ),
    "not_connected": Explained(
        "The home has not let this brand in: it has not answered yet, said no, or took its word back.",
        "Wait for `connection.decided`; if the home refused or revoked, ask its owner to be let in again.",
    ),
    "signature_required": Explained(
        "This home's terms take only what the brand itself has signed; the hub's own signature is not enough there.",
        "Sign the delivery with the brand's key (`perron retailer announce --key-file`) and send it as `token`.",
    ),
    "too_slow": Explained(
        "The body had not come whole within the seconds that the hub waits for one.",
        "Send it again, over a better line. Nothing was done.",
        again=True,
    ),
    "too_large": Explained(
        "The body is larger than this operation reads.",
        "`detail` says how much is read. A delivery has at most fifty parcels.",
    ),
    "unsupported_media_type": Explained(
        "The body is announced as something else than JSON in UTF-8.",
        "Send `Content-Type: application/json`.",
    ),
    "invalid": Explained(
        "The request is well formed and cannot be meant. Each entry of `errors` names one place by its `pointer`"
        " (RFC 6901 in a body, else the parameter's name), a `code`, and says in words what is wrong.",
        "Correct what is named. Unknown names are refused, so that a misspelt one is not silently left out.",
    ),
    "idempotency_key_reused": Explained(
        "This `Idempotency-Key` came within 24 hours with another method, address or body.",
        "Take a new key for each thing that you want done; use a key again only for the same request.",
    ),
    "signature_refused": Explained(
        "The signed message is not believed. The `code` in `errors` is the one the home itself would give: unknown_key,"
        " wrong_signature, no_longer_valid, wrong_audience ...",
        "Register the key of that `kid` for the brand, sign for this home (`aud` is the connection's home), and sign"
        " anew: a message counts for at most 31 days.",
    ),
    "not_permitted": Explained(
        "The home's permission, as the home last told it (`terms` of the connection), does not allow this entrance,"
        " place or carrier. The `code` in `errors` says which (entrance_not_permitted, place_not_permitted,"
        " carrier_not_permitted), its `detail` what is allowed. Nothing was sent to the home.",
        "Name one that is allowed, or ask the home for more by a new connection. The home itself judges whatever passes"
        " here, and what was sent while it was away: that comes back as `refused`.",
    ),
    "address_refused": Explained(
        "The hub sends no webhook to this address: it is private, link-local, this machine's own, or not https.",
        "Give an https address that everybody can reach. To try things out at home use `perron retailer watch`, which"
        " needs no address of yours.",
    ),
    "rate_limited": Explained(
        "More was asked than this retailer (or, without a key, this address) has a ration for.",
        "Wait as many seconds as `Retry-After` says. `RateLimit-Policy` tells the rations and `RateLimit` what is left,"
        " with every answer.",
        again=True,
    ),
    "home_offline": Explained(
        "The home's box is not connected to the hub now: its internet is away, or it is off. Nothing was asked.",
        "Ask again later. An order waits at the hub for as long as it said; a stop counts for a quarter of an hour.",
        again=True,
    ),
    "home_silent": Explained(
        "The home's box is connected and did not answer within 25 seconds.",
        "Ask again, with a new question: the box answers none twice.",
        again=True,
    ),
    "internal": Explained(
        "The hub failed. What was asked was done wholly or not at all.",
        "Send the same request again, with the same `Idempotency-Key`: if it was done, you get its answer.",
        again=True,
    ),
    "unavailable": Explained(
        "The hub cannot do that now: something that it needs is not there, or is full.",
        "Send the same request again in some minutes.",
        again=True,
    ),
})  # fmt: skip
