"""Joins the box to a hub, renews its certificate there, and follows the hub's certificate authority.

In its folder (`hub` in the storage folder) `identity.pem` is its private key and certificate in one file, so both
change at once; `authority.pem` contains the only authority that the box trusts there; `next.pem` is the key for which
it requests a certificate, until that certificate is stored and the hub knows it. Keys are made here and never leave.
Each step writes a whole file, and each request can be repeated: after a kill at any moment, the box has a valid
identity.

The box does not trust the web server's certificate: the answer to a claim carries a MAC under the claim's secret and
the authority of the code's fingerprint; a renewed certificate must come from that authority, for the requested key.

What asks the hub raises `HubUnavailable` (it cannot be reached, or failed), `HubError` (it refuses) or `WrongHub` (the
answer has another form, or is not for this box). What uses the folder raises OSError, or `DamagedIdentity` for a file
without the identity or authority that it should have. What changes the text of the house file raises EditRejected if it
is not a valid one, or would not be one.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.config.editor import check_home, with_top_section
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.protocol import enrolment as wire
from gateway.protocol import support_code as supportcode
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.strict_json import loads
from gateway.system.addresses import is_loopback_host
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.base64url import decode_base64url, encode_base64url
from gateway.system.bounded_http import open_bounded
from gateway.system.clock import machine_time
from gateway.system.config_section import ConfigSection, HostName
from gateway.system.pki.authority import BACKDATING, certificate_pem, load_ec_key, private_pem
from gateway.system.regular_file import read_bytes

log = structlog.get_logger(__name__)

HUB_FOLDER = "hub"  # in the storage folder
IDENTITY_FILE, AUTHORITY_FILE = "identity.pem", "authority.pem"
STATUS_FILE, MAX_STATUS_BYTES = "line.json", 4096  # the state of the uplink, for a diagnosis from outside
NEXT_KEY_FILE, SUPPORT_CODE_FILE = "next.pem", "support-code"
KEY_SPENT_CODE = "conflict"  # the hub's code for a key that it will not certify (again)
NOT_ACCEPTED_CODES = ("not_found", "signature_refused")  # the hub's codes for an invalid home or certificate
HTTP_TIMEOUT_S = 20.0  # seconds for the hub to answer
MAX_BODY_BYTES = 65_536  # bytes of its answer, and of a file of the box
MAX_AUTHORITY_CHANGES = 20  # changes in the list of the hub's authorities
CHECK_INTERVAL_S = 6 * 3600.0  # seconds between checks of the certificate
RETRY_DELAY_S = 900.0  # seconds after which a hub that did not answer is tried again

CERTIFICATE_ERRORS = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""Exceptions from reading a foreign certificate: another one, caused by a hub, would end the box."""

HttpPost = Callable[[str, Mapping[str, object]], bytes]
"""POSTs JSON to an address and returns the answer; raises `HubError` or `HubUnavailable`."""

HttpGet = Callable[[str], bytes]
"""Reads an address and returns the answer; raises the same."""


class HubUnavailable(ConnectionError):  # noqa: N818 - the name states the fault
    """The hub cannot be reached, or failed; a later try may succeed."""


class HubError(Exception):
    """The hub refuses, with the reason; `code` is its own stable code for it."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class WrongHub(Exception):  # noqa: N818 - the name states the fault
    """The server is not the hub of the code, or its answer is not for this box. Nothing of it was stored."""


class DamagedIdentity(ValueError):  # noqa: N818 - the name states the fault
    """The folder contains no valid identity of a box; the text says what to do."""


class HubResponse(BaseModel):
    """An answer of the hub."""

    model_config = ConfigDict(frozen=True, strict=True)  # a newer hub may send more


class _BrokerAddress(HubResponse):
    host: HostName
    port: Annotated[int, Field(ge=1, le=65535)]


class HubMembership(HubResponse):
    """A hub's answer to a claim, and what the section `hub` of the house file says of it."""

    home: Annotated[str, StringConstraints(pattern=wire.HOME_ID_PATTERN)]
    shard: Annotated[int, Field(ge=0, le=65535)]
    broker: _BrokerAddress
    certificate: str
    authority: str
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    support_code: Annotated[str, StringConstraints(max_length=16)]
    mac: str


