"""Keys of Aliro on a Matter lock: stored only if the lock reads exactly the same key back."""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devices.reports import OperationError
from devices.simulators import matter as simulated_server
from devices.vendors.matter import EndpointId
from devices.vendors.matter_aliro import AliroKey, is_stored, storing_steps
from gateway.integrations.matter.aliro import store_key
from gateway.integrations.matter.file import MatterServerSection
from gateway.integrations.matter.server import MatterFailed
from tests.gateway.cli.test_matter import run_perron, write_file
from tests.gateway.integrations.matter.beside import SimulatedMatter, simulated

KEY = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
LOCK, CONTACT = EndpointId(5, 1), EndpointId(6, 1)
USER = {"userStatus": 1}


async def store(server: SimulatedMatter, at: EndpointId = LOCK, *, slot: int = 8, key: bytes = KEY) -> None:
    section = MatterServerSection(url=server.url, timeout=2.0)
    await store_key(section, at, kind=AliroKey.ISSUER, slot=slot, name="aliro", key=key)


def users(server: SimulatedMatter) -> set[int]:
    return set(server.server._users._users)  # noqa: SLF001 - what the lock really has


@pytest.mark.slow
async def test_an_issuers_key_is_stored_and_read_back(tmp_path: Path) -> None:
    async with simulated(tmp_path) as server:
        await store(server)
        assert users(server) == {8}
        with pytest.raises(MatterFailed):
            await store(server)
        assert users(server) == {8}, "a slot that is taken stays as it is"


@pytest.mark.slow
async def test_a_lock_that_refuses_the_key_keeps_no_user_of_it(tmp_path: Path) -> None:
    async with simulated(tmp_path) as server:
        server.server.set_fault("refuses", on=True)
        with pytest.raises(MatterFailed, match="stores no such key"):
            await store(server)
        assert users(server) == set()


@pytest.mark.slow
async def test_what_is_no_lock_or_has_no_aliro_is_given_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated(tmp_path) as server:
        with pytest.raises(MatterFailed, match="is no lock"):
            await store(server, CONTACT)
        monkeypatch.setattr(simulated_server, "LOCK_FEATURES", 0x0581)
        with pytest.raises(MatterFailed, match="has no Aliro") as refused:
            await store(server)
        assert refused.value.failure is OperationError.RESTRICTED
        assert users(server) == set()


@pytest.mark.parametrize("key", [b"", KEY[1:], b"\x02" + KEY[1:], KEY + b"\x00"])
def test_what_is_no_point_of_the_curve_is_refused_before_anything_is_sent(key: bytes) -> None:
    with pytest.raises(ValueError, match="P-256"):
        storing_steps(AliroKey.ISSUER, 8, "aliro", key)


@pytest.mark.parametrize(
    "credential",
    [
        None, {}, {"credentialExists": True, "userIndex": 8},
        {"credentialExists": True, "userIndex": 8, "credentialData": "!"},
        {"credentialExists": True, "userIndex": 8, "credentialData": "BAAA"},
    ],
)  # fmt: skip
def test_a_key_that_is_not_read_back_is_not_stored(credential: object) -> None:
    assert not is_stored(8, KEY, USER, credential)


def test_only_the_same_key_of_the_same_enabled_user_is() -> None:
    data = storing_steps(AliroKey.ISSUER, 8, "aliro", KEY)[1][1]["credentialData"]
    there = {"credentialExists": True, "userIndex": 8, "credentialData": data}
    assert is_stored(8, KEY, USER, there)
    assert not is_stored(8, KEY, {"userStatus": 3}, there)
    assert not is_stored(9, KEY, USER, there)


@pytest.mark.slow
async def test_the_command_says_what_was_read_back_and_what_is_no_key(tmp_path: Path) -> None:
    async with simulated(tmp_path) as server:
        file, pem = write_file(tmp_path, server.url), tmp_path / "issuer.pem"
        words = ("aliro-key", str(pem), "matter/5-1", "--slot", "8", "--config", str(file))
        for curve, told in ((SECP384R1(), "not on the curve"), (SECP256R1(), "read back, and the same")):
            key = generate_private_key(curve).public_key()
            pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            _, text = await asyncio.wait_for(run_perron(*words), 60)
            assert told in text.replace("\n", " "), text
        assert users(server) == {8}
