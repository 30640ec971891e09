"""Makes, loads and renews the private keys of box and guard.

The box has an Ed25519 key with which it signs, a secret key of one-time links, a key for the guard's commands, and one
for push services. The
command key is a key of its own: so it can be renewed without affecting any proof, and nothing else that the box signs
can be used as a command. A key is made where it is used and never sent.

What reads a file raises `KeyUnusable` if the file is damaged or others may read it, and what uses a folder OSError.
"""

import secrets
import stat
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.protocol.ed25519 import KeyDamaged, KeyUnusable, SigningKey, parse_private_key
from gateway.system.atomic_file import read_regular, sync_folder, write_whole
from gateway.system.base64url import encode_base64url
from gateway.system.regular_file import FileTooLarge

PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, LINK_KEY_FILE = "box.key.pem", "box.pub.pem", "links.key"
COMMAND_KEY_FILE, PUSH_KEY_FILE = "command.key.pem", "push.key.pem"
LINK_KEY_BYTES = 32
MAX_PEM_BYTES = 4096  # bytes of a PEM file


class KeyMissing(KeyUnusable):
    """The key file is missing."""


class BoxKey(SigningKey):
    """The box's signing key, in a file of its own."""

    @classmethod
    def load_or_create(cls, folder: Path) -> Self:
        """Load the key from `folder`, or make and store it (readable by its owner only) when there is none."""
        path = folder / PRIVATE_KEY_FILE
        if not path.exists():
            create_key(path)
        key = cls.load(folder)
        if not (folder / PUBLIC_KEY_FILE).exists():
            write_whole(folder / PUBLIC_KEY_FILE, key.public.pem)
        return key

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the key from `folder`, and never make one: raise `KeyMissing`, or `KeyDamaged` if it is not a key."""
        path = folder / PRIVATE_KEY_FILE
        try:
            return cls(parse_private_key(str(path), _read_private(path)))
        except FileNotFoundError as failure:
            raise KeyMissing(f"{path} is gone: start the gateway, which says what to do") from failure
        except FileTooLarge as failure:
            raise KeyDamaged(f"{path} holds no usable private key: {failure}") from failure


def link_key(folder: Path) -> bytes:
    """Load the 32 secret bytes that sign links, or make and store them (readable by their owner only)."""
    path = folder / LINK_KEY_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, secrets.token_bytes(LINK_KEY_BYTES))
    key = _read_private(path)
    if len(key) != LINK_KEY_BYTES:
        raise KeyUnusable(f"{path} holds no link key: delete it, and a new one is made (links sent before end)")
    return key


def renew_link_key(folder: Path) -> None:
    """Replace the link key by a new one: every earlier link becomes invalid."""
    write_whole(folder / LINK_KEY_FILE, secrets.token_bytes(LINK_KEY_BYTES))


class PushKey:
    """The key (P-256) by which push services recognise the box (RFC 8292)."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.private = private

    @property
    def public_text(self) -> str:
        """The public key as a browser takes it: an uncompressed point in base64url."""
        point = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return encode_base64url(point)


def push_key(folder: Path) -> PushKey:
    """Load the key for push services, or make and store it (readable by its owner only)."""
    path = folder / PUSH_KEY_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_push_key(path)
    try:
        private = serialization.load_pem_private_key(_read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyDamaged(f"{path} holds no key for push services: delete it, and a new one is made") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeyDamaged(f"{path} holds no key for push services: delete it, and a new one is made")
    return PushKey(private)


def renew_push_key(folder: Path) -> None:
    """Replace the key for push services by a new one: no browser that subscribed before takes a message any more."""
    _write_push_key(folder / PUSH_KEY_FILE)


def _write_push_key(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(path, pem)


def renew_command_key(folder: Path) -> SigningKey:
    """Replace the gateway's key by a new one. A running gateway signs with the old one until it ends."""
    (folder / COMMAND_KEY_FILE).unlink(missing_ok=True)
    return create_key(folder / COMMAND_KEY_FILE)


def command_key(folder: Path) -> SigningKey:
    """Load the gateway's key from the box's folder of keys, or make and store it there."""
    return load_or_create_key(folder / COMMAND_KEY_FILE)


def load_or_create_key(path: Path) -> SigningKey:
    """Load a key, or make and store it (readable by its owner only) if there is no file."""
    return load_key(path) if path.exists() else create_key(path)


def create_key(path: Path) -> SigningKey:
    """Make a key and store it, readable by its owner only; never in place of a file that exists."""
    if path.exists():
        raise FileExistsError(17, "a key lies there already: it is not overwritten", str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, SigningKey.generate().pem)
    return load_key(path)


def load_key(path: Path) -> SigningKey:
    """Load a private key."""
    return SigningKey(parse_private_key(str(path), _read_private(path, "key")))


def set_aside(folder: Path, *names: str) -> None:
    """Rename the files of a key that is no longer used. Nothing is deleted; missing files are skipped."""
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