class _RenewalResponse(HubResponse):
    certificate: str


class _AuthorityChange(HubResponse):
    certificate: Annotated[str, StringConstraints(max_length=8192)]
    signature: Annotated[str, StringConstraints(max_length=200)]


class _AuthorityChain(HubResponse):
    data: Annotated[list[_AuthorityChange], Field(max_length=MAX_AUTHORITY_CHANGES)]


class HubIdentity(Frozen, kw_only=False):
    """A box's key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def home(self) -> str:
        """Return the name under which the hub knows the box."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def valid_until(self) -> datetime:
        """Return its last valid instant."""
        return self.certificate.not_valid_after_utc

    def is_renewal_due(self, now: datetime) -> bool:
        """Return whether renewal is due: two thirds are over. A wrong clock can only make it earlier."""
        begun = self.certificate.not_valid_before_utc + BACKDATING
        return now >= begun + (self.valid_until - begun) * 2 / 3 or now < begun - BACKDATING


def read_identity(folder: Path) -> HubIdentity | None:
    """Read the box's identity; None if it has joined no hub."""
    file = folder / IDENTITY_FILE
    if not file.exists():
        return None
    pem = read_regular(file, at_most=MAX_BODY_BYTES)
    try:
        return HubIdentity(load_ec_key(pem), x509.load_pem_x509_certificate(pem))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DamagedIdentity(f"{file} holds no key and certificate ({error}): let the box join anew.") from error


def join_hub(code: wire.ClaimCode, box: PublicKey, folder: Path, post: HttpPost) -> HubMembership:
    """Join by a claim's code; return what the house file has to say. Repeated after a crash, the result is the same.

    Until `finish_join` the same code may be used once more: the house file is written between the two.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, secret = _next_key(folder, code.claim), wire.secret_key(code.secret)
    csr = _csr(key)
    request = {
        "csr": encode_base64url(csr),
        "box_key": box.text,
        "mac": wire.request_mac(secret, code.claim, csr, box.text),
    }
    joined = _read_answer(HubMembership, post(f"{code.url}/v1/claims/{code.claim}", request))
    parts = (
        joined.home, str(joined.shard), joined.broker.host, str(joined.broker.port), joined.certificate,
        joined.authority, joined.key, joined.support_code,
    )  # fmt: skip
    authority = _parse_authority(joined.authority)
    if authority.fingerprint(hashes.SHA256()).hex() != code.authority:
        raise WrongHub("It has another authority than the code names.")
    if not wire.macs_equal(wire.answer_mac(secret, code.claim, parts), joined.mac):
        raise WrongHub("It does not know the claim's secret.")
    certificate = checked_certificate(joined.certificate, (authority,), joined.home, key)
    store_support_code(folder, joined.support_code)
    write_whole(folder / AUTHORITY_FILE, certificate_pem(authority))
    _write_identity(folder, key, certificate)
    return joined


def finish_join(folder: Path) -> None:
    """Delete the claim, after the house file names the hub."""
    (folder / NEXT_KEY_FILE).unlink(missing_ok=True)


def text_with_membership(text: str, file: Path, storage: Path, url: str, member: HubMembership) -> str:
    """Return the text of the house file with this membership of the hub at `url`, in place of an existing one."""
    folder, beside = storage / HUB_FOLDER, file.resolve().parent
    own = folder.relative_to(beside) if folder.is_relative_to(beside) else folder
    identity = str(own / IDENTITY_FILE)
    section = {
        "url": url, "home": member.home, "host": member.broker.host, "port": member.broker.port, "shard": member.shard,
        "key": member.key, "tls": {"ca": str(own / AUTHORITY_FILE), "certificate": identity, "key": identity},
    }  # fmt: skip
    edited = with_top_section(text, file, "hub", section)
    check_home(edited, file)
    return edited


def text_without_membership(text: str, file: Path, home: str) -> str:
    """Return the text of the house file without its membership as this home; another membership stays."""
    section = check_home(text, file).hub
    if section is None or section.home != home:
        return text
    edited = with_top_section(text, file, "hub", None)
    check_home(edited, file)
    return edited


def support_code(folder: Path) -> str | None:
    """Return the code by which a customer names this home to a retailer, as it is read aloud; None: unknown."""
    try:
        text = read_regular(folder / SUPPORT_CODE_FILE, at_most=MAX_BODY_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    code = supportcode.parse_support_code(text.strip())
    return None if code is None else supportcode.format_support_code(code)


def store_support_code(folder: Path, text: str) -> bool:
    """Store the hub's support code; return whether it changed. An invalid one is not stored."""
    code = supportcode.parse_support_code(text)
    if code is None or support_code(folder) == supportcode.format_support_code(code):
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / SUPPORT_CODE_FILE, f"{supportcode.format_support_code(code)}\n".encode())
    return True


