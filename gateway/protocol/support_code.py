"""A home's support code: twelve letters and digits to read aloud; the last one is a check character.

Nothing is in it that looks or sounds like another (no I, L, O, U, 0, 1), so it may be written in small letters, with or
without the strokes between its groups. It names a home and proves nothing: anyone who knows one can ask, and only the
home answers. Eleven random characters of thirty are 53 bits: among a million homes one guess in 17 thousand million
hits.

The last character is the one by which the sum of all, each times its place counted from the end, is a multiple of 31
(as an ISBN of ten digits has it with 11): one wrong character and two neighbours in the wrong order are always found. A
code whose check would be a thirty-first character is not made. Pure, but for the random choice.
"""

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARS = 12
_MODULUS = 31


def new_support_code() -> str:
    """Make one, as it is kept: without strokes."""
    while True:
        body = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS - 1))
        check = -_weighted_sum(body + ALPHABET[0]) % _MODULUS
        if check < len(ALPHABET):
            return body + ALPHABET[check]


def format_support_code(code: str) -> str:
    """Write it in three groups of four, as it is shown and read aloud."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


def parse_support_code(text: str) -> str | None:
    """Parse a typed code into its stored form; None: it contains a mistake."""
    code = "".join(char for char in text.upper() if char not in " -\u2010\u2011\u2013\u00a0\t")
    if len(code) != CODE_CHARS or not set(code) <= set(ALPHABET):
        return None
    return code if _weighted_sum(code) % _MODULUS == 0 else None


def _weighted_sum(code: str) -> int:
    return sum(place * ALPHABET.index(char) for place, char in enumerate(reversed(code), start=1))
