"""Find a fault's place by the shape of its text, so that a rename in the source breaks no fault.

The shape of a text is its tokens with each name replaced by one sign. Whitespace, comments, docstrings and commas
before a closing bracket do not count. So neither a rename nor the formatter's new line breaks change it. Where several
places have the shape, it is the one with the most names of the text. A text that moved to another file is found there.
"""

import keyword
import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

from tests.mutants.mutant import Mutant

TOKEN = re.compile(
    r"""
    (?:^|(?<=\s))(?:\#|//)\s[^\n]*           # a comment
    | (?<=:\n)\s*\"{3}(?:.|\n)*?\"{3}         # a docstring
    | (?P<name>[^\W\d]\w*) | (?P<number>\d[\w.]*) | (?P<sign>[^\w\s])
    """,
    re.MULTILINE | re.VERBOSE,
)
FIXED = {*keyword.kwlist, "self", "cls"}  # no rename changes these
CLOSING = {")", "]", "}"}
NAME = "\0"
SOURCES = ("gateway", "devices", "config")


class PlaceError(Exception):
    """The place of a fault was not found, or there are several."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign with its place in the text."""

    text: str
    is_name: bool
    start: int
    end: int

    @property
    def shape(self) -> str:
        """The token without its name."""
        return NAME if self.is_name else self.text


@lru_cache(maxsize=256)
def tokens(text: str) -> list[Token]:
    """Cut a text, whole or in part, into tokens without comments, docstrings and commas before a bracket or the end."""
    found = [
        Token(match.group(), match.lastgroup == "name" and match.group() not in FIXED, match.start(), match.end())
        for match in TOKEN.finditer(text)
        if match.lastgroup
    ]
    return [
        token
        for token, following in zip_longest(found, found[1:])
        if token.text != "," or (following is not None and following.text not in CLOSING)
    ]


def places(old: list[Token], whole: list[Token]) -> list[list[Token]]:
    """Return each run of tokens in `whole` that has the shape of `old`."""
    wanted, shapes = ("".join(f" {token.shape} " for token in run) for run in (old, whole))
    return [
        whole[(first := shapes.count(" ", 0, match.start()) // 2) : first + len(old)]
        for match in re.finditer(f"(?={re.escape(wanted)})", shapes)
    ]


def place(mutant: Mutant, source: str) -> list[Token]:
    """Return the tokens that a fault's text has in the source today.

    Raises:
        PlaceError: the text of the fault has its shape at no place of the source, or at several that fit as well.
    """
    old = tokens(mutant.old)
    found = places(old, tokens(source))
    agreeing = [sum(token.text == was.text for token, was in zip(run, old, strict=True)) for run in found]
    most = max(agreeing, default=0)
    if agreeing.count(most) != 1:
        raise PlaceError(f"{mutant.name}: {agreeing.count(most)} places of {mutant.file} fit its text")
    return found[agreeing.index(most)]


def planted(mutant: Mutant, source: str) -> str:
    """Return the source with the fault in it.

    Raises:
        PlaceError: see `place`.
    """
    before, after = (r"\b" if edge.isalnum() else "" for edge in (mutant.old[0], mutant.old[-1]))
    whole = f"{before}{re.escape(mutant.old)}{after}"
    if len(unchanged := [*re.finditer(whole, source)]) == 1:
        start, end = unchanged[0].span()
        return source[:start] + mutant.new + source[end:]
    found = place(mutant, source)
    start, end = _span(mutant.old, found, source)
    return source[:start] + _translated(mutant, found, source) + source[end:]


def file_of(mutant: Mutant, tree: Path) -> Path:
    """Return the file in which a fault's text stands: its own or, unchanged, another one to which it moved.

    Raises:
        PlaceError: its own has no such text, nor has exactly one other.
    """
    own = tree / mutant.file
    try:
        place(mutant, own.read_text(encoding="utf-8") if own.exists() else "")
    except PlaceError:
        files = [file for top in SOURCES for file in sorted((tree / top).rglob(f"*{own.suffix}"))]
        moved = [file for file in files if file.read_text(encoding="utf-8").count(mutant.old) == 1]
        if len(moved) != 1:
            raise
        return moved[0]
    return own


def _span(old: str, found: list[Token], source: str) -> tuple[int, int]:
    """From the first token to the last, and on to the ends of lines as far as `old` goes."""
    start, end = found[0].start, found[-1].end
    before = old[: len(old) - len(old.lstrip())]
    after = old[len(old.rstrip()) :]
    if old.rstrip().endswith(",") and source[end:].lstrip().startswith(","):
        end = source.index(",", end) + 1
    start -= len(source[:start]) - len(source[:start].rstrip(" ")) if before.strip("\n") else 0
    start -= before.count("\n", 0, len(before) - len(before.lstrip("\n")))
    if "\n" in after:
        end = source.index("\n", end) + after.count("\n")
        end += len(after) - after.rindex("\n") - 1
    return start, end


def _translated(mutant: Mutant, found: list[Token], source: str) -> str:
    """Write `new` with the names that the source has today, and as far to the right as its place stands there."""
    old, new = tokens(mutant.old), tokens(mutant.new)
    today: dict[int, str] = {}  # of a token of `new` that stands in `old` too
    alignment = SequenceMatcher(None, [token.text for token in old], [token.text for token in new], autojunk=False)
    for at_old, at_new, length in alignment.get_matching_blocks():
        today |= {at_new + step: found[at_old + step].text for step in range(length)}
    renamed: dict[str, Counter[str]] = {}
    for before, after in zip(old, found, strict=True):
        renamed.setdefault(before.text, Counter())[after.text] += 1
    written, end = "", 0
    for number, token in enumerate(new):
        text = today.get(number) or (renamed[token.text].most_common(1)[0][0] if token.text in renamed else token.text)
        written += mutant.new[end : token.start] + text
        end = token.end
    return _indented(written + mutant.new[end:], _shift(mutant.old, old, found, source))


def _column(token: Token, text: str) -> int | None:
    """Return the column of a token that is the first on its line."""
    line = text[text.rfind("\n", 0, token.start) + 1 : token.start]
    return len(line) if not line.strip() else None


def _shift(text: str, old: list[Token], found: list[Token], source: str) -> int:
    """Return by how many columns the place has moved to the right since `old` was written."""
    for number, (before, after) in enumerate(zip(old, found, strict=True)):
        was, now = _column(before, text), _column(after, source)
        if was is not None and now is not None and (number or text[:1].isspace()):
            return now - was
    return 0


def _indented(text: str, columns: int) -> str:
    """Move each line but the one in which the text begins."""
    first, *lines = text.split("\n")
    if not first.strip() and first:
        first = " " * max(len(first) + columns, 0)
    elif first[:1] == " ":
        first = " " * max(len(first) - len(first.lstrip()) + columns, 0) + first.lstrip()
    moved = (
        " " * max(len(line) - len(line.lstrip()) + columns, 0) + line.lstrip() if line.strip() else line
        for line in lines
    )
    return "\n".join((first, *moved))
