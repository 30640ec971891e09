"""The hub's authority and the one after it: made, signed for by the old one, put in its place, and the old one ended.

Beside `authority.key` and `.pem` in the folder `authority` lie `next.*` once a successor was made, `former.*` from the
change until nothing that the old one certified counts any more, and `line.json`, which tells every change, each signed
by the authority before: a box that believes one of them comes to believe the last, whenever it asks. What is half done
by a process that was killed is ended by whoever looks next.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, TypeAdapter, ValidationError

from gateway.config.fields import Section
from gateway.hub.authority import NAME, Authority, AuthorityUnusable
from gateway.protocol.enrolment import succeeds
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.pki.authority import Shelf, unbound

NEXT, FORMER, MARK, LINE = "next", "former", "changing", "line.json"
LARGEST = 65_536  # bytes
LONGEST = 20  # changes that are told: at ten years each
NONE_BEFORE = "No authority has taken another one's place (--change): there is none to end."
NO_SUCCESSOR = "There is no successor: make it first (--next), and give boxes time to learn of it."


class Step(Section):
    """One change: the new authority (PEM), and what the one before has signed of it (base64url)."""

    certificate: str = Field(max_length=8192)
    signature: str = Field(max_length=200)


_STEPS = TypeAdapter(tuple[Step, ...])


class NotNow(ValueError):  # noqa: N818 - it says what is the matter
    """That cannot be done as things stand; the text says why and what to do first."""


def line(folder: Path) -> tuple[Step, ...]:
    """Every change so far, the oldest first; the last one may be of an authority that is still to come.

    Raises:
        OSError: it cannot be read. AuthorityUnusable: it is not what it was.
    """
    file = folder / "authority" / LINE
    if not file.exists():
        return ()
    try:
        return _STEPS.validate_json(read_regular(file, at_most=LARGEST))
    except ValidationError as error:
        raise AuthorityUnusable(f"{file} holds no line of authorities") from error


def upcoming(folder: Path) -> x509.Certificate | None:
    """The successor, where one was made."""
    return _read(folder, NEXT)


def former(folder: Path) -> x509.Certificate | None:
    """The authority before, as long as it counts."""
    return _read(folder, FORMER)


def prepare(folder: Path, *, now: datetime) -> x509.Certificate:
    """Make the successor, and let the authority of today sign for it; one that is there already is kept.

    Raises:
        NotNow: the one before still counts. OSError, AuthorityUnusable: the folder cannot be used.
    """
    today, at = Authority.at(folder, now=now), folder / "authority"
    if former(folder) is not None:
        raise NotNow("The authority before this one still counts: end it first (--end).")
    shelf = Shelf(authority_key=at / "next.key", authority=at / "next.pem", key=at / "none", chain=at / "none")
    try:
        _, made = unbound(shelf, name=f"{NAME} {now:%Y%m%d%H%M%S}", now=now)  # a name of its own: lists go by it
    except ValueError as error:
        raise AuthorityUnusable(f"{at} holds no successor: {error}") from error
    steps = line(folder)
    if not steps or _certificate(steps[-1]) != made:
        signature = today.key.sign(succeeds(_der(made)), ec.ECDSA(hashes.SHA256()))
        pem = made.public_bytes(serialization.Encoding.PEM).decode()
        new = Step(certificate=pem, signature=urlsafe_b64encode(signature).decode().rstrip("="))
        kept = (*steps, new)[-LONGEST:]
        write_whole(at / LINE, json.dumps([step.model_dump() for step in kept]).encode())
    return made


def change(folder: Path, *, now: datetime, reached: Callable[[str], None] = lambda _point: None) -> x509.Certificate:
    """Put the successor in the authority's place; the old one goes on counting for what it has certified.

    Raises:
        NotNow: there is none. OSError, AuthorityUnusable: the folder cannot be used.
    """
    made = upcoming(folder)
    if made is None:
        raise NotNow(NO_SUCCESSOR)
    prepare(folder, now=now)  # it is signed for
    write_whole(folder / "authority" / MARK, b"copy")
    reached("marked")
    settle(folder, reached=reached)
    return made


def settle(folder: Path, *, reached: Callable[[str], None] = lambda _point: None) -> None:
    """End a change that was begun; nothing where none was.

    Raises:
        OSError: the folder cannot be used.
    """
    at = folder / "authority"
    if not (at / MARK).exists():
        return
    if read_regular(at / MARK, at_most=16) == b"copy":
        for end in ("key", "pem"):
            _copied(at / f"authority.{end}", at / f"{FORMER}.{end}")
            reached(f"former.{end}")
        write_whole(at / MARK, b"move")
    for end in ("key", "pem"):
        _copied(at / f"{NEXT}.{end}", at / f"authority.{end}")
        reached(f"authority.{end}")
    for end in ("key", "pem"):
        (at / f"{NEXT}.{end}").unlink(missing_ok=True)
        reached(f"gone.{end}")
    (at / MARK).unlink()


def end(folder: Path) -> None:
    """Let the authority before count no more.

    Raises:
        OSError: the folder cannot be used.
    """
    for name in ("key", "pem"):
        (folder / "authority" / f"{FORMER}.{name}").unlink(missing_ok=True)


def former_authority(folder: Path) -> Authority | None:
    """The authority before with its key, by which its list of ended certificates is signed.

    Raises:
        OSError, AuthorityUnusable: it cannot be used.
    """
    one, file = former(folder), folder / "authority" / f"{FORMER}.key"
    if one is None or not file.exists():
        return None
    try:
        key = serialization.load_pem_private_key(read_regular(file, at_most=LARGEST), None)
    except ValueError as error:
        raise AuthorityUnusable(f"{file} holds no key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityUnusable(f"{file} holds another kind of key")
    return Authority(folder, one, key)


def bundle(authority: Authority) -> bytes:
    """All whose certificates count at the broker (PEM): of today, the one before, the one to come."""
    others = (former(authority.folder), upcoming(authority.folder))
    pems = [authority.pem.encode()]
    pems += [one.public_bytes(serialization.Encoding.PEM) for one in others if one is not None]
    return b"".join(pems)


def listed(authority: Authority, ended: list[tuple[int, datetime]], *, now: datetime) -> bytes:
    """The lists of ended certificates, one of each authority that counts: a broker refuses whose list is missing."""
    others = (former_authority(authority.folder), upcoming_authority(authority.folder))
    return b"".join(one.revoked(ended, now=now) for one in (authority, *others) if one is not None)


def upcoming_authority(folder: Path) -> Authority | None:
    """The successor with its key, where one was made.

    Raises:
        OSError, AuthorityUnusable: it cannot be used.
    """
    one, file = upcoming(folder), folder / "authority" / f"{NEXT}.key"
    if one is None or not file.exists():
        return None
    key = serialization.load_pem_private_key(read_regular(file, at_most=LARGEST), None)
    return Authority(folder, one, key, NEXT) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _read(folder: Path, name: str) -> x509.Certificate | None:
    file = folder / "authority" / f"{name}.pem"
    try:
        return x509.load_pem_x509_certificate(read_regular(file, at_most=LARGEST))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AuthorityUnusable(f"{file} holds no certificate") from error


def _copied(source: Path, to: Path) -> None:
    if source.exists():
        write_whole(to, read_regular(source, at_most=LARGEST))


def _certificate(step: Step) -> x509.Certificate:
    return x509.load_pem_x509_certificate(step.certificate.encode())


def _der(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.DER)
