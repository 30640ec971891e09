"""Replaces the hub's authority: makes the next one, has the old one sign it, activates it, ends the old one.

The folder `authority` holds `authority.key` and `authority.pem`, `next.*` once a successor exists, `former.*` from the
change until no certificate of the old authority is valid, and `line.json` with each change, signed by the authority
before. So a box that trusts one of them can follow to the newest one at any time. The next process finishes what a
killed one began.
"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, TypeAdapter, ValidationError

from gateway.hub.boxes.authority import AUTHORITY_COMMON_NAME, AuthorityUnusable, HubAuthority
from gateway.protocol.enrolment import successor_statement
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.base64url import encode_base64url
from gateway.system.config_section import ConfigSection
from gateway.system.pki.authority import CertificateFiles, certificate_pem, load_ec_key, unconstrained_authority

NEXT_NAME, FORMER_NAME, CHANGE_MARKER, CHAIN_FILE = "next", "former", "changing", "line.json"
MAX_FILE_BYTES = 65_536
MAX_CHANGES = 20  # each authority lasts ten years
NO_FORMER_AUTHORITY = "No authority has taken another one's place (--change): there is none to end."
NO_NEXT_AUTHORITY = "There is no successor: make it first (--next), and give boxes time to learn of it."


class AuthorityChange(ConfigSection):
    """One change: the new authority (PEM), and the signature of the one before over it (base64url)."""

    certificate: str = Field(max_length=8192)
    signature: str = Field(max_length=200)


_CHANGES = TypeAdapter(tuple[AuthorityChange, ...])


class RotationRefused(ValueError):  # noqa: N818 - it says what is the matter
    """The current state does not allow the step; the text says why and what to do first."""


def read_chain(folder: Path) -> tuple[AuthorityChange, ...]:
    """Return all changes, oldest first; the last one may name an authority that is not active yet."""
    file = folder / "authority" / CHAIN_FILE
    if not file.exists():
        return ()
    try:
        return _CHANGES.validate_json(read_regular(file, at_most=MAX_FILE_BYTES))
    except ValidationError as error:
        raise AuthorityUnusable(f"{file} holds no line of authorities") from error


def read_certificate(folder: Path, name: str) -> x509.Certificate | None:
    """Return the certificate of the successor (`NEXT_NAME`) or of the authority before (`FORMER_NAME`), or None."""
    file = folder / "authority" / f"{name}.pem"
    try:
        return x509.load_pem_x509_certificate(read_regular(file, at_most=MAX_FILE_BYTES))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AuthorityUnusable(f"{file} holds no certificate") from error


def prepare_next(folder: Path, *, now: datetime) -> x509.Certificate:
    """Make the successor, signed by the current authority; an existing one stays. A former one must be ended first."""
    current, at = HubAuthority.load(folder, now=now), folder / "authority"
    if read_certificate(folder, FORMER_NAME) is not None:
        raise RotationRefused("The authority before this one still counts: end it first (--end).")
    shelf = CertificateFiles(
        authority_key=at / "next.key", authority=at / "next.pem", key=at / "none", chain=at / "none"
    )
    try:
        # Its own name, by which revocation lists are found
        _, successor = unconstrained_authority(shelf, name=f"{AUTHORITY_COMMON_NAME} {now:%Y%m%d%H%M%S}", now=now)
    except ValueError as error:
        raise AuthorityUnusable(f"{at} holds no successor: {error}") from error
    steps = read_chain(folder)
    if not steps or x509.load_pem_x509_certificate(steps[-1].certificate.encode()) != successor:
        statement = successor_statement(successor.public_bytes(serialization.Encoding.DER))
        signature = current.key.sign(statement, ec.ECDSA(hashes.SHA256()))
        new = AuthorityChange(certificate=certificate_pem(successor).decode(), signature=encode_base64url(signature))
        kept = (*steps, new)[-MAX_CHANGES:]
        write_whole(at / CHAIN_FILE, json.dumps([step.model_dump() for step in kept]).encode())
    return successor


def activate_next(
    folder: Path, *, now: datetime, crash_point: Callable[[str], None] = lambda _point: None
) -> x509.Certificate:
    """Make the prepared successor the authority; certificates of the old one stay valid until `end_former`."""
    successor = read_certificate(folder, NEXT_NAME)
    if successor is None:
        raise RotationRefused(NO_NEXT_AUTHORITY)
    prepare_next(folder, now=now)  # so that the current authority has signed it
    write_whole(folder / "authority" / CHANGE_MARKER, b"copy")
    crash_point("marked")
    finish_change(folder, crash_point=crash_point)
    return successor


def finish_change(folder: Path, *, crash_point: Callable[[str], None] = lambda _point: None) -> None:
    """Finish a change that a killed process began; without one it does nothing."""
    at = folder / "authority"
    if not (at / CHANGE_MARKER).exists():
        return
    if read_regular(at / CHANGE_MARKER, at_most=16) == b"copy":
        for end in ("key", "pem"):
            _copy_file(at / f"authority.{end}", at / f"{FORMER_NAME}.{end}")
            crash_point(f"former.{end}")
        write_whole(at / CHANGE_MARKER, b"move")
    for end in ("key", "pem"):
        _copy_file(at / f"{NEXT_NAME}.{end}", at / f"authority.{end}")
        crash_point(f"authority.{end}")
    for end in ("key", "pem"):
        (at / f"{NEXT_NAME}.{end}").unlink(missing_ok=True)
        crash_point(f"gone.{end}")
    (at / CHANGE_MARKER).unlink()


def end_former(folder: Path) -> None:
    """Stop trusting the authority before."""
    for name in ("key", "pem"):
        (folder / "authority" / f"{FORMER_NAME}.{name}").unlink(missing_ok=True)


def load_authority(folder: Path, name: str) -> HubAuthority | None:
    """Return the successor (`NEXT_NAME`) or the authority before (`FORMER_NAME`) with its key, or None."""
    certificate, file = read_certificate(folder, name), folder / "authority" / f"{name}.key"
    if certificate is None or not file.exists():
        return None
    try:
        return HubAuthority(folder, certificate, load_ec_key(read_regular(file, at_most=MAX_FILE_BYTES)), name)
    except (TypeError, ValueError) as error:
        raise AuthorityUnusable(f"{file} holds no key of an authority") from error


def trust_bundle(authority: HubAuthority) -> bytes:
    """Return the authorities that the broker trusts (PEM): the current, the former and the next one."""
    others = (read_certificate(authority.folder, name) for name in (FORMER_NAME, NEXT_NAME))
    trusted = (authority.certificate, *(certificate for certificate in others if certificate is not None))
    return b"".join(map(certificate_pem, trusted))


def revocation_lists(authority: HubAuthority, ended: list[tuple[int, datetime]], *, now: datetime) -> bytes:
    """Return the revocation lists of all trusted authorities; a broker refuses the clients of one without a list."""
    others = (load_authority(authority.folder, name) for name in (FORMER_NAME, NEXT_NAME))
    return b"".join(issuer.revocation_list(ended, now=now) for issuer in (authority, *others) if issuer is not None)


def _copy_file(source: Path, to: Path) -> None:
    if source.exists():
        write_whole(to, read_regular(source, at_most=MAX_FILE_BYTES))
