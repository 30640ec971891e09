"""Lets a box join by a claim, renew its certificate, confirm the renewed one, and leave.

None of these needs an API key: a box proves the first by the claim's secret, the others by the key of its valid
certificate. A box may repeat each request if it did not get the answer: the same key gets the same certificate.
"""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, StringConstraints
from sqlalchemy import Row, insert, select, update

from gateway.domain.frozen import Frozen
from gateway.hub.api.rows import find_one
from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import HubAuthority, public_key_digest
from gateway.hub.boxes.unenrolment import end_home, revoke_certificates
from gateway.hub.database.revocations import end_certificates
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import certificates, claims, homes
from gateway.hub.database.transaction import Transaction
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol import enrolment
from gateway.protocol.box_hub import shard_of
from gateway.protocol.support_code import new_support_code
from gateway.system.base64url import decode_base64url

ClaimId = Annotated[str, StringConstraints(pattern=enrolment.CLAIM_ID_PATTERN)]
HomeId = Annotated[str, StringConstraints(pattern=enrolment.HOME_ID_PATTERN)]
# base64url without padding never has one character in a group of four
Csr = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9_-]{4}){25,500}(?:[A-Za-z0-9_-]{2,3})?$")]
Signature = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9_-]{4}){20,30}(?:[A-Za-z0-9_-]{2,3})?$")]
BoxKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,40}$")]


class Claiming(Model):
    """A box uses a claim. `csr`: PKCS#10 of a P-256 key, DER in base64url without padding, as all bytes here.

    `box_key`: the Ed25519 key by which the box signs its events. `mac`: under the claim's secret, over both.
    """

    csr: Csr
    box_key: BoxKey
    mac: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class BrokerAt(Model):
    """Where boxes reach the hub's broker."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Joined(Model):
    """What the box is here, its certificate and the hub's authority (PEM); `mac`: under the secret, over all of it.

    `key`: the hub's own (Ed25519, `x`), by which it signs deliveries for brands that do not sign themselves.
    `support_code`: by which a customer says which home is his.
    """

    home: HomeId
    shard: Annotated[int, Field(ge=0, le=65535)]
    broker: BrokerAt
    certificate: str
    authority: str
    key: BoxKey
    support_code: str
    mac: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that the MAC covers, in this order."""
        at = (self.broker.host, str(self.broker.port))
        return (self.home, str(self.shard), *at, self.certificate, self.authority, self.key, self.support_code)


class Renewing(Model):
    """A box asks for a certificate for a new key; `signature`: ECDSA with SHA-256, by the key that it has now."""

    home: HomeId
    csr: Csr
    signature: Signature


class Renewed(Model):
    """The new certificate (PEM). The old one counts until the new one is confirmed."""

    certificate: str


class _SignedRequest(Model):
    home: HomeId
    serial: Serial
    signature: Signature


class Confirming(_SignedRequest):
    """A box has its new certificate on its disk; `signature`: by the new key. From here on the old one is revoked."""


class Leaving(_SignedRequest):
    """A home leaves; `signature`: by the key of its certificate, `serial`.

    Its retailers are told that it lets them in no longer.
    """


class AuthorityChange(Model):
    """An authority of the hub's that follows another: its certificate (PEM), and the signature of the one before.

    ECDSA with SHA-256, over `perron-authority-1`, a line feed, and the SHA-256 of the certificate's DER in hex.
    """

    certificate: str
    signature: str


class Authorities(Model):
    """Every change, the oldest first; the last one may be of an authority that has certified nobody yet."""

    data: list[AuthorityChange]


