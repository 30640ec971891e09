"""Makes, loads and renews the private keys of box and guard.

The box has an Ed25519 key with which it signs, a secret key of one-time links, and a key for the guard's commands. The
command key is a key of its own: so it can be renewed without affecting any proof, and nothing else that the box signs
can be used as a command. A key is made where it is used and never sent.
"""

import secrets
import stat
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import OKPKey

from gateway.domain.frozen import Frozen
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.base64url import decode_base64url, encode_base64url
from gateway.system.regular_file import FileTooLarge

PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, LINK_KEY_FILE = "box.key.pem", "box.pub.pem", "links.key"
COMMAND_KEY_FILE = "command.key.pem"
LINK_KEY_BYTES = 32
MAX_PEM_BYTES = 4096  # bytes of a PEM file


class KeyUnusable(ValueError):  # noqa: N818 - the name states the fault
    """The file contains no key that may be used; the text says why and what to do."""


class KeyMissing(KeyUnusable):
    """The key file is missing."""


class KeyDamaged(KeyUnusable):
    """The file is not a key."""


class PublicKey(Frozen, kw_only=False):
    """An Ed25519 public key of 32 bytes: verifies signatures, and has a fingerprint that people can compare."""

    raw: bytes

    def __post_init__(self) -> None:
        """Raise ValueError unless there are 32 bytes."""
        self._key  # noqa: B018 - reads the key now

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse a key from its `text`.

        Raises:
            ValueError: the text is not such a key.
        """
        return cls(decode_base64url(text))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Load a public key from PEM.

        Raises:
            KeyUnusable: the PEM contains no Ed25519 public key.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as failure:
            raise KeyUnusable("the file is not a public key in PEM") from failure
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnusable("not an Ed25519 key")
        return cls(key.public_bytes_raw())

    @property
    def text(self) -> str:
        """The key as text in signed files: 43 characters of base64url (a JWK's `x`)."""
        return encode_base64url(self.raw)

    @cached_property
    def jwk(self) -> OKPKey:
        """The key as joserfc takes it (`jws.verify_exact`)."""
        return OKPKey.import_key(self._key)

    @property
    def pem(self) -> bytes:
        """The key in PEM, which OpenSSL reads."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """The first 80 bits of the key's SHA-256 in hex, in groups of four, short enough to read aloud."""
        text = sha256(self.raw).hexdigest()[:20]
        return "-".join(text[at : at + 4] for at in range(0, len(text), 4))

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Whether this key signed exactly these bytes."""
        try:
            self._key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


class BoxKey:
    """The box's signing key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Load a private key from PEM.

        Raises:
            KeyUnusable: the PEM contains none.
        """
        return cls(parse_private_key("the key", pem))

    @classmethod
    def load_or_create(cls, folder: Path) -> Self:
        """Load the key from `folder`, or make and store it (readable by its owner only) when there is none.

        Raises:
            KeyUnusable: the file is damaged, or others may read it.
            OSError: the folder cannot be read or written.
        """
        path = folder / PRIVATE_KEY_FILE
        if not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, cls.generate().pem)
        key = cls.load(folder)
        if not (folder / PUBLIC_KEY_FILE).exists():
            write_whole(folder / PUBLIC_KEY_FILE, key.public.pem)
        return key

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the key from `folder`, and never make one.

        Raises:
            KeyMissing, KeyDamaged: the file is missing, or is not a key.
            KeyUnusable: others may read the file.
            OSError: the file cannot be read.
        """
        path = folder / PRIVATE_KEY_FILE
        try:
            return cls(parse_private_key(str(path), _read_private(path)))
        except FileNotFoundError as failure:
            raise KeyMissing(f"{path} is gone: start the gateway, which says what to do") from failure
        except FileTooLarge as failure:
            raise KeyDamaged(f"{path} holds no usable private key: {failure}") from failure

    @property
    def pem(self) -> bytes:
        """The private key in unencrypted PEM, for a file that only the box's user can read."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, signed: bytes) -> bytes:
        """Return the signature of 64 bytes; the same bytes get the same signature."""
        return self._key.sign(signed)


def link_key(folder: Path) -> bytes:
    """Load the 32 secret bytes that sign links, or make and store them (readable by their owner only).

    Raises:
        KeyUnusable: the file is damaged, or others may read it.
        OSError: the folder cannot be read or written.
    """
    path = folder / LINK_KEY_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, secrets.token_bytes(LINK_KEY_BYTES))
    key = _read_private(path)
    if len(key) != LINK_KEY_BYTES:
        raise KeyUnusable(f"{path} holds no link key: delete it, and a new one is made (links sent before end)")
    return key


def renew_link_key(folder: Path) -> None:
    """Replace the link key by a new one: every earlier link becomes invalid.

    Raises:
        OSError: the folder cannot be written.
    """
    write_whole(folder / LINK_KEY_FILE, secrets.token_bytes(LINK_KEY_BYTES))


def renew_command_key(folder: Path) -> OKPKey:
    """Replace the gateway's key by a new one. A running gateway signs with the old one until it ends.

    Raises:
        OSError: the folder cannot be written.
    """
    (folder / COMMAND_KEY_FILE).unlink(missing_ok=True)
    return create_key(folder / COMMAND_KEY_FILE)


def command_key(folder: Path) -> OKPKey:
    """Load the gateway's key from the box's folder of keys, or make and store it there.

    Raises:
        KeyUnusable: the file is damaged, or others may read it.
        OSError: the folder cannot be read or written.
    """
    path = folder / COMMAND_KEY_FILE
    return load_key(path) if path.exists() else create_key(path)


def create_key(path: Path) -> OKPKey:
    """Make a key and store it, readable by its owner only.

    Raises:
        OSError: the file cannot be written, or exists already.
    """
    if path.exists():
        raise FileExistsError(17, "a key lies there already: it is not overwritten", str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, BoxKey.generate().pem)
    return load_key(path)


def load_key(path: Path) -> OKPKey:
    """Load a private key.

    Raises:
        KeyUnusable: the file is damaged, not an Ed25519 key, or others may read it.
        OSError: the file cannot be read.
    """
    return OKPKey.import_key(parse_private_key(str(path), _read_private(path, "key")))


def set_aside(folder: Path, *names: str) -> None:
    """Rename the files of a key that is no longer used. Nothing is deleted; missing files are skipped.

    Raises:
        OSError: a file could not be renamed.
    """
    for name in names:
        number = 1
        while (aside := folder / f"{name}.lost-{number}").exists():
            number += 1
        try:
            (folder / name).rename(aside)
        except FileNotFoundError:
            continue
    if folder.is_dir():
        sync_folder(folder)


def _read_private(path: Path, kind: str = "box key") -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyUnusable(f"{path} can be read by others: make a new {kind}, or chmod 600 if you trust them")
    return read_regular(path, at_most=MAX_PEM_BYTES)


def shown_ending(code: str) -> str:
    """Return the end of a code that may be shown: at most 4 characters, and at most half of it."""
    return code[-min(4, len(code) // 2) :] if len(code) > 1 else ""


def parse_private_key(source: str, pem: bytes) -> Ed25519PrivateKey:
    """Parse a private key in PEM. `source` is its name in the text of an error.

    Raises:
        KeyDamaged: the PEM contains none.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as failure:
        raise KeyDamaged(f"{source} holds no usable private key: {failure}") from failure
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyDamaged(f"{source} holds another kind of key than Ed25519")
    return key
