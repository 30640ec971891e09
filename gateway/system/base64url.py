"""Encodes and decodes base64url without padding (RFC 4648 section 5), as JWS, JWE and JWK use it."""

from base64 import urlsafe_b64decode
from binascii import b2a_base64

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode_base64url(data: bytes) -> str:
    """Encode bytes without padding."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode()


def decode_base64url(text: str | bytes, *, canonical: bool = True) -> bytes:
    """Decode text without padding.

    The same bytes have several spellings, because a decoder ignores the last bits and foreign characters. With
    `canonical`, only the spelling of `encode_base64url` is accepted, so that nobody can alter what is signed or
    deduplicated by its text.

    Raises:
        ValueError: `text` cannot be decoded, or is not canonical.
    """
    encoded = text.encode("ascii") if isinstance(text, str) else text
    data = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    if canonical and encode_base64url(data).encode() != encoded:
        raise ValueError("base64url without padding has one spelling for each value")
    return data
