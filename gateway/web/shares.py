"""A visit shown to somebody outside the house: a link that the box signed, good until a day that stands in it.

Pure. Whoever has the link sees this one visit's films and story until then, or until the films are erased.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

LONGEST_DAYS = 30  # no film is kept longer, unless it is held

_SAID = b"perron share 1\n"  # what the key signs here is no other thing that it signs
_TOKEN = re.compile(r"([A-Za-z0-9-]{1,64})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which visit, and until when (UTC, whole seconds)."""

    visit: str
    until: datetime


def make(visit: str, until: datetime, key: bytes) -> str:
    """Sign a share; the token may stand in any URL."""
    said = f"{visit}.{int(until.timestamp())}"
    return f"{said}.{_text(_mac(said, key))}"


def read(token: str, key: bytes, utc: datetime) -> Share | None:
    """Read a share that comes back from anywhere; None: this box did not sign it, or its time is over."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    visit, until, mac = found.groups()
    if not hmac.compare_digest(_text(_mac(f"{visit}.{until}", key)), mac):  # as it was written, in no other spelling
        return None
    share = Share(visit=visit, until=datetime.fromtimestamp(int(until), UTC))
    return share if utc < share.until else None


def _mac(said: str, key: bytes) -> bytes:
    return hmac.digest(key, _SAID + said.encode(), "sha256")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
