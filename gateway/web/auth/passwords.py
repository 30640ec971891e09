"""Checks passwords in threads without revealing who has an account."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

MAX_PASSWORD_BYTES = 256  # bytes of UTF-8

# RFC 9106's second recommendation (for small memory), but with one lane, since the other cores are filming. Measured:
# 0.14 s on one x86 core. A small ARM box takes an estimated three to five times as long: a person waits half a second,
# and the back-off slows guessers down. Twice 64 MiB at most (see `PasswordHashing`) fit beside the video process.
ARGON2_MEMORY_KIB = 64 * 1024
ARGON2_ITERATIONS = 3
ARGON2_LANES = 1

MAX_QUEUED_STRANGERS = 8  # strangers that may wait at the same time


class PasswordHashing:
    """Hashes and checks passwords in threads, one of strangers and one of known people at a time.

    With two lanes strangers wait for each other only, and the memory is at most twice that of one hash.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(
            time_cost=ARGON2_ITERATIONS, memory_cost=ARGON2_MEMORY_KIB, parallelism=ARGON2_LANES, type=Type.ID
        )
        self.dummy_hash = _dummy_hash(self._hasher)
        """The hash that is checked in place of that of an account that does not exist."""
        self._known_lock, self._stranger_lock = asyncio.Lock(), asyncio.Lock()
        self._queue = 0

    @property
    def is_crowded(self) -> bool:
        """Whether so many strangers wait that another one has to come back later."""
        return self._queue >= MAX_QUEUED_STRANGERS

    @contextmanager
    def queue_slot(self, *, stranger: bool) -> Iterator[None]:
        """Hold a place in the queue, from before the attempt is counted until its result is known."""
        self._queue += stranger
        try:
            yield
        finally:
            self._queue -= stranger

    async def hash(self, password: str) -> str:
        """Return the argon2id string of a password that `password_weakness` accepted."""
        async with self._known_lock:
            return await asyncio.to_thread(self._hasher.hash, normalised_bytes(password))

    async def matches(self, password: str, stored_hash: str | None, *, stranger: bool) -> bool:
        """Return whether a password matches the stored hash; None (no such account) takes as long to deny."""
        typed = normalised_bytes(password)
        tried = stored_hash if stored_hash is not None and len(typed) <= MAX_PASSWORD_BYTES else self.dummy_hash
        async with self._stranger_lock if stranger else self._known_lock:
            return await asyncio.to_thread(self._verify, tried, typed[:MAX_PASSWORD_BYTES])

    def needs_rehash(self, stored: str) -> bool:
        """Return whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, typed: bytes) -> bool:
        try:
            return self._hasher.verify(stored, typed)
        except VerifyMismatchError:
            return False


def normalised_bytes(password: str) -> bytes:
    """Return the password in NFC, as bytes: an é is one character on every keyboard. No character is refused."""
    return unicodedata.normalize("NFC", password).encode(errors="surrogatepass")


def _dummy_hash(hasher: PasswordHasher) -> str:
    salt, digest = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"
