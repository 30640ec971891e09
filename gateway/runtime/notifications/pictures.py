"""Keeps pictures for a short time until a phone fetches them, each once, by a link that nobody can guess.

A push message holds 4 kB at most, so it carries the link of its picture. Pictures are in memory only.
"""

import secrets
from collections import OrderedDict
from datetime import timedelta

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now

PICTURE_PATH = "push/picture"  # below the root of the box's pages
PICTURE_LIFETIME = timedelta(minutes=10)
TOKEN_BYTES = 24
MAX_PICTURES = 60  # kept at once: three of each of twenty phones


class _KeptPicture(Frozen):
    jpeg: bytes
    until_mono: float


class PictureShelf:
    """The pictures that wait for their phones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _KeptPicture] = OrderedDict()

    def put(self, jpeg: bytes, now: Now) -> str:
        """Keep a picture; return the path under which it can be fetched once. Of too many the oldest goes."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._kept[token] = _KeptPicture(jpeg=jpeg, until_mono=now.mono + PICTURE_LIFETIME.total_seconds())
        while len(self._kept) > MAX_PICTURES:
            self._kept.popitem(last=False)
        return f"/{PICTURE_PATH}/{token}"

    def take(self, token: str, now: Now) -> bytes | None:
        """Return the picture of a link, which ends by this; None: unknown, fetched before, or too late."""
        kept = self._kept.pop(token, None)
        return None if kept is None or now.mono >= kept.until_mono else kept.jpeg
