"""Derives a short label from a User-Agent header; the label contains known names only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

MAX_USER_AGENT_CHARACTERS = 512  # characters that are examined; real headers are shorter

# The order matters: most browsers also name those they are compatible with.
_BROWSERS: Mapping[str, str] = MappingProxyType({
    "Edge": r"\bEdg(A|iOS)?/", "Opera": r"\bOPR/", "Samsung Internet": r"\bSamsungBrowser/", "DuckDuckGo": r"\bDdg/",
    "Firefox": r"\b(Firefox|FxiOS)/", "Chrome": r"\b(Chrome|CriOS)/", "Safari": r"\bVersion/[0-9.]+ .*\bSafari/",
})  # fmt: skip
_SYSTEMS: Mapping[str, str] = MappingProxyType({
    "iPhone": r"\biPhone\b", "iPad": r"\biPad\b", "Android": r"\bAndroid\b", "Windows": r"\bWindows NT\b",
    "ChromeOS": r"\bCrOS\b", "Mac": r"\bMacintosh\b", "Linux": r"\bLinux\b",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class UserAgent:
    """A browser and its operating system; each is None if unknown."""

    name: str | None
    system: str | None

    @classmethod
    def parse(cls, user_agent: str) -> Self:
        """Parse a `User-Agent` header (RFC 9110)."""
        text = user_agent[:MAX_USER_AGENT_CHARACTERS]
        return cls(*(next((name for name, sign in known.items() if re.search(sign, text)), None)
                     for known in (_BROWSERS, _SYSTEMS)))  # fmt: skip

    @classmethod
    def from_stored(cls, text: str | None) -> Self:
        """Parse what `stored_text` returned."""
        name, _, system = (text or "").partition("|")
        return cls(name if name in _BROWSERS else None, system if system in _SYSTEMS else None)

    @property
    def stored_text(self) -> str:
        """The label as it is stored: `browser|system`."""
        return f"{self.name or ''}|{self.system or ''}"
