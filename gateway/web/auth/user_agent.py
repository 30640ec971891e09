"""Derives a short label from a User-Agent header; the label contains known names only."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway.system.i18n import Language, _

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


def label_browser(user_agent: str) -> str:
    """Return browser and system of a `User-Agent` header (RFC 9110) as a session stores them: `browser|system`."""
    text = user_agent[:MAX_USER_AGENT_CHARACTERS]
    return "|".join(
        next((name for name, sign in known.items() if re.search(sign, text)), "") for known in (_BROWSERS, _SYSTEMS)
    )


def browser_and_system(label: str | None) -> tuple[str | None, str | None]:
    """Return both names of a stored label; each is None if unknown."""
    browser, _, system = (label or "").partition("|")
    return browser if browser in _BROWSERS else None, system if system in _SYSTEMS else None


def browser_name(stored: str | None, language: Language) -> str:
    """Return the name of a session's browser: "Chrome on Android", or "unknown browser"."""
    browser, system = browser_and_system(stored)
    if browser is None or system is None:
        return browser or system or _("unknown browser").to(language)
    return _("{browser} on {system}").to(language, browser=browser, system=system)
