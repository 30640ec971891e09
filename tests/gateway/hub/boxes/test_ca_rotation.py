"""The hub's authority gives way to another: no box is cut off, nobody else is believed, and the old one ends."""

import asyncio
import json
import random
import shutil
import ssl
from base64 import encodebytes, urlsafe_b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.hub import admin
from gateway.hub.boxes import ca_rotation
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import BrokerFileKeeper, count_certificates_by
from gateway.integrations.hub_client import enrolment
from gateway.integrations.hub_client.enrolment import WrongHub, follow_authorities
from gateway.protocol.enrolment import successor_statement
from tests.gateway.hub.boxes.test_broker import LONG, Place, now, pem, placed, refused
from tests.joins import DAY, JoiningBox

pytestmark = pytest.mark.slow


class Court(Place):
    """A hub whose authority changes."""

    @property
    def keeper(self) -> BrokerFileKeeper:
        assert self.file.boxes is not None
        today = HubAuthority.load(self.file.folder, now=now())
        return BrokerFileKeeper(
            self.file, self.file.boxes, self.store, today, monotonic=asyncio.get_running_loop().time
        )

    async def follows(self, box: JoiningBox) -> bool:
        return await asyncio.to_thread(follow_authorities, self.file.url, box.folder, enrolment.http_request)

    async def until_refused(self, box: JoiningBox) -> None:
        """Wait until the broker, which reads its files anew when it is told, no longer lets a box in."""
        async with asyncio.timeout(30):
            while await self.comes(box):  # noqa: ASYNC110 - another process reads
                await asyncio.sleep(0.1)

    async def comes(self, box: JoiningBox) -> bool:
        """Whether a box is let in, and believes who lets it in."""
        async with asyncio.timeout(LONG):
            return not await refused(_As(self, box), pem(box))


class _As(Place):
    """The place as one box sees it: it believes its own authorities alone."""

    def __init__(self, court: Court, box: JoiningBox) -> None:
        super().__init__(court.file, court.broker, court.store, court.authority, court.folder, court.mosquitto)
        self._box = box

    def context(self, file: Path | None) -> ssl.SSLContext:
        found = ssl.create_default_context(cafile=self._box.folder / "authority.pem")
        if file is not None:
            found.load_cert_chain(file)
        return found


@pytest.fixture
async def court(tmp_path: Path) -> AsyncIterator[Court]:
    async with placed(tmp_path, Court) as court:
        yield court


async def joined(court: Court, name: str) -> JoiningBox:
    box = JoiningBox.new(court.folder / name)
    today = HubAuthority.load(court.file.folder, now=now())
    code = await admin.create_claim(court.store, url=court.file.url, fingerprint=today.fingerprint, now=now())
    await box.join(code)
    return box


async def test_another_authority_takes_the_old_one_s_place_and_no_box_is_cut_off(court: Court) -> None:
    folder = court.file.folder
    old, off, bad = [await joined(court, name) for name in ("old", "off", "bad")]
    first = court.authority.fingerprint
    assert not await court.follows(old), "there is nothing to learn yet"
    with pytest.raises(ca_rotation.RotationRefused):
        ca_rotation.activate_next(folder, now=now())

    coming = ca_rotation.prepare_next(folder, now=now())
    await court.keeper.check(now())
    assert await court.follows(old)
    assert not await court.follows(old)
    await court.mosquitto.kill()  # as the operator restarts it
    await court.mosquitto.start()
    assert await court.comes(old)
    assert enrolment.authority_fingerprint(old.folder) == coming.fingerprint(hashes.SHA256()).hex() != first

    ca_rotation.activate_next(folder, now=now())
    await court.keeper.check(now())
    await court.until_refused(off)  # it was off, and knows nothing of the new one
    assert await court.comes(old), "the old one's certificate counts, and the broker shows the new one's"
    assert await court.follows(off)
    assert await court.comes(off), "the old one's word still stands"
    new = await joined(court, "new")
    assert await court.comes(new)
    assert len(enrolment.trusted_authorities(new.folder)) == 1

    for box in (bad, new):
        await admin.revoke_home(court.store, box.identity.home, now=now())
    await court.keeper.check(now())
    await court.until_refused(new)
    await court.follows(bad)
    assert not await court.comes(bad), "each authority's list counts"

    before = ca_rotation.read_certificate(folder, ca_rotation.FORMER_NAME)
    assert before is not None
    assert await count_certificates_by(court.store, before, now()) == 2
    for box in (old, off):
        await box.renew(court.file, now() + 61 * DAY)
        assert await court.follows(box), "from now on the new one alone is believed"
        assert [one.fingerprint(hashes.SHA256()) for one in enrolment.trusted_authorities(box.folder)] == [
            coming.fingerprint(hashes.SHA256())
        ]
    assert await count_certificates_by(court.store, before, now()) == 0
    ca_rotation.end_former(folder)
    await court.keeper.check(now())
    await court.mosquitto.kill()
    await court.mosquitto.start()
    for box in (old, off):
        assert await court.comes(box)


