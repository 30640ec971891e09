"""The messages between gateway and guard over an untrusted broker: Ed25519 JWS in compact form.

Each direction has one key and one header. The payload is canonical JSON (RFC 8785), and any other spelling is refused.
Everything that ties a message to its question, its boot and its order is in the payload, because a broker can change
what MQTT carries beside it. Pure.
"""

from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from gateway.domain.delivery.promise import WireModel
from gateway.protocol import jws
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.hash_chain import canonical_json

MAX_MESSAGE_BYTES = 8 * 1024  # bytes of a token; a command needs about 700

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Boot = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}-[0-9a-f]{16}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Body = Annotated[str, StringConstraints(max_length=4096)]


class ToGuard(WireModel):
    """The gateway's message: `set` moves the bolt, `get` queries a part, `beat` proves that the gateway runs.

    `lock` is the addressed guard. `question` is random and new for each message, and the answer repeats it. `nonce` is
    the guard's newest challenge. For an unlock, `counter` is the guard's counter plus one.
    """

    at: Literal["set", "get", "beat"]
    lock: Name
    question: Token
    nonce: Token | None = None
    counter: Count | None = None
    body: Body = ""


class FromGuard(WireModel):
    """The guard's report on a `part` (on itself: its challenge). `seq` counts the reports on this part in this boot.

    `counter` is that of the last unlock that it obeyed, `uptime_ms` its own clock, `nonce` a challenge that it accepts
    for `nonce_ms` from now, `question` the gateway's message that it answers.
    """

    lock: Name
    part: Literal["lock", "door", "guard"]
    channel: Literal["state", "event", "result"]
    boot: Boot
    seq: Count
    uptime_ms: Count
    counter: Count
    question: Token | None = None
    nonce: Token | None = None
    nonce_ms: Count | None = None
    body: Body = ""


C = TypeVar("C", ToGuard, FromGuard)


_KINDS: Final = MappingProxyType({ToGuard: jws.TO_GUARD, FromGuard: jws.FROM_GUARD})

_REASONS: Final = MappingProxyType({  # any other: it is malformed or too large
    jws.RejectionCode.WRONG_HEADER: "its header is not the one that gateway and guard use",
    jws.RejectionCode.WRONG_SIGNATURE: "its signature does not hold",
})  # fmt: skip


def sign_guard_message(claims: ToGuard | FromGuard, key: SigningKey) -> bytes:
    """Sign a message."""
    return jws.sign(_KINDS[type(claims)], _canonical(claims), key.sign)


def verify_guard_message(token: bytes, kind: type[C], public: PublicKey) -> C | str:
    """Return the message that this key signed, or why it is rejected, which contains nothing of its own text."""
    payload = jws.verify_exact(token, _KINDS[kind], public.jwk, max_bytes=MAX_MESSAGE_BYTES)
    if isinstance(payload, jws.RejectionCode):
        return _REASONS.get(payload, "it is not a message between gateway and guard")
    try:
        claims = kind.model_validate_json(payload)
    except ValidationError:
        return "it does not say what it has to say"
    if _canonical(claims) != payload:
        return "what is signed has one spelling, and this is another"
    return claims


def _canonical(claims: ToGuard | FromGuard) -> bytes:
    return canonical_json(claims.model_dump(exclude_none=True))
