"""The messages by which a box joins a hub: claim code and proofs. Pure.

The operator of a hub creates a claim, and the owner gives its code to the box, as text or QR. The code contains the
hub's address, the claim's id, a secret of 128 random bits that is valid once, and the fingerprint of the hub's
authority. So one code proves both sides: the box recognises the hub by the fingerprint, whatever the web server's
certificate says, and the hub recognises the box by a MAC under the secret, over the key that the box made and never
sends. The hub's answer has a MAC too. Neither side sends the secret itself.
"""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Self

from gateway.domain.frozen import Frozen

JOIN_PATH = "/join#"
HOME_ID_PATTERN = r"^home-[a-z2-7]{26}$"
CLAIM_ID_PATTERN = r"^claim-[a-z2-7]{26}$"

_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"

_CLAIM_CODE = re.compile(
    r"(?P<url>https?://[A-Za-z0-9._\[\]:/~-]{1,200})/join#(?P<claim>claim-[a-z2-7]{26})\.(?P<secret>[a-z2-7]{26})"
    r"\.(?P<authority>[0-9a-f]{64})",
    re.ASCII,
)


class ClaimCode(Frozen):
    """The content of a claim's code. `authority`: SHA-256 of the hub's authority as DER, in hex."""

    url: str
    claim: str
    secret: str
    authority: str

    @property
    def text(self) -> str:
        """The code as text and QR. No browser sends the part after the #."""
        return f"{self.url}{JOIN_PATH}{self.claim}.{self.secret}.{self.authority}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse a code, or raise ValueError."""
        match = _CLAIM_CODE.fullmatch(text.strip())
        if match is None:
            raise ValueError("this is no code of a claim, or a part of it is missing")
        return cls(**match.groupdict())


def proquint_words(authority: str) -> str:
    """Return the first 128 bits of an authority's fingerprint (hex) as eight words to compare by telephone.

    Proquints: sixteen bits are a word of five letters, the same in every language (D. Wilkerson, arXiv:0901.4016).
    """
    return " ".join(_proquint(int(authority[at : at + 4], 16)) for at in range(0, 32, 4))


def _proquint(bits: int) -> str:
    letters = ((_CONSONANTS, 12, 15), (_VOWELS, 10, 3), (_CONSONANTS, 6, 15), (_VOWELS, 4, 3), (_CONSONANTS, 0, 15))
    return "".join(some[bits >> shift & mask] for some, shift, mask in letters)


def secret_key(secret: str) -> bytes:
    """Return the key of a claim's MACs. The hub stores only this key of the secret."""
    return sha256(secret.encode()).digest()


def request_mac(key: bytes, claim: str, csr: bytes, box_key: str) -> str:
    """Return the MAC of a box's request: it proves that the sender knows the secret. `csr` is in DER."""
    return _mac(key, "perron-claim-1", claim, sha256(csr).hexdigest(), box_key)


def answer_mac(key: bytes, claim: str, answer: Sequence[str]) -> str:
    """Return the MAC of the hub's answer, whose parts are `answer` in their order."""
    return _mac(key, "perron-claimed-1", claim, *(sha256(part.encode()).hexdigest() for part in answer))


def macs_equal(one: str, other: str) -> bool:
    """Compare two MACs in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def renewal_statement(home: str, csr: bytes) -> bytes:
    """Return what a box signs under its certificate's key to get a certificate for a new key.

    It contains no time: the same request gets the same certificate again, for a key that only the box has.
    """
    return "\n".join(("perron-renew-1", home, sha256(csr).hexdigest())).encode()


def confirmation_statement(home: str, serial: str) -> bytes:
    """Return what a box signs under the new key once it has stored the new certificate."""
    return f"perron-renewed-1\n{home}\n{serial}".encode()


def leave_statement(home: str, serial: str) -> bytes:
    """Return what a box signs under its certificate's key when its home leaves the hub for good."""
    return f"perron-leave-1\n{home}\n{serial}".encode()


def successor_statement(der: bytes) -> bytes:
    """Return what an authority signs of its successor (a certificate in DER), so that boxes accept both."""
    return f"perron-authority-1\n{sha256(der).hexdigest()}".encode()


def _mac(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\n".join(parts).encode(), sha256).hexdigest()
