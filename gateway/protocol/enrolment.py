"""The messages by which a box joins a hub: claim code and proofs. Pure.

Whoever runs the hub makes a claim; its code is read to the box, as text or QR. It holds the hub's address, the claim's
name, a secret of 128 random bits that is good once, and the fingerprint of the hub's authority. So one code proves
both ways: the box knows that it speaks to this hub by the fingerprint, whatever the web's certificate says, and the hub
knows the box by a MAC under the secret, over the key that was made in the box and never leaves it. The hub's answer
has a MAC too. The secret itself is never sent.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

JOIN_PATH = "/join#"
HOME_ID_PATTERN = r"^home-[a-z2-7]{26}$"
CLAIM_ID_PATTERN = r"^claim-[a-z2-7]{26}$"

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"

_CLAIM_CODE = re.compile(
    r"(?P<url>https?://[A-Za-z0-9._\[\]:/~-]{1,200})/join#(?P<claim>claim-[a-z2-7]{26})\.(?P<secret>[a-z2-7]{26})"
    r"\.(?P<authority>[0-9a-f]{64})",
    re.ASCII,
)


class InvalidClaimCode(ValueError):  # noqa: N818 - it names what is the matter
    """The text is no code of a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCode:
    """What a claim's code says. `authority`: SHA-256 of the hub's authority as DER, in hex."""

    url: str
    claim: str
    secret: str
    authority: str

    @property
    def text(self) -> str:
        """As it is written and shown as QR. What stands behind the # no browser sends."""
        return f"{self.url}{JOIN_PATH}{self.claim}.{self.secret}.{self.authority}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Read what `text` wrote.

        Raises:
            InvalidClaimCode: it is none, or not whole.
        """
        found = _CLAIM_CODE.fullmatch(text.strip())
        if found is None:
            raise InvalidClaimCode("this is no code of a claim, or a part of it is missing")
        return cls(**found.groupdict())


def proquint_words(authority: str) -> str:
    """The first 128 bits of an authority's fingerprint (hex) as eight words that two people can compare by telephone.

    Proquints: sixteen bits are a word of five letters, the same in every language (D. Wilkerson, arXiv:0901.4016).
    """
    return " ".join(_proquint(int(authority[at : at + 4], 16)) for at in range(0, 32, 4))


def _proquint(bits: int) -> str:
    letters = ((_CONSONANTS, 12, 15), (_VOWELS, 10, 3), (_CONSONANTS, 6, 15), (_VOWELS, 4, 3), (_CONSONANTS, 0, 15))
    return "".join(some[bits >> shift & mask] for some, shift, mask in letters)


def secret_key(secret: str) -> bytes:
    """The key of a claim's MACs: all that the hub keeps of its secret."""
    return sha256(secret.encode()).digest()


def request_mac(key: bytes, claim: str, csr: bytes, box_key: str) -> str:
    """What proves that whoever has the secret asks for this key (a certificate request, DER) and this box's key."""
    return _mac(key, "perron-claim-1", claim, sha256(csr).hexdigest(), box_key)


def answer_mac(key: bytes, claim: str, answer: Sequence[str]) -> str:
    """What proves that the answer to it comes from whoever made the claim; `answer`: its parts in their order."""
    return _mac(key, "perron-claimed-1", claim, *(sha256(part.encode()).hexdigest() for part in answer))


def macs_equal(one: str, other: str) -> bool:
    """Compare two MACs in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def renewal_statement(home: str, csr: bytes) -> bytes:
    """What a box signs, under the key of the certificate that it has, to get one for a new key.

    No time is in it: the same request again gets the same certificate, for a key that only the box has.
    """
    return "\n".join(("perron-renew-1", home, sha256(csr).hexdigest())).encode()


def confirmation_statement(home: str, serial: str) -> bytes:
    """What a box signs under the new key once it has the new certificate on its disk."""
    return f"perron-renewed-1\n{home}\n{serial}".encode()


def leave_statement(home: str, serial: str) -> bytes:
    """What a box signs, under the key of the certificate that it has, when its home leaves the hub for good."""
    return f"perron-leave-1\n{home}\n{serial}".encode()


def successor_statement(der: bytes) -> bytes:
    """What an authority signs of the one that comes after it (its certificate, DER): a box then believes both."""
    return f"perron-authority-1\n{sha256(der).hexdigest()}".encode()


def _mac(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\n".join(parts).encode(), sha256).hexdigest()
