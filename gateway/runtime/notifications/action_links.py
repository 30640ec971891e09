"""Signs and verifies one-time links in messages; each contains its request, signed by the box, and expires.

A link only ever reduces access, or answers a present request: it stops one entrance, approves or vetoes one visit,
gives one late courier more time, or decides on one brand's permission as it was when the message was sent. Anyone who
has the link may do that one thing.
"""

import hmac
import re
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Self, assert_never

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol import owner_requests
from gateway.system.base64url import decode_base64url, encode_base64url
from gateway.system.i18n import Text, _, pgettext

LINK_PATH = "link"  # below the base address of the box's pages: BASE/link/TOKEN
NONCE_BYTES = 16
MAX_TOKEN_CHARACTERS = 600  # characters of a token

_LINK_CONTEXT = b"perron link 1\n"  # separates these signatures from all others of the key
_NONCE_CONTEXT = b"perron nonce 1\n"

_ID = r"[A-Za-z0-9-]{1,64}"
_VISIT = rf"{_ID}\.{_ID}"  # entrance, visit
_DELIVERY = rf"{_ID}\.{_ID}\.{_ID}"  # entrance, brand, the brand's own id of the delivery
_PERMISSION = rf"{_ID}\.{_ID}\.[0-9]{{1,64}}"  # entrance, brand, version of the requested permission


class LinkPurpose(StrEnum):
    """The action of a link: how long it is valid after the event that it answers, its subject's pattern, its label."""

    STOP = "stop", timedelta(hours=24), _ID, _("Stop everything")
    APPROVE = "approve", timedelta(minutes=15), _VISIT, pgettext("to do", "Open")
    VETO = "veto", timedelta(minutes=15), _VISIT, _("Do not open")
    PERMIT = "permit", timedelta(days=7), _PERMISSION, _("Let the brand in")
    REFUSE_BRAND = "refuse_brand", timedelta(days=7), _PERMISSION, _("Refuse the brand")

    GIVE_TIME = "give_time", timedelta(minutes=30), _DELIVERY, _("Give half an hour more")
    REFUSE_TIME = "refuse_time", timedelta(minutes=30), _DELIVERY, _("No more time")

    lifetime: timedelta
    subject_pattern: str
    label: Text

    def __new__(cls, value: str, lifetime: timedelta, subject_pattern: str, label: Text) -> Self:
        """Make a purpose with this value in a token."""
        purpose = str.__new__(cls, value)
        purpose._value_, purpose.lifetime, purpose.label = value, lifetime, label
        purpose.subject_pattern = subject_pattern
        return purpose


OF_OWNERS = frozenset({LinkPurpose.PERMIT, LinkPurpose.REFUSE_BRAND})
"""What only an owner may do (`gateway/web/auth/roles.py`): no other person's phone gets such a link."""
AT_ONCE = frozenset({LinkPurpose.VETO, LinkPurpose.STOP})
"""What a notification's button does without a page: it only takes access away."""


class LinkError(Enum):
    """Why a link has no effect, as the reader learns it."""

    FORGED = _("This link is not this box's.")  # this box did not sign it, or not in this form
    EXPIRED = _("This link is no longer good.")
    CLOCK_UNTRUSTED = _("The box's clock is not certain: sign in to do it.")  # only a stop works
    USED = _("This link has been used.")  # not found here: `AccountStore.use_link` knows


LinkRequest = (
    owner_requests.OwnerStopRequest
    | owner_requests.OwnerDecideRequest
    | owner_requests.OwnerPermitRequest
    | owner_requests.OwnerTimeRequest
)


class ActionLink(Frozen):
    """A verified link: the owner's request to an entrance that it makes."""

    purpose: LinkPurpose
    entrance: str
    request: LinkRequest  # its `id` is `link-` and the nonce in hex
    permission_version: int | None  # the request concerns the brand's permission at this version, and no other
    expires: datetime  # a whole second, UTC
    nonce: bytes


def sign_link(purpose: LinkPurpose, subject: str, expires: datetime, nonce: bytes, key: bytes) -> str:
    """Sign a link; the token is plain ASCII, safe in any URL. `expires` loses its fraction of a second.

    Raises:
        ValueError: the subject does not fit the purpose, or the nonce is not 16 bytes long.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    if re.fullmatch(purpose.subject_pattern, subject) is None:
        raise ValueError(f"{subject!r} is no subject for {purpose}")
    content = f"{purpose}\n{subject}\n{int(expires.timestamp())}\n{nonce.hex()}".encode()
    return f"{encode_base64url(content)}.{encode_base64url(_mac(content, key))}"


def verify_link(token: str, key: bytes, now: Now) -> ActionLink | LinkError:
    """Verify a link from any source. `AccountStore.use_link` checks whether it was used before."""
    if len(token) > MAX_TOKEN_CHARACTERS or token.count(".") != 1:
        return LinkError.FORGED
    try:
        content, mac = map(decode_base64url, token.split("."))
    except ValueError:
        return LinkError.FORGED
    if not hmac.compare_digest(_mac(content, key), mac):
        return LinkError.FORGED
    name, subject, seconds, nonce = content.decode().split("\n")  # trusted from here on: the box signed it
    purpose, expires = LinkPurpose[name.upper()], datetime.fromtimestamp(int(seconds), UTC)
    if now.utc >= expires:
        return LinkError.EXPIRED
    if not now.trusted and purpose is not LinkPurpose.STOP:
        return LinkError.CLOCK_UNTRUSTED
    entrance, _dot, rest = subject.partition(".")
    about, version = rest, ""
    if purpose in OF_OWNERS:
        about, _dot, version = rest.partition(".")
    return ActionLink(
        purpose=purpose,
        entrance=entrance,
        request=_request(purpose, f"link-{nonce}", about),
        permission_version=int(version) if version else None,
        expires=expires,
        nonce=bytes.fromhex(nonce),
    )


def derive_nonce(message: str, purpose: LinkPurpose, subject: str, key: bytes) -> bytes:
    """Derive the nonce of an action in a message: equal for all copies, so that they count once together."""
    return hmac.digest(key, _NONCE_CONTEXT + f"{message}\n{purpose}\n{subject}".encode(), "sha256")[:NONCE_BYTES]


def _request(purpose: LinkPurpose, id_: str, about: str) -> LinkRequest:
    match purpose:
        case LinkPurpose.STOP:
            return owner_requests.OwnerStopRequest(id=id_, do="stop")
        case LinkPurpose.APPROVE:
            return owner_requests.OwnerDecideRequest(id=id_, do="approve", visit=about)
        case LinkPurpose.VETO:
            return owner_requests.OwnerDecideRequest(id=id_, do="refuse", visit=about)
        case LinkPurpose.PERMIT:
            return owner_requests.OwnerPermitRequest(id=id_, do="permit", brand=about)
        case LinkPurpose.REFUSE_BRAND:
            return owner_requests.OwnerPermitRequest(id=id_, do="refuse_brand", brand=about)
        case LinkPurpose.GIVE_TIME:
            return owner_requests.OwnerTimeRequest(id=id_, do="give_time", delivery=about)
        case LinkPurpose.REFUSE_TIME:
            return owner_requests.OwnerTimeRequest(id=id_, do="refuse_time", delivery=about)
        case _:
            assert_never(purpose)


def _mac(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _LINK_CONTEXT + content, "sha256")