def authority_fingerprint(folder: Path) -> str | None:
    """Return the fingerprint of the newest trusted authority; None if there is none."""
    try:
        return trusted_authorities(folder)[-1].fingerprint(hashes.SHA256()).hex()
    except (OSError, DamagedIdentity):
        return None


def is_accepted(url: str, folder: Path, post: HttpPost) -> bool | None:
    """Return whether the hub still accepts this box: its broker only refuses, without a reason.

    The request confirms the present certificate, which changes nothing where it is valid. None: the hub gives another
    answer or none, or there is no identity.
    """
    with contextlib.suppress(HubUnavailable, HubError, DamagedIdentity, OSError):
        mine = read_identity(folder)
        return None if mine is None else _hub_accepts(lambda: _confirm(url, mine, post))
    return None


def leave_hub(url: str, folder: Path, post: HttpPost) -> bool:
    """Report to the hub that this home leaves for good; return False if unknown there, or if the box never joined."""
    mine = read_identity(folder)
    if mine is None:
        return False
    return _hub_accepts(lambda: post(f"{url}/v1/homes/leave", _signed(mine, wire.leave_statement)))


def _hub_accepts(request: Callable[[], object]) -> bool:
    try:
        request()
    except HubError as refusal:
        if refusal.code in NOT_ACCEPTED_CODES:
            return False
        raise
    return True


def renew_certificate(url: str, folder: Path, post: HttpPost, *, now: datetime) -> HubIdentity | None:
    """Renew the certificate if due, or finish an interrupted renewal; None: nothing to do."""
    mine = read_identity(folder)
    if mine is None or not ((folder / NEXT_KEY_FILE).exists() or mine.is_renewal_due(now)):
        return None
    key = _next_key(folder, f"renewal {mine.certificate.serial_number:x}", of=mine)
    if key.public_key() != mine.key.public_key():
        csr = _csr(key)
        request = {
            "home": mine.home,
            "csr": encode_base64url(csr),
            "signature": _sign(mine.key, wire.renewal_statement(mine.home, csr)),
        }
        try:
            renewed = _read_answer(_RenewalResponse, post(f"{url}/v1/homes/renew", request))
        except HubError as refusal:
            if refusal.code == KEY_SPENT_CODE:
                (folder / NEXT_KEY_FILE).unlink()  # the next renewal uses another key
            raise
        certificate = checked_certificate(renewed.certificate, trusted_authorities(folder), mine.home, key)
        _write_identity(folder, key, certificate)
        mine = HubIdentity(key, certificate)
    _confirm(url, mine, post)
    (folder / NEXT_KEY_FILE).unlink()
    return mine


