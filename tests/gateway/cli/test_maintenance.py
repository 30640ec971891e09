"""The commands that keep a box in being, where no gateway runs."""

import json
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.owner import verify_folder
from gateway.cli.reloading import change_key
from gateway.evidence.succession import NEXT_MARKER_FILE, SUCCESSION_FILE, read_key_history
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE, BoxKey
from gateway.runtime.maintenance.instance_lock import lock_folder
from tests.gateway.evidence.visits import SealingBox
from tests.shell.house import make_home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "home.yaml").write_text(
        json.dumps(make_home(tmp_path / "box").model_dump(mode="json")), encoding="utf-8"
    )
    return tmp_path / "home.yaml"


async def test_a_box_that_does_not_run_has_its_new_key_at_once(tmp_path: Path, file: Path) -> None:
    keys = tmp_path / "box" / "key"
    old = BoxKey.load_or_create(keys)
    before, _ = SealingBox(key=old).visit(tmp_path)
    (tmp_path / "old.pem").write_bytes(old.public.pem)
    told: list[str] = []
    await change_key(file, output=told.append)
    new = BoxKey.load_or_create(keys).public
    assert new != old.public
    assert new.fingerprint in told[0]
    assert PublicKey.from_pem((keys / PUBLIC_KEY_FILE).read_bytes()) == new
    for pem in (tmp_path / "old.pem", keys / PUBLIC_KEY_FILE):
        holds, text = verify_folder(before, key=pem, checkpoint=None, succession=keys / SUCCESSION_FILE)
        assert holds, text
    holds, text = verify_folder(before, key=keys / PUBLIC_KEY_FILE, checkpoint=None)
    assert not holds
    assert "another box signed this" in text
    with pytest.raises(Failure, match="no line of keys can be read"):
        verify_folder(before, key=None, checkpoint=None, succession=tmp_path / "old.pem")


async def test_a_gateway_that_has_just_begun_takes_the_key_up_itself(tmp_path: Path, file: Path) -> None:
    old = BoxKey.load_or_create(tmp_path / "box" / "key").public
    with lock_folder(tmp_path / "box"):
        (tmp_path / "box" / "gateway.lock").write_text("0")  # its number is not written yet
        told: list[str] = []
        await change_key(file, output=told.append)
    assert "The gateway's next start takes it up." in told
    assert BoxKey.load_or_create(tmp_path / "box" / "key").public == old
    assert (tmp_path / "box" / "key" / NEXT_MARKER_FILE).exists(), "its next start does it"
    assert not read_key_history(tmp_path / "box" / "key").steps


async def test_where_there_is_no_box_nothing_is_changed(file: Path) -> None:
    with pytest.raises(Failure, match="No box has its key") as failure:
        await change_key(file, output=lambda _line: None)
    assert failure.value.code is ExitCode.INVALID
