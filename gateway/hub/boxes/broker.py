"""Runs the hub's mosquitto: its configuration, access list and list of revoked certificates.

The files lie in `broker` below the hub's folder. One listener is for boxes, by TLS: the certificate names the client,
whatever name the client sends. The other listener, on this machine, is for the hub's own account. A box publishes under
its own id what gateway/protocol/box_hub.py defines, and reads what is addressed to it; one pattern permits this for all
boxes.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import structlog
from cryptography import x509
from sqlalchemy import delete, select

from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import AuthorityUnusable, HubAuthority
from gateway.hub.config import Boxes, HubFile
from gateway.hub.database.revocations import RevocationKind
from gateway.hub.database.store import HubStore, log_unavailable
from gateway.hub.database.tables import certificates, claims, homes, revocations
from gateway.mqtt.client import connect_once
from gateway.protocol.box_hub import UplinkChannel, down_topic
from gateway.system import mosquitto
from gateway.system.atomic_file import write_if_changed, write_whole
from gateway.system.mqtt_settings import BrokerSection, BrokerTls

log = structlog.get_logger(__name__)

HUB_ACCOUNT = "hub"
LOOPBACK_NAMES = ("127.0.0.1", "localhost")
TAKEOVER_CERTIFICATE_LIFETIME = timedelta(minutes=5)  # of the certificate that takes over a revoked home's connection
RECENT_REVOCATION = timedelta(days=1)
CHECK_INTERVAL_S = 30.0  # for revocations, and the broker's own certificate
ENDED_RETENTION = timedelta(days=30)  # for which an ended claim or certificate gets its own error


def folder_of(file: HubFile) -> Path:
    """Return the folder of the broker's files."""
    return file.folder / "broker"


def access_list() -> str:
    """Return mosquitto's access list."""
    channels = (*get_args(UplinkChannel), "said/+")
    boxes = [*(f"pattern write up/+/%u/{channel}" for channel in channels), "pattern read dn/%u/#"]
    return "\n".join([f"user {HUB_ACCOUNT}", "topic read up/#", "topic write dn/#", "", *boxes, ""])


async def set_up(file: HubFile, boxes: Boxes, store: HubStore, *, now: datetime) -> HubAuthority:
    """Write all files that mosquitto needs; existing accounts and keys stay."""
    file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_rotation.finish_change(file.folder)
    authority = HubAuthority.load(file.folder, now=now)
    await refresh_files(authority, boxes, store, now=now)
    _write_files(folder_of(file), boxes, port=1883 if file.broker is None else file.broker.port)
    return authority


def _write_files(folder: Path, boxes: Boxes, *, port: int) -> None:
    """Write mosquitto.conf, access list and passwords; the folder already has authority.pem, revoked.pem and tls/."""
    user = mosquitto.broker_user()
    folder = mosquitto.make_private_folder(folder, user)
    mosquitto.write_passwords(folder, (HUB_ACCOUNT,), user)
    mosquitto.write_private(folder / "access", access_list(), user)
    mosquitto.hand_over(folder, user)
    listeners = [
        mosquitto.BrokerListener(host="127.0.0.1", port=port),
        mosquitto.BrokerListener(host=boxes.listen, port=boxes.port, tls=True, connections=boxes.connections),
    ]
    by_certificate = [
        f"cafile {folder / 'authority.pem'}",
        f"crlfile {folder / 'revoked.pem'}",
        "require_certificate true",
        "use_identity_as_username true",
        "max_qos 1",
    ]
    conf = mosquitto.configuration(
        folder, listeners, user=user, options=["retain_available false"], listener_options=by_certificate
    )
    mosquitto.write_private(folder / "mosquitto.conf", conf, user)