def follow_authorities(url: str, folder: Path, get: HttpGet) -> bool:
    """Read which authorities follow the trusted ones; return whether there are new ones.

    Each authority signs its successor, and the list can be read at any time: a box that was off meanwhile learns of
    the change when it is back. It trusts all of them until its own certificate comes from the newest: then only that
    one.
    """
    before, mine = trusted_authorities(folder), read_identity(folder)
    known = list(before)
    for step in _read_answer(_AuthorityChain, get(f"{url}/v1/authorities")).data:
        authority = _parse_authority(step.certificate)
        if authority not in known and any(_is_signed_by(older, authority, step.signature) for older in known):
            known.append(authority)
    if mine is not None and _is_issued_by(mine.certificate, known[-1]):
        known = known[-1:]
    if known == before:
        return False
    write_whole(folder / AUTHORITY_FILE, b"".join(map(certificate_pem, known)))
    return True


def _confirm(url: str, identity: HubIdentity, post: HttpPost) -> None:
    post(f"{url}/v1/homes/confirm", _signed(identity, wire.confirmation_statement))


def _signed(identity: HubIdentity, statement: Callable[[str, str], bytes]) -> dict[str, str]:
    serial = f"{identity.certificate.serial_number:x}"
    signature = _sign(identity.key, statement(identity.home, serial))
    return {"home": identity.home, "serial": serial, "signature": signature}


