"""Which passwords are taken, and that checking one tells nobody who has an account."""

from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters

from gateway.web.auth.accounts import AccountError, password_weakness
from gateway.web.auth.passwords import (
    ARGON2_ITERATIONS,
    ARGON2_LANES,
    ARGON2_MEMORY_KIB,
    PasswordHashing,
)
from tests.gateway.web.house import ANNA_PASSWORD, cheap_passwords


@pytest.mark.parametrize(
    ("password", "weak"),
    [
        ("ten chars!", None),
        ("sept hérons verts", None),
        ("contraseña larga", None),
        ("🐦🐦🌊🌊🌲🌲🏠🏠🚪🔑", None),
        ("nine char", AccountError.PASSWORD_SHORT),
        ("", AccountError.PASSWORD_SHORT),
        ("a b c d e " * 26, AccountError.PASSWORD_LONG),
        ("password123", AccountError.PASSWORD_COMMON),
        ("AzertyUiop", AccountError.PASSWORD_COMMON),
        ("Passw0rd!!!", AccountError.PASSWORD_COMMON),
        ("1234567890", AccountError.PASSWORD_COMMON),
        ("9876543210", AccountError.PASSWORD_COMMON),
        ("4719284612", AccountError.PASSWORD_COMMON),  # a telephone number
        ("aaaaaaaaaaaa", AccountError.PASSWORD_COMMON),
        ("abababababab", AccountError.PASSWORD_COMMON),
        ("anna-sophie", AccountError.PASSWORD_COMMON),
        ("Anna-Sophie2026", AccountError.PASSWORD_COMMON),
    ],
)
def test_a_password_is_long_enough_and_not_what_is_tried_first(password: str, weak: AccountError | None) -> None:
    assert password_weakness(password, "Anna-Sophie") is weak


async def test_a_password_is_known_again_whatever_keyboard_wrote_its_accents() -> None:
    passwords = cheap_passwords()
    stored = await passwords.hash("caf\u00e9 au lait")
    assert await passwords.matches("cafe\u0301 au lait", stored, stranger=True)
    assert not await passwords.matches("cafe au lait", stored, stranger=True)
    assert not await passwords.matches("", stored, stranger=False)
    assert not await passwords.matches("\udfff", stored, stranger=False)


async def test_what_nobody_can_have_typed_is_never_right() -> None:
    passwords = cheap_passwords()
    stored = await passwords.hash("x" * 256)
    assert await passwords.matches("x" * 256, stored, stranger=False)
    assert not await passwords.matches("x" * 257, stored, stranger=False)
    assert not await passwords.matches(ANNA_PASSWORD, None, stranger=True)


async def test_a_password_costs_what_was_chosen_and_nobodys_costs_the_same() -> None:
    """The dear one, once: its cost stands in its string."""
    passwords = PasswordHashing()
    stored = await passwords.hash(ANNA_PASSWORD)
    cost = extract_parameters(stored)
    assert stored.startswith("$argon2id$v=19$")
    assert (cost.memory_cost, cost.time_cost, cost.parallelism) == (ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_LANES)
    assert extract_parameters(passwords.dummy_hash) == cost
    assert not passwords.needs_rehash(stored)


async def test_a_password_of_nobody_is_hashed_and_compared_as_anybody_s() -> None:
    tried: list[str] = []

    class Recording(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's own name
            tried.append(str(hash))
            return super().verify(hash, password)

    passwords = PasswordHashing(Recording(time_cost=1, memory_cost=8, parallelism=1))
    stored = await passwords.hash(ANNA_PASSWORD)
    for kept in (stored, None):
        assert await passwords.matches("not the password", kept, stranger=True) is False
    assert tried == [stored, passwords.dummy_hash]
    assert extract_parameters(passwords.dummy_hash) == extract_parameters(stored)
