"""Makes text from outside safe to show: without commands, links, or characters that hide a line."""

import re
import string
import unicodedata

MAX_NAME_CHARS = 80  # characters of one name from outside


MAX_COMBINING_MARKS = 3  # on one letter: no script needs more, and a pile of them covers the lines above


_MARKUP = str.maketrans({
    "*": "\u2217", "_": "\uff3f", "`": "'", "~": "\u223c", "|": "\u00a6", "#": "\uff03", "\\": "\u2216",
    "[": "(", "]": ")", "<": "\u2039", ">": "\u203a", "@": "\uff20",
})  # fmt: skip
"""What means something to a messenger (Markdown, Slack's and Discord's mentions), and what stands in its place."""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*[:\uff1a]//+|//+")


_COLON = re.compile(r"[:\uff1a](?=\S)")


_DOT = re.compile(rf"(?<=\S)[.\u3002\ufe52\uff0e\uff61](?=[^\s\uff3f\u2024{re.escape(string.punctuation)}])")
"""A dot, or what a browser reads as one (UTS 46), that may stand in a host name.

Before it stands anything but a blank: labels of emoji are registered, and messengers link what follows a hyphen too.
Behind it stands a letter, a digit or what is beyond ASCII, but for `ONE_DOT_LEADER` and what `_MARKUP` makes of an
underscore.
"""


# Some makers want the account in the path: rtsp://HOST:554/user=admin&password=1234&channel=1&stream=0.sdp
PASSWORD_IN_URL = re.compile(r"(?i)(?:password|passwd|passwort|pwd|psw|pw|pass)=(?!\{password\})[^&_/?\s]+")

ONE_DOT_LEADER = "\u2024"  # reads as a full stop, and no messenger makes a link of what it joins


def without_links(name: str) -> str:
    """Make text from outside `isolate_direction`, and nothing in it a link, a mention or markup where a phone shows it.

    Names are not refused for this: "Amazon.fr" and "S.Oliver" are shops. What a messenger would act on is written
    otherwise and reads the same; a link's scheme is left out.
    """
    plain = _COLON.sub(": ", _SCHEME.sub("", sanitized(name))).translate(_MARKUP)
    return isolate_direction(_DOT.sub(ONE_DOT_LEADER, plain))


def sanitized(name: str) -> str:
    """Make text from outside safe to stand in a sentence, a log line and a page's title.

    Control and format characters (among them line breaks, zero-width ones and those that turn the direction of text),
    unassigned and private ones go; blanks become one; a pile of marks is cut to `MAX_COMBINING_MARKS`, the whole to
    `MAX_NAME_CHARS`.
    """
    spaced = "".join(" " if unicodedata.category(char).startswith("Z") or char in "\t\r\n" else char for char in name)
    kept = "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))
    cut = " ".join(_limit_marks(unicodedata.normalize("NFC", kept)).split())
    return cut if len(cut) <= MAX_NAME_CHARS else cut[: MAX_NAME_CHARS - 1] + "…"


def _limit_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= MAX_COMBINING_MARKS:
            kept.append(char)
    return "".join(kept)


def escape_invisible(line: str) -> str:
    """Show a line of text as it stands, whole: what nobody sees, or turns the direction, is written as its number."""
    shown = "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else f"\\u{ord(char):04x}" for char in line
    )
    turns = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in shown)
    return f"\u2068{shown}\u2069" if turns else shown


def isolate_direction(name: str) -> str:
    """Make text from outside inert, and where it is written from right to left, keep it from turning what follows.

    By the isolating marks of Unicode (UAX 9, 2.4), which also hold in a tooltip, an option and a phone's message.
    """
    safe = sanitized(name)
    turns = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in safe)
    return f"\u2068{safe}\u2069" if turns else safe


def mask_account(text: str) -> str:
    """Return a text that may be shown, although somebody may have written an account into an address in it."""
    return re.sub(r"(?i)\b([a-z][a-z0-9+.-]*://)\S*@", r"\1***@", PASSWORD_IN_URL.sub("***", text))