class HomeOperations(Frozen, kw_only=False):
    """The operations for boxes; they need the hub's authority and the broker's address for boxes."""

    authority: HubAuthority
    broker: BrokerAt

    async def claim(self, call: RequestContext, claim_id: ClaimId, body: Claiming) -> Joined:
        """Join as a box, by a claim. The same key gets the same answer again."""
        held = select(claims).where(claims.c.id == claim_id).with_for_update()  # one of two concurrent requests wins
        row = await find_one(call, held)
        csr = decode_base64url(body.csr, canonical=False)
        if not enrolment.macs_equal(enrolment.request_mac(row.sha256, claim_id, csr, body.box_key), body.mac):
            raise ApiProblem(Code.SIGNATURE_REFUSED, "Its secret is another one, or a part was changed on the way.")
        if row.expires <= call.now:
            raise ApiProblem(Code.TOO_LATE, "The claim has expired or was ended: ask whoever runs the hub for another.")
        key = _public_key_of(csr)
        if row.public is None:
            await self._enrol(call, row, body.box_key, key)
            row = await find_one(call, held)
        elif row.public != public_key_digest(key):
            raise ApiProblem(Code.CONFLICT, "The claim was used for another box, or for another key of this one.")
        certificate = await _find_certificate(call.tx, row.home, row.public)
        if certificate is None or certificate.ended is not None:
            raise ApiProblem(Code.CONFLICT, "The certificate that it gave no longer counts: ask for another claim.")
        support = (await call.tx.execute(select(homes.c.support_code).where(homes.c.id == row.home))).scalar_one()
        authority = HubAuthority.load(self.authority.folder, now=call.now)
        joined = Joined(
            home=row.home, shard=shard_of(row.home), broker=self.broker, certificate=_pem(certificate.der),
            authority=authority.pem, key=call.signer.x, support_code=support, mac="",
        )  # fmt: skip
        return joined.model_copy(update={"mac": enrolment.answer_mac(row.sha256, claim_id, joined.parts)})

    async def renew(self, call: RequestContext, body: Renewing) -> Renewed:
        """Renew a box's certificate, for a new key. An earlier certificate that the box did not confirm ends."""
        known = await _active_certificates(call, body.home)
        csr = decode_base64url(body.csr, canonical=False)
        if not any(_signature_holds(row, body.signature, enrolment.renewal_statement(body.home, csr)) for row in known):
            raise _unknown_signer()
        key = _public_key_of(csr)
        certificate = await _find_certificate(call.tx, body.home, public_key_digest(key))
        if certificate is None:
            await end_certificates(call.tx, body.home, call.now, certificates.c.used.is_(None))
            return Renewed(certificate=_pem(await self._certify(call, body.home, key)))
        if certificate.used is not None or certificate.ended is not None:
            raise ApiProblem(Code.CONFLICT, "This key had its certificate already: make a new one.")
        return Renewed(certificate=_pem(certificate.der))

    async def confirm(self, call: RequestContext, body: Confirming) -> None:
        """Confirm a box's renewed certificate. Its other certificates end."""
        known = await _active_certificates(call, body.home)
        row = next((row for row in known if row.serial == body.serial), None)
        signed = enrolment.confirmation_statement(body.home, body.serial)
        if row is None or not _signature_holds(row, body.signature, signed):
            raise _unknown_signer()
        await end_certificates(call.tx, body.home, call.now, certificates.c.serial != body.serial)
        first = update(certificates).filter_by(serial=body.serial, used=None)
        await call.tx.execute(first.values(used=call.now))

    async def leave(self, call: RequestContext, body: Leaving) -> None:
        """Leave the hub, as a home.

        Its certificates and connections end. A certificate that ended proves nothing, so a request from before the home
        joined again ends nothing.
        """
        row = await find_one(call, select(certificates).filter_by(home=body.home, serial=body.serial))
        home = await find_one(call, select(homes).where(homes.c.id == body.home).with_for_update())
        counts = row.ended is None and row.expires > call.now
        signed = _signature_holds(row, body.signature, enrolment.leave_statement(body.home, body.serial))
        if not signed or not (counts or home.revoked is not None):
            raise _unknown_signer()
        if home.revoked is None:
            await revoke_certificates(call.tx, home.id, call.now)
            await end_home(call.tx, home, call.now)

    async def list_authorities(self, _call: RequestContext) -> Authorities:
        """How the hub's authorities followed each other. Each is signed by the one before."""
        steps = ca_rotation.read_chain(self.authority.folder)
        return Authorities(
            data=[AuthorityChange(certificate=step.certificate, signature=step.signature) for step in steps]
        )

    def operations(self) -> OperationGroup:
        """Return the operations of the API."""
        group = OperationGroup("Homes", right=ApiAccess.NONE)
        add, refuses = partial(group.add, max_body_bytes=8192), {Code.SIGNATURE_REFUSED, Code.NOT_FOUND}
        claim_refuses = {Code.SIGNATURE_REFUSED, Code.CONFLICT, Code.TOO_LATE}
        add("POST", "/v1/claims/{claim_id}", "useClaim", refuses=claim_refuses)(self.claim)
        add("POST", "/v1/homes/renew", "renewCertificate", refuses=refuses | {Code.CONFLICT})(self.renew)
        add("POST", "/v1/homes/confirm", "confirmCertificate", refuses=refuses)(self.confirm)
        add("GET", "/v1/authorities", "listAuthorities")(self.list_authorities)
        add("POST", "/v1/homes/leave", "leaveHub", refuses=refuses)(self.leave)
        return group

    async def _enrol(self, call: RequestContext, claim: Row[Any], box_key: str, key: ec.EllipticCurvePublicKey) -> None:
        home: str = claim.home or new_id("home")
        if claim.home is None:
            await call.tx.execute(
                insert(homes).values(
                    id=home, shard=shard_of(home), sandbox=False, support_code=new_support_code(), box_key=box_key,
                    said={}, joined=call.now,
                )
            )  # fmt: skip
        else:
            await call.tx.execute(update(homes).where(homes.c.id == home).values(box_key=box_key, revoked=None))
            await end_certificates(call.tx, home, call.now)
        await self._certify(call, home, key, used=call.now)
        used = {"home": home, "public": public_key_digest(key), "used": call.now}
        await call.tx.execute(update(claims).where(claims.c.id == claim.id).values(used))

    async def _certify(
        self, call: RequestContext, home: str, key: ec.EllipticCurvePublicKey, *, used: datetime | None = None
    ) -> bytes:
        authority = HubAuthority.load(self.authority.folder, now=call.now)  # the authority may have changed
        certificate = authority.certify(home, key, now=call.now)
        der = certificate.public_bytes(serialization.Encoding.DER)
        await call.tx.execute(
            insert(certificates).values(
                serial=f"{certificate.serial_number:x}", home=home, public=public_key_digest(key), issued=call.now,
                used=used, der=der, expires=certificate.not_valid_after_utc,
            )
        )  # fmt: skip
        return der