class BrokerFileKeeper:
    """Keeps the broker's revocation list equal to the store's, and renews its certificate.

    Each process that revokes writes the list. The running hub checks it regularly, so it completes a revocation that
    was interrupted.
    """

    def __init__(
        self, file: HubFile, boxes: Boxes, store: HubStore, authority: HubAuthority, *, monotonic: Callable[[], float]
    ) -> None:
        self._folder, self._boxes, self._monotonic = folder_of(file), boxes, monotonic
        self._store, self._authority = store, authority
        self._is_first_check = True
        self._disconnected: set[tuple[str, datetime]] = set()

    async def run(self, now: Callable[[], datetime]) -> None:
        """Check regularly until cancelled."""
        while True:
            with log_unavailable("broker_files_not_written", AuthorityUnusable):
                await self.check(now())
                await delete_expired(self._store, now())
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self, now: datetime) -> tuple[int, ...]:
        """Write changed files, let mosquitto reload, disconnect revoked homes; return the process ids of mosquitto.

        It completes what another process began: the first check always lets mosquitto reload, and each process
        disconnects once each home that was revoked within a day.
        """
        if not (self._folder / "mosquitto.conf").exists():
            return ()
        ca_rotation.finish_change(self._authority.folder)
        self._authority = HubAuthority.load(self._authority.folder, now=now)  # the authority may have changed
        anew = await refresh_files(self._authority, self._boxes, self._store, now=now)
        late = homes.c.revoked > now - RECENT_REVOCATION
        async with self._store.reading() as tx:
            rows = await tx.execute(select(homes.c.id, homes.c.revoked).where(late))
            revoked = {(row.id, row.revoked) for row in rows} - self._disconnected
        if not (self._is_first_check or anew or revoked):
            return ()
        reloaded = mosquitto.reload(self._folder)
        self._is_first_check = not reloaded
        for home, since in sorted(revoked):
            await self.disconnect_revoked(home, now)
            if reloaded:  # otherwise the broker does not know yet, and the home may reconnect
                self._disconnected.add((home, since))
        return reloaded

    async def disconnect_revoked(self, home: str, now: datetime) -> None:
        """End the connection of a revoked home, if there is one.

        mosquitto reads its list when a client connects, never for connected clients (tried on 2.0.21). It is done
        twice, because the home may have connected while mosquitto read the list.
        """
        for pause in (0.3, 1.0):
            await asyncio.sleep(pause)
            if not await self.disconnect(home, now):
                return

    async def disconnect(self, home: str, now: datetime) -> bool:
        """End a home's connection by a session under its id; return False if the broker cannot be reached."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            pem = Path(name) / "own.pem"
            write_whole(pem, self._authority.issue_pem(home, now=now, lifetime=TAKEOVER_CERTIFICATE_LIFETIME))
            tls = BrokerTls(ca=self._folder / "authority.pem", certificate=pem, key=pem)
            broker = BrokerSection(host=self._boxes.near, port=self._boxes.port, username=home, tls=tls)
            try:
                async with connect_once(broker, [down_topic(home, "ack")], monotonic=self._monotonic):
                    return True
            except ConnectionError as error:
                log.warning("not_cut", home=home, why=str(error))
                return False

    def readiness(self) -> Mapping[str, bool]:
        """Return nothing: with mosquitto the hub is ready once its own connection is."""
        return {}


async def count_certificates_by(store: HubStore, authority: x509.Certificate, now: datetime) -> int:
    """Return how many valid certificates of boxes this authority issued."""
    counts = (certificates.c.ended.is_(None), certificates.c.expires > now)
    async with store.reading() as tx:
        ders = (await tx.execute(select(certificates.c.der).where(*counts))).scalars().all()
    return sum(x509.load_der_x509_certificate(der).issuer == authority.subject for der in ders)


async def delete_expired(store: HubStore, now: datetime) -> int:
    """Delete claims, certificates and their revocations that ended long ago, and return how many."""
    before, ended = now - ENDED_RETENTION, (claims, certificates, revocations)
    return sum([await store.change_any(delete(table).where(table.c.expires < before)) for table in ended])


async def refresh_files(authority: HubAuthority, boxes: Boxes, store: HubStore, *, now: datetime) -> bool:
    """Write certificate, trusted authorities and revocation list where they changed, and return whether any did."""
    folder = authority.folder / "broker"
    is_new = authority.certify_server((*LOOPBACK_NAMES, boxes.host, boxes.near), now=now).is_new
    is_new |= write_if_changed(folder / "authority.pem", ca_rotation.trust_bundle(authority), mode=0o644)
    ended = certificates.c.ended.is_not(None) & (certificates.c.expires > now)
    # A restored database lacks the certificates that were issued after its backup; `revocations` has those that ended
    elsewhere = select(revocations.c.object, revocations.c.at).where(
        revocations.c.kind == RevocationKind.CERTIFICATE, revocations.c.expires > now
    )
    async with store.reading() as tx:
        wanted = {int(row.object, 16): row.at for row in (await tx.execute(elsewhere)).all()}
        rows = await tx.execute(select(certificates.c.serial, certificates.c.ended).where(ended))
        wanted |= {int(row.serial, 16): row.ended for row in rows}
    file = folder / "revoked.pem"
    lists = ca_rotation.revocation_lists(authority, list(wanted.items()), now=now)
    if _parse_revocation_lists(file.read_bytes() if file.exists() else b"") == _parse_revocation_lists(lists):
        return is_new
    write_whole(file, lists, mode=0o644)
    return True


def _parse_revocation_lists(pem: bytes) -> set[tuple[x509.Name, frozenset[int]]] | None:
    end = b"-----END X509 CRL-----"
    try:
        lists = [x509.load_pem_x509_crl(part + end) for part in pem.split(end)[:-1]]
    except ValueError:  # edited by hand; it is written again
        return None
    return {(revocations.issuer, frozenset(revoked.serial_number for revoked in revocations)) for revocations in lists}