def _next_key(folder: Path, purpose: str, *, of: HubIdentity | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the key to certify: the stored one if it has this purpose, else a new one, stored first.

    After a renewal's certificate was written, and before it was confirmed, it is the identity's own key.
    """
    file = folder / NEXT_KEY_FILE
    if file.exists():
        pem = read_regular(file, at_most=MAX_BODY_BYTES)
        try:
            stored = load_ec_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # it was never certified
            stored = None
        stored_purpose = pem.partition(b"\n")[0].decode(errors="replace")
        if stored is not None and (
            stored_purpose == purpose or (of is not None and stored.public_key() == of.key.public_key())
        ):
            return stored
    key = ec.generate_private_key(ec.SECP256R1())
    write_whole(file, purpose.encode() + b"\n" + private_pem(key))
    return key


def _write_identity(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    write_whole(folder / IDENTITY_FILE, private_pem(key) + certificate_pem(certificate))


class LinkStatus(ConfigSection):
    """Up or down since a time; `why` it is down, in the library's words. `waiting`: events that the hub lacks.

    `leaving`: the house leaves this hub, and only sends what is still due. `cut_off`: the hub no longer accepts it.
    """

    home: str
    up: bool
    since: AwareDatetime
    why: str | None = Field(default=None, max_length=400)
    waiting: int = Field(ge=0)
    leaving: bool = False
    cut_off: bool = False


def write_status(folder: Path, status: LinkStatus) -> None:
    """Store the status."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / STATUS_FILE, status.model_dump_json().encode())


def read_status(folder: Path) -> LinkStatus | None:
    """Read the last status; None if there is no readable file."""
    try:
        return LinkStatus.model_validate_json(read_bytes(folder / STATUS_FILE, at_most=MAX_STATUS_BYTES))
    except (OSError, ValidationError):
        return None


def _parse_authority(pem: str) -> x509.Certificate:
    try:
        authority = x509.load_pem_x509_certificate(pem.encode())
        key = authority.public_key()
    except CERTIFICATE_ERRORS as error:
        raise WrongHub("Its authority is no certificate.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise WrongHub("Its authority has another kind of key.")
    return authority


def checked_certificate(
    pem: str, authorities: Sequence[x509.Certificate], home: str, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Return the certificate if one of these authorities issued it for this home and key, or raise `WrongHub`."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if not any(_is_issued_by(certificate, authority) for authority in authorities):
            raise WrongHub("Its certificate does not come from the hub's authority.")
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        public = certificate.public_key()
    except CERTIFICATE_ERRORS as error:
        raise WrongHub("Its certificate does not come from the hub's authority.") from error
    if names != [home] or public != key.public_key():
        raise WrongHub("Its certificate is for another home or another key.")
    return certificate


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_signed_by(signer: x509.Certificate, certificate: x509.Certificate, signature: str) -> bool:
    key, statement = signer.public_key(), wire.successor_statement(certificate.public_bytes(serialization.Encoding.DER))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(decode_base64url(signature), statement, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def trusted_authorities(folder: Path) -> list[x509.Certificate]:
    """Return the authorities that the box trusts there, the newest last."""
    file = folder / AUTHORITY_FILE
    try:
        return x509.load_pem_x509_certificates(read_regular(file, at_most=MAX_BODY_BYTES))
    except ValueError as error:
        raise DamagedIdentity(f"{file} holds no authority ({error}): let the box join anew.") from error


def _csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a certificate request, DER. The hub decides the subject; the name in the request means nothing."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "perron")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> str:
    return encode_base64url(key.sign(message, ec.ECDSA(hashes.SHA256())))


M = TypeVar("M", bound=HubResponse)


def _read_answer(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise WrongHub("What it answered is no answer of a hub.") from error


def http_request(address: str, body: Mapping[str, object] | None = None, timeout_s: float = HTTP_TIMEOUT_S) -> bytes:
    """Send a request to a hub, by HTTPS, or by HTTP on this machine; without a body it is a GET."""
    scheme, _, rest = address.partition("://")
    if scheme != "https" and not is_loopback_host(rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]):
        raise HubUnavailable("its address is no https:// one, and it is on another machine")
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - http and https only, above
    try:
        with open_bounded(request, idle_timeout_s=timeout_s) as answer:
            return bytes(answer.read(MAX_BODY_BYTES))
    except HTTPError as error:
        raise _error_from(error) from error
    except (OSError, ValueError, HTTPException) as error:  # URLError and ssl.SSLError are OSError
        reason = getattr(error, "reason", error)
        why = reason.verify_message if isinstance(reason, ssl.SSLCertVerificationError) else str(reason)
        raise HubUnavailable(_safe_line(why)[:400] or type(error).__name__) from error


def _error_from(error: HTTPError) -> Exception:
    """Return the hub's reason as an exception; another answer does not come from a hub."""
    status = error.code
    try:
        with error:
            problem = loads(error.read(MAX_BODY_BYTES), deepest=8)
        if not isinstance(problem, dict):
            raise TypeError  # noqa: TRY301 - one error for everything but a problem document
        code = _safe_line(str(problem["code"]))[:64]
        why = _safe_line(str(problem.get("detail") or problem["title"]))[:400]
    except (OSError, ValueError, KeyError, TypeError, HTTPException):
        return HubUnavailable(f"it answers with HTTP {status}, and is no hub")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return HubUnavailable(why)
    return HubError(code, why)


def _safe_line(text: str) -> str:
    """Return foreign text as one line without control characters, which could move a terminal's cursor."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def renewal_tasks(home: Home) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    """Return the tasks that renew the certificate, by name; empty if the box joined no hub by a claim."""
    folder = home.storage.folder / HUB_FOLDER
    if home.hub is None or not (folder / IDENTITY_FILE).exists():
        return {}
    return {"hub certificate": partial(keep_renewed, home.hub.url, folder, http_request, now=machine_time)}


async def keep_renewed(  # noqa: PLR0913 - its dependencies, each replaced by tests
    url: str,
    folder: Path,
    post: HttpPost,
    *,
    now: Callable[[], datetime],
    get: HttpGet = http_request,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Follow the hub's authority, and renew the certificate in time, until cancelled; errors go to the log."""
    while True:
        wait = CHECK_INTERVAL_S
        try:
            if await asyncio.to_thread(follow_authorities, url, folder, get):
                fingerprint = authority_fingerprint(folder) or ""
                log.warning("hub_authority_followed", words=wire.proquint_words(fingerprint))
            renewed = await asyncio.to_thread(renew_certificate, url, folder, post, now=now())
            if renewed is not None:
                log.info("hub_certificate_renewed", until=renewed.valid_until.isoformat())
        except HubUnavailable as away:
            log.warning("hub_certificate_not_renewed", why=str(away))
            wait = RETRY_DELAY_S
        except (HubError, WrongHub, DamagedIdentity, OSError) as error:
            log.error("hub_certificate_not_renewed", why=str(error), todo="`perron join --replace`, with a new claim")
        await sleep(wait)
