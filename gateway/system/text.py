"""Makes text from outside safe to show: without commands, links, or characters that hide a line."""

import re
import string
import unicodedata

MAX_NAME_CHARS = 80  # characters of one name from outside
MAX_COMBINING_MARKS = 3  # on one letter: no script needs more, and more of them would cover the lines above

_MARKUP = str.maketrans({
    "*": "\u2217", "_": "\uff3f", "`": "'", "~": "\u223c", "|": "\u00a6", "#": "\uff03", "\\": "\u2216",
    "[": "(", "]": ")", "<": "\u2039", ">": "\u203a", "@": "\uff20",
})  # fmt: skip
"""The characters that messengers interpret (Markdown, mentions of Slack and Discord), and their replacements."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*[:\uff1a]//+|//+")
_COLON = re.compile(r"[:\uff1a](?=\S)")
_DOT = re.compile(rf"(?<=\S)[.\u3002\ufe52\uff0e\uff61](?=[^\s\uff3f\u2024{re.escape(string.punctuation)}])")
"""A dot, or a character that browsers read as one (UTS 46), that may be part of a host name.

Before it is anything but a blank: there are host names of emoji, and messengers also link after a hyphen. After it is a
letter, a digit or a character beyond ASCII, except `ONE_DOT_LEADER` and the replacement of an underscore in `_MARKUP`.
"""

# Some makers want the account in the path: rtsp://HOST:554/user=admin&password=1234&channel=1&stream=0.sdp
PASSWORD_IN_URL = re.compile(r"(?i)(?:password|passwd|passwort|pwd|psw|pw|pass)=(?!\{password\})[^&_/?\s]+")

ONE_DOT_LEADER = "\u2024"  # looks like a full stop, and no messenger makes a link with it


def error_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type if it has no text."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def without_links(name: str) -> str:
    """Return text from outside without links, mentions and markup for a phone's messenger, also direction-isolated.

    Names with dots are not refused, because "Amazon.fr" and "S.Oliver" are shops. Characters that a messenger would
    interpret are replaced by similar ones; a link's scheme is removed.
    """
    plain = _COLON.sub(": ", _SCHEME.sub("", sanitized(name))).translate(_MARKUP)
    return _DOT.sub(ONE_DOT_LEADER, isolate_direction(plain))  # last, since a dot may follow the isolating character


def sanitized(name: str) -> str:
    """Return text from outside that is safe in a sentence, a log line and a page's title.

    Control and format characters (such as line breaks, zero-width characters and changes of the text direction),
    unassigned and private characters are removed; several blanks become one; more than `MAX_COMBINING_MARKS` marks on
    a letter are cut, and the text is cut to `MAX_NAME_CHARS`.
    """
    if name.isascii() and name.isprintable():  # most names: they contain nothing that the lines below change
        return _cut(name)
    spaced = "".join(" " if unicodedata.category(char).startswith("Z") or char in "\t\r\n" else char for char in name)
    visible = "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))
    return _cut(_limit_marks(unicodedata.normalize("NFC", visible)))


def _cut(text: str) -> str:
    cut = " ".join(text.split())
    return cut if len(cut) <= MAX_NAME_CHARS else cut[: MAX_NAME_CHARS - 1] + "…"


def _limit_marks(text: str) -> str:
    limited: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MAX_COMBINING_MARKS:
            limited.append(char)
    return "".join(limited)


def escape_invisible(line: str) -> str:
    """Return a whole line with every invisible or direction-changing character written as its number."""
    shown = "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else f"\\u{ord(char):04x}" for char in line
    )
    return _isolated(shown)


def isolate_direction(name: str) -> str:
    """Return sanitized text; text from right to left cannot change the direction of what follows it.

    It uses Unicode's isolating marks (UAX 9, 2.4), which also work in a tooltip, an option and a phone's message.
    """
    return _isolated(sanitized(name))


def _isolated(text: str) -> str:
    turns = not text.isascii() and any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)
    return f"\u2068{text}\u2069" if turns else text


def mask_account(text: str) -> str:
    """Return the text without the account in an address, so that it may be shown."""
    return re.sub(r"(?i)\b([a-z][a-z0-9+.-]*://)\S*@", r"\1***@", PASSWORD_IN_URL.sub("***", text))