async def _find_certificate(tx: Transaction, home: str, public: bytes) -> Row[Any] | None:
    return (await tx.execute(select(certificates).filter_by(home=home, public=public))).one_or_none()


async def _active_certificates(call: RequestContext, home: str) -> list[Row[Any]]:
    row = await find_one(call, select(homes.c.revoked).where(homes.c.id == home))
    valid = select(certificates).filter_by(home=home, ended=None).where(certificates.c.expires > call.now)
    rows = await call.tx.execute(valid)
    return [] if row.revoked is not None else list(rows)


def _signature_holds(row: Row[Any], signature: str, signed: bytes) -> bool:
    key = x509.load_der_x509_certificate(row.der).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)  # noqa: S101 - this hub has certified it
    try:
        key.verify(decode_base64url(signature, canonical=False), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _public_key_of(csr: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key of a certificate request, which proves possession of its private half; the rest is ignored."""
    try:
        request = x509.load_der_x509_csr(csr)
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ApiProblem.at("/csr", "value_error", "This is no certificate request (PKCS#10, DER).") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ApiProblem.at("/csr", "value_error", "The key is not on the curve P-256.")
    if not request.is_signature_valid:
        raise ApiProblem.at("/csr", "value_error", "The request is not signed by its own key.")
    return key


def _unknown_signer() -> ApiProblem:
    return ApiProblem(Code.SIGNATURE_REFUSED, "No certificate of this home that counts has this key.")


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode()
