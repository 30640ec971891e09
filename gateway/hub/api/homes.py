"""Lets a box join by a claim, renew its certificate, confirm the renewed one, and leave.

None of these needs an API key: a box proves the first by the claim's secret, the others by the key of its valid
certificate. A box may repeat each request if it did not get the answer: the same key gets the same certificate.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import Field, StringConstraints
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import HubAuthority, public_key_digest
from gateway.hub.boxes.unenrolment import end_home, revoke_certificates
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import certificates, claims, homes
from gateway.hub.http.operation import ApiAccess, ApiParameters, Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.box_hub import shard_of
from gateway.protocol.enrolment import (
    CLAIM_ID_PATTERN,
    HOME_ID_PATTERN,
    answer_mac,
    confirmation_statement,
    leave_statement,
    macs_equal,
    renewal_statement,
    request_mac,
)
from gateway.protocol.support_code import new_support_code
from gateway.system.base64url import decode_base64url

HomeId = Annotated[str, StringConstraints(pattern=HOME_ID_PATTERN)]
# base64url without padding never has one character in a group of four
Csr = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9_-]{4}){25,500}(?:[A-Za-z0-9_-]{2,3})?$")]
Signature = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9_-]{4}){20,30}(?:[A-Za-z0-9_-]{2,3})?$")]
BoxKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,40}$")]


class ClaimPath(ApiParameters):
    """The claim that the path names."""

    claim_id: Annotated[str, StringConstraints(pattern=CLAIM_ID_PATTERN)]


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


class Confirming(Model):
    """A box has its new certificate on its disk; `signature`: by the new key. From here on the old one is revoked."""

    home: HomeId
    serial: Serial
    signature: Signature


class Leaving(Model):
    """A home leaves; `signature`: by the key of its certificate, `serial`.

    Its retailers are told that it lets them in no longer.
    """

    home: HomeId
    serial: Serial
    signature: Signature


class Change(Model):
    """An authority of the hub's that follows another: its certificate (PEM), and the signature of the one before.

    ECDSA with SHA-256, over `perron-authority-1`, a line feed, and the SHA-256 of the certificate's DER in hex.
    """

    certificate: str
    signature: str


class Authorities(Model):
    """Every change, the oldest first; the last one may be of an authority that has certified nobody yet."""

    data: list[Change]


@dataclass(frozen=True, slots=True)
class HomeOperations:
    """The operations for boxes; they need the hub's authority and the broker's address for boxes."""

    authority: HubAuthority
    broker: BrokerAt

    async def claim(self, call: RequestContext) -> Response:
        """Join as a box, by a claim.

        The same key gets the same answer again.
        """
        asked, id_ = call.part(Claiming), call.part(ClaimPath).claim_id
        held = select(claims).where(claims.c.id == id_).with_for_update()  # one of two concurrent requests wins
        row = (await call.tx.execute(held)).one_or_none()
        if row is None:
            raise ApiProblem(Code.NOT_FOUND)
        csr = decode_base64url(asked.csr, canonical=False)
        if not macs_equal(request_mac(row.sha256, id_, csr, asked.box_key), asked.mac):
            raise ApiProblem(Code.SIGNATURE_REFUSED, "Its secret is another one, or a part was changed on the way.")
        if row.expires <= call.now:
            raise ApiProblem(Code.TOO_LATE, "The claim has expired or was ended: ask whoever runs the hub for another.")
        key = _public_key_of(csr)
        if row.public is None:
            await self._enrol(call, row, asked, key)
        elif row.public != public_key_digest(key):
            raise ApiProblem(Code.CONFLICT, "The claim was used for another box, or for another key of this one.")
        found = (await call.tx.execute(select(claims.c.home, claims.c.public).where(claims.c.id == id_))).one()
        certificate = await _find_certificate(call.tx, found.home, found.public)
        if certificate is None or certificate.ended is not None:
            raise ApiProblem(Code.CONFLICT, "The certificate that it gave no longer counts: ask for another claim.")
        support = (await call.tx.execute(select(homes.c.support_code).where(homes.c.id == found.home))).scalar_one()
        authority = HubAuthority.load(self.authority.folder, now=call.now)
        plain = Joined(
            home=found.home, shard=shard_of(found.home), broker=self.broker, certificate=_pem(certificate.der),
            authority=authority.pem, key=call.signer.x, support_code=support, mac="",
        )  # fmt: skip
        mac = answer_mac(row.sha256, id_, plain.parts)
        return Response(plain.model_copy(update={"mac": mac}))

    async def renew(self, call: RequestContext) -> Response:
        """Renew a box's certificate, for a new key.

        An earlier certificate that the box did not confirm ends.
        """
        asked = call.part(Renewing)
        known = await _active_certificates(call, asked.home)
        csr = decode_base64url(asked.csr, canonical=False)
        if not any(_signature_holds(row, asked.signature, renewal_statement(asked.home, csr)) for row in known):
            raise ApiProblem(Code.SIGNATURE_REFUSED, "No certificate of this home that counts has this key.")
        key = _public_key_of(csr)
        before = await _find_certificate(call.tx, asked.home, public_key_digest(key))
        if before is None:
            unused = (certificates.c.home == asked.home) & certificates.c.used.is_(None)
            await call.tx.execute(update(certificates).where(unused).values(ended=call.now))
            before = await self._certify(call, asked.home, key)
        elif before.used is not None or before.ended is not None:
            raise ApiProblem(Code.CONFLICT, "This key had its certificate already: make a new one.")
        return Response(Renewed(certificate=_pem(before.der)))

    async def confirm(self, call: RequestContext) -> Response:
        """Confirm a box's renewed certificate.

        Its other certificates end.
        """
        asked = call.part(Confirming)
        known = await _active_certificates(call, asked.home)
        row = next((row for row in known if row.serial == asked.serial), None)
        if row is None or not _signature_holds(row, asked.signature, confirmation_statement(asked.home, asked.serial)):
            raise ApiProblem(Code.SIGNATURE_REFUSED, "No certificate of this home that counts has this key.")
        mine = certificates.c.home == asked.home
        others = mine & (certificates.c.serial != asked.serial) & certificates.c.ended.is_(None)
        await call.tx.execute(update(certificates).where(others).values(ended=call.now))
        first = (certificates.c.serial == asked.serial) & certificates.c.used.is_(None)
        await call.tx.execute(update(certificates).where(first).values(used=call.now))
        return Response(status=204)

    async def leave(self, call: RequestContext) -> Response:
        """Leave the hub, as a home.

        Its certificates and connections end. A certificate that ended proves nothing, so a request from before the home
        joined again ends nothing.
        """
        asked = call.part(Leaving)
        known = (certificates.c.home == asked.home) & (certificates.c.serial == asked.serial)
        row = (await call.tx.execute(select(certificates).where(known))).one_or_none()
        home = (await call.tx.execute(select(homes).where(homes.c.id == asked.home).with_for_update())).one_or_none()
        if row is None or home is None:
            raise ApiProblem(Code.NOT_FOUND)
        counts = row.ended is None and row.expires > call.now
        signed = _signature_holds(row, asked.signature, leave_statement(asked.home, asked.serial))
        if not signed or not (counts or home.revoked is not None):
            raise ApiProblem(Code.SIGNATURE_REFUSED, "No certificate of this home that counts has this key.")
        if home.revoked is None:
            await revoke_certificates(call.tx, home.id, call.now)
            await end_home(call.tx, home, call.now)
        return Response(status=204)

    async def list_authorities(self, _call: RequestContext) -> Response:
        """How the hub's authorities followed each other.

        Each is signed by the one before.
        """
        steps = ca_rotation.read_chain(self.authority.folder)
        changes = [Change(certificate=one.certificate, signature=one.signature) for one in steps]
        return Response(Authorities(data=changes))

    def operations(self) -> OperationGroup:
        """Return the operations of the API."""
        homes_group = OperationGroup("Homes", right=ApiAccess.NONE)
        refused = {Code.SIGNATURE_REFUSED, Code.NOT_FOUND}
        homes_group.post(
            "/v1/claims/{claim_id}",
            "useClaim",
            path_model=ClaimPath,
            body=Claiming,
            answers={200: Joined},
            refuses={Code.SIGNATURE_REFUSED, Code.CONFLICT, Code.TOO_LATE},
            max_body_bytes=8192,
        )(self.claim)
        homes_group.post(
            "/v1/homes/renew",
            "renewCertificate",
            body=Renewing,
            answers={200: Renewed},
            refuses=refused | {Code.CONFLICT},
            max_body_bytes=8192,
        )(self.renew)
        homes_group.post(
            "/v1/homes/confirm",
            "confirmCertificate",
            body=Confirming,
            answers={204: None},
            refuses=refused,
            max_body_bytes=8192,
        )(self.confirm)
        homes_group.get("/v1/authorities", "listAuthorities", answers={200: Authorities})(self.list_authorities)
        homes_group.post(
            "/v1/homes/leave", "leaveHub", body=Leaving, answers={204: None}, refuses=refused, max_body_bytes=8192
        )(self.leave)
        return homes_group  # fmt: skip

    async def _enrol(
        self, call: RequestContext, row: Row[Any], asked: Claiming, key: ec.EllipticCurvePublicKey
    ) -> None:
        """Make a home, or enrol the home that the claim names again; its older certificates end."""
        home: str = row.home or new_id("home")
        if row.home is None:
            await call.tx.execute(
                insert(homes).values(
                    id=home, shard=shard_of(home), sandbox=False, support_code=new_support_code(),
                    box_key=asked.box_key, said={}, joined=call.now,
                )
            )  # fmt: skip
        else:
            await call.tx.execute(update(homes).where(homes.c.id == home).values(box_key=asked.box_key, revoked=None))
            older = (certificates.c.home == home) & certificates.c.ended.is_(None)
            await call.tx.execute(update(certificates).where(older).values(ended=call.now))
        await self._certify(call, home, key, used=call.now)
        used = {"home": home, "public": public_key_digest(key), "used": call.now}
        await call.tx.execute(update(claims).where(claims.c.id == row.id).values(used))

    async def _certify(
        self, call: RequestContext, home: str, key: ec.EllipticCurvePublicKey, *, used: datetime | None = None
    ) -> Row[Any]:
        authority = HubAuthority.load(self.authority.folder, now=call.now)  # the authority may have changed
        one = authority.certify(home, key, now=call.now)
        await call.tx.execute(
            insert(certificates).values(
                serial=f"{one.serial_number:x}", home=home, public=public_key_digest(key), issued=call.now, used=used,
                der=one.public_bytes(serialization.Encoding.DER), expires=one.not_valid_after_utc,
            )
        )  # fmt: skip
        found = await _find_certificate(call.tx, home, public_key_digest(key))
        assert found is not None  # noqa: S101 - it was just written
        return found


async def _find_certificate(tx: AsyncConnection, home: str, public: bytes) -> Row[Any] | None:
    mine = (certificates.c.home == home) & (certificates.c.public == public)
    return (await tx.execute(select(certificates).where(mine))).one_or_none()


async def _active_certificates(call: RequestContext, home: str) -> list[Row[Any]]:
    """Return all valid certificates of a home.

    Raises:
        ApiProblem: the hub knows no home of this id.
    """
    row = (await call.tx.execute(select(homes.c.revoked).where(homes.c.id == home))).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    counts = certificates.c.ended.is_(None) & (certificates.c.expires > call.now)
    found = await call.tx.execute(select(certificates).where(certificates.c.home == home, counts))
    return [] if row.revoked is not None else list(found)


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


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode()
