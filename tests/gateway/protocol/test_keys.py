"""The box's key is made once, kept for itself, and never silently replaced."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.keys import PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, BoxKey, shown_ending


def test_the_key_is_made_at_first_start_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = BoxKey.load_or_create(folder)
    assert BoxKey.load_or_create(folder).public == made.public
    assert stat.S_IMODE((folder / PRIVATE_KEY_FILE).stat().st_mode) == 0o600
    assert PublicKey.from_pem((folder / PUBLIC_KEY_FILE).read_bytes()) == made.public
    assert sorted(path.name for path in folder.iterdir()) == [PRIVATE_KEY_FILE, PUBLIC_KEY_FILE]


def test_two_boxes_have_two_keys_and_two_fingerprints() -> None:
    one, other = BoxKey.generate().public, BoxKey.generate().public
    assert one != other
    assert one.fingerprint != other.fingerprint
    assert len(one.fingerprint) == len("aaaa-bbbb-cccc-dddd-eeee")


def test_a_signature_is_of_exactly_these_bytes_by_this_key() -> None:
    key = BoxKey.generate()
    signature = key.sign(b"bytes")
    assert signature == key.sign(b"bytes")
    assert key.public.verifies(signature, b"bytes")
    assert not key.public.verifies(signature, b"Bytes")
    assert not key.public.verifies(signature[:-1], b"bytes")
    assert not BoxKey.generate().public.verifies(signature, b"bytes")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    BoxKey.load_or_create(tmp_path)
    (tmp_path / PRIVATE_KEY_FILE).chmod(0o640)
    with pytest.raises(KeyUnusable, match="read by others"):
        BoxKey.load_or_create(tmp_path)


def pem_of_another_kind() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"no key", pem_of_another_kind(), BoxKey.generate().public.pem],
    ids=["empty", "text", "another kind", "public"],
)
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / PRIVATE_KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyUnusable):
        BoxKey.load_or_create(tmp_path)
    assert path.read_bytes() == content


def test_a_key_behind_a_link_is_not_followed(tmp_path: Path) -> None:
    BoxKey.load_or_create(tmp_path / "there")
    (tmp_path / PRIVATE_KEY_FILE).symlink_to(tmp_path / "there" / PRIVATE_KEY_FILE)
    with pytest.raises(OSError, match="link"):
        BoxKey.load_or_create(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "x", "A" * 42, "A" * 44, "!" * 43, BoxKey.generate().public.text[:-1] + "\n"],
    ids=["empty", "short", "one too few", "one too many", "other letters", "line end"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PublicKey.from_text(text)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", pem_of_another_kind()])
def test_a_file_without_a_public_key_is_refused(pem: bytes) -> None:
    with pytest.raises(KeyUnusable, match=r"^(the file is not a public key in PEM|not an Ed25519 key)$"):
        PublicKey.from_pem(pem)


def test_a_public_key_is_read_back() -> None:
    key = BoxKey.generate().public
    assert PublicKey.from_text(key.text) == key == PublicKey.from_pem(key.pem)
    assert hash(PublicKey.from_text(key.text)) == hash(key)


@pytest.mark.parametrize(
    ("code", "shown"), [("", ""), ("7", ""), ("42", "2"), ("12345", "45"), ("6A12345674711", "4711")]
)
def test_of_a_code_at_most_four_characters_and_half_are_shown(code: str, shown: str) -> None:
    assert shown_ending(code) == shown
