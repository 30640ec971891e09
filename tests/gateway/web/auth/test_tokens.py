"""Secrets in cookies and links, and the code that is read from the box's screen."""

from datetime import UTC, datetime

import pytest

from gateway.storage.keepers import KeeperLink
from gateway.web.auth.tokens import (
    COOKIE_BYTES,
    LINK_BYTES,
    SecretToken,
    claim_code_digest,
    find_by_token,
    new_claim_code,
)

MADE = datetime(2026, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize(("size", "bits"), [(COOKIE_BYTES, 256), (LINK_BYTES, 128)])
def test_a_token_is_read_as_it_was_written_and_fits_its_own_digest_only(size: int, bits: int) -> None:
    token, other = SecretToken.new(size), SecretToken.new(size)
    assert len(token.secret) * 6 >= bits
    read = SecretToken.parse(token.text)
    assert read == token
    assert token.matches(token.digest)
    assert not token.matches(other.digest)
    assert token.secret not in repr(token)


@pytest.mark.parametrize("text", [None, "", ".", "a.b", "0" * 16 + "." + "é" * 43, "0" * 16 + "." + "A" * 44])
def test_what_is_no_token_is_read_as_none(text: str | None) -> None:
    assert SecretToken.parse(text) is None
    assert SecretToken.parse(f"{SecretToken.new(COOKIE_BYTES).text}\n") is None


def test_a_row_is_found_by_its_own_token_only() -> None:
    token, other = SecretToken.new(LINK_BYTES), SecretToken.new(LINK_BYTES)
    link = KeeperLink(id=token.id, secret=token.digest, keeper="claire", by="p-anna", made=MADE)
    rows = {link.id: link}
    assert find_by_token(token.text, rows.get) is link
    for text in (None, "", token.id, other.text, f"{token.id}.{other.secret}", f"{other.id}.{token.secret}"):
        assert find_by_token(text, rows.get) is None, text


def test_a_code_is_the_same_however_it_is_typed_and_another_each_time() -> None:
    code = new_claim_code()
    assert claim_code_digest(code) == claim_code_digest(code.lower().replace("-", "")) == claim_code_digest(f" {code} ")
    assert claim_code_digest(code.replace("0", "O").replace("1", "I")) == claim_code_digest(code)
    assert len({new_claim_code() for _ in range(50)}) == 50
    assert claim_code_digest(code[:-1]) is None
    assert claim_code_digest(code[:-1] + "U") is None
    assert claim_code_digest(code[:-1] + "é") is None
    assert claim_code_digest("") is None
    assert len(code.replace("-", "")) * 5 == 80  # bits