async def test_nobody_but_the_authority_before_makes_a_box_believe_another(court: Court) -> None:
    box = await joined(court, "one")
    impostor = HubAuthority.load(court.folder / "impostor", now=now())
    told = (box.folder / "authority.pem").read_bytes()

    def line(key: ec.EllipticCurvePrivateKey, of: HubAuthority, signs: HubAuthority | None = None) -> bytes:
        der = (signs or of).certificate.public_bytes(serialization.Encoding.DER)
        signature = (
            urlsafe_b64encode(key.sign(successor_statement(der), ec.ECDSA(hashes.SHA256()))).decode().rstrip("=")
        )
        return json.dumps({"data": [{"certificate": of.pem, "signature": signature}]}).encode()

    other = HubAuthority.load(court.folder / "other", now=now())
    for lie in (line(impostor.key, impostor), line(court.authority.key, impostor, other),
                json.dumps({"data": [{"certificate": impostor.pem, "signature": "?"}]}).encode()):  # fmt: skip
        assert not await asyncio.to_thread(follow_authorities, court.file.url, box.folder, saying(lie))
        assert (box.folder / "authority.pem").read_bytes() == told
    for rubbish in (b"{}", b"[]", b'{"data": [{"certificate": "x", "signature": "y"}]}'):
        with pytest.raises(WrongHub):
            follow_authorities(court.file.url, box.folder, saying(rubbish))
    assert (box.folder / "authority.pem").read_bytes() == told


def altered(der: bytes, *, times: int) -> Iterator[bytes]:
    """A certificate with some bytes changed, again and again; the first has a version that there is not."""
    version = b"\xa0\x03\x02\x01\x02"
    assert version in der
    yield der.replace(version, version[:-1] + b"\x25")
    chance = random.Random(7)
    for _ in range(times):
        changed = bytearray(der)
        for _ in range(chance.choice((1, 1, 2, 3))):
            changed[chance.randrange(len(der))] = chance.randrange(256)
        yield bytes(changed)


def test_whatever_certificate_a_hub_signs_for_or_gives_it_ends_no_box(tmp_path: Path) -> None:
    hub, next_one = HubAuthority.load(tmp_path / "hub", now=now()), HubAuthority.load(tmp_path / "next", now=now())
    box = tmp_path / "box"
    box.mkdir()
    (box / "authority.pem").write_text(hub.pem)
    der = next_one.certificate.public_bytes(serialization.Encoding.DER)
    mine = ec.generate_private_key(ec.SECP256R1())
    ends: Counter[str] = Counter()
    for lie in altered(der, times=600):
        text = f"-----BEGIN CERTIFICATE-----\n{encodebytes(lie).decode()}-----END CERTIFICATE-----\n"
        signed = (
            urlsafe_b64encode(hub.key.sign(successor_statement(lie), ec.ECDSA(hashes.SHA256()))).decode().rstrip("=")
        )
        steps = [{"certificate": text, "signature": signed}, {"certificate": next_one.pem, "signature": signed}]
        try:
            follow_authorities("http://hub", box, saying(json.dumps({"data": steps}).encode()))
            ends["read"] += 1
        except WrongHub:
            ends["refused"] += 1
        assert enrolment.trusted_authorities(box)
        with pytest.raises(WrongHub):
            enrolment.checked_certificate(text, [hub.certificate], "home-1", mine)
        (box / "authority.pem").write_text(hub.pem)
    assert min(ends["read"], ends["refused"]) > 50


def saying(answer: bytes) -> Callable[[str], bytes]:
    """Whoever answers so."""
    return lambda _address: answer


class Killed(BaseException):
    """As a process is."""


@pytest.mark.parametrize(
    "point", ["marked", "former.key", "former.pem", "authority.key", "authority.pem", "gone.key", "gone.pem"]
)
def test_a_change_that_is_killed_anywhere_is_ended_by_whoever_looks_next(tmp_path: Path, point: str) -> None:
    at = datetime.fromisoformat("2026-11-25T12:00:00+00:00")
    folder = tmp_path / "hub"
    before = HubAuthority.load(folder, now=at)
    coming = ca_rotation.prepare_next(folder, now=at + timedelta(seconds=5))

    def reached(where: str) -> None:
        if where == point:
            raise Killed

    with pytest.raises(Killed):
        ca_rotation.activate_next(folder, now=at + timedelta(seconds=5), crash_point=reached)
    copy = tmp_path / "copy"
    for _ in range(2):
        shutil.copytree(folder, copy)
        ca_rotation.finish_change(copy)
        after = HubAuthority.load(copy, now=at)
        assert after.certificate == coming
        former = ca_rotation.load_authority(copy, ca_rotation.FORMER_NAME)
        assert former is not None
        assert (former.certificate, former.key.private_numbers()) == (before.certificate, before.key.private_numbers())
        assert ca_rotation.read_certificate(copy, ca_rotation.NEXT_NAME) is None
        assert not (copy / "authority" / "changing").exists()
        shutil.rmtree(copy)


def test_the_steps_are_taken_one_after_the_other(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-11-25T12:00:00+00:00")
    HubAuthority.load(tmp_path, now=at)
    one = ca_rotation.prepare_next(tmp_path, now=at)
    assert ca_rotation.prepare_next(tmp_path, now=at + DAY) == one, "said again it is the same"
    assert len(ca_rotation.read_chain(tmp_path)) == 1
    ca_rotation.activate_next(tmp_path, now=at)
    with pytest.raises(ca_rotation.RotationRefused, match="still counts"):
        ca_rotation.prepare_next(tmp_path, now=at + DAY)
    ca_rotation.end_former(tmp_path)
    ca_rotation.prepare_next(tmp_path, now=at + DAY)
    assert len(ca_rotation.read_chain(tmp_path)) == 2
