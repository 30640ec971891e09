"""The commands that keep a box in being, where no gateway runs."""

import json
from pathlib import Path

import pytest

from gateway.cli.failure import Exit, Failure
from gateway.cli.owner import verdict
from gateway.cli.rotation import rotate
from gateway.evidence.succession import NEXT, SUCCESSION, line_in
from gateway.protocol.keys import PUBLIC, BoxKey, PublicKey
from gateway.runtime.maintenance.instance_lock import alone
from tests.gateway.evidence.visits import Box
from tests.shell.house import home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "home.yaml").write_text(json.dumps(home(tmp_path / "box").model_dump(mode="json")), encoding="utf-8")
    return tmp_path / "home.yaml"


async def test_a_box_that_does_not_run_has_its_new_key_at_once(tmp_path: Path, file: Path) -> None:
    keys = tmp_path / "box" / "key"
    old = BoxKey.at(keys)
    before, _ = Box(key=old).visit(tmp_path)
    (tmp_path / "old.pem").write_bytes(old.public.pem)
    told: list[str] = []
    await rotate(file, tell=told.append)
    new = BoxKey.at(keys).public
    assert new != old.public
    assert new.fingerprint in told[0]
    assert PublicKey.from_pem((keys / PUBLIC).read_bytes()) == new
    for pem in (tmp_path / "old.pem", keys / PUBLIC):
        holds, text = verdict(before, key=pem, checkpoint=None, succession=keys / SUCCESSION)
        assert holds, text
    holds, text = verdict(before, key=keys / PUBLIC, checkpoint=None)
    assert not holds
    assert "another box signed this" in text
    with pytest.raises(Failure, match="no line of keys can be read"):
        verdict(before, key=None, checkpoint=None, succession=tmp_path / "old.pem")


async def test_a_gateway_that_has_just_begun_takes_the_key_up_itself(tmp_path: Path, file: Path) -> None:
    old = BoxKey.at(tmp_path / "box" / "key").public
    with alone(tmp_path / "box"):
        (tmp_path / "box" / "gateway.lock").write_text("0")  # its number is not written yet
        told: list[str] = []
        await rotate(file, tell=told.append)
    assert "The gateway's next start takes it up." in told
    assert BoxKey.at(tmp_path / "box" / "key").public == old
    assert (tmp_path / "box" / "key" / NEXT).exists(), "its next start does it"
    assert not line_in(tmp_path / "box" / "key").steps


async def test_where_there_is_no_box_nothing_is_changed(file: Path) -> None:
    with pytest.raises(Failure, match="No box has its key") as failure:
        await rotate(file, tell=lambda _line: None)
    assert failure.value.code is Exit.WRONG
