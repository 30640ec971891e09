"""The house file is read anew, and the box's key changed, while the house is delivered to: by a real gateway, a real
broker, a real delivery.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config.devices import LockDevice
from gateway.config.home import Home
from gateway.demo.plan import DemoPlan
from gateway.demo.scenario import ScenarioRun
from gateway.domain.visit.state import Phase
from gateway.evidence.succession import read_key_history
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE
from gateway.runtime.maintenance import reload
from tests.forkserver import run_python
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


def soon_over(plan: DemoPlan) -> DemoPlan:
    """Nobody is waited for a quarter of an hour after a visit, and the lock may answer late on a loaded machine."""
    home = plan.home
    entrances = {
        name: one.model_copy(update={"timing": one.timing.model_copy(update={"watch": 1.0})})
        for name, one in home.entrances.items()
    }
    devices = {
        name: one.model_copy(update={"latency": 5.0}) if isinstance(one, LockDevice) else one
        for name, one in home.devices.items()
    }
    return replace(plan, home=home.model_copy(update={"entrances": entrances, "devices": devices}))


def written(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the house file, as somebody with an editor."""
    house = json.loads(file.read_text(encoding="utf-8"))
    change(house)
    file.write_text(json.dumps(house, indent=1), encoding="utf-8")


def misspelt(house: dict[str, Any]) -> None:
    house["devices"]["front-lock"]["gaurded"] = True


def of_another_name(house: dict[str, Any]) -> None:
    house["entrances"]["front"]["name"] = "La porte verte"


async def perron(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as in a shell or from ExecReload=."""
    return await asyncio.to_thread(run_python, "-m", "gateway", *arguments)


async def asked(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return await perron("reload", "--home", str(file), *options)


def public(box: Home) -> PublicKey:
    return PublicKey.from_pem((box.storage.folder / "key" / PUBLIC_KEY_FILE).read_bytes())


def log_of(play: ScenarioRun) -> str:
    return (play.stage.folder / "gateway.log").read_text(encoding="utf-8")


async def test_a_house_file_is_read_anew_and_no_visit_is_dropped_for_it(tmp_path: Path) -> None:
    """A wrong file is refused, a right one waits for the courier to be out and is applied then, in the same process."""
    file = tmp_path / "home.yaml"
    async with run_whole_house(tmp_path, soon_over, rigged=False) as play:
        box: Home = play.plan.home
        pid = reload.gateway_pid(box.storage.folder)
        parcels = await play.announce_delivery()
        await play.enter_with_parcel(parcels)

        right = file.read_text(encoding="utf-8")
        written(file, misspelt)
        refused = await asked(file)
        assert refused.returncode == 2
        assert "Did you mean `guarded`?" in refused.stderr
        assert "The house goes on as it was" in refused.stderr
        assert "reload_refused" in log_of(play)
        last = reload.read_report(box.storage.folder)
        assert last is not None
        assert last[0].said == "refused"

        file.write_text(right, encoding="utf-8")
        written(file, of_another_name)
        waits = await asked(file)
        assert (waits.returncode, "at front a visit runs" in waits.stdout) == (0, True), waits.stderr
        assert play.watch.is_online, "nothing has ended"

        old = public(box)
        rotated = await perron("rotate-key", "--home", str(file))
        assert (rotated.returncode, "at front a visit runs" in rotated.stdout) == (0, True), rotated.stderr
        assert public(box) == old

        waiting = asyncio.create_task(asked(file, "--wait"))
        await play.leave_and_seal()
        applied = await waiting
        assert (applied.returncode, "Applied" in applied.stdout) == (0, True), applied.stderr
        assert reload.gateway_pid(box.storage.folder) == pid, "no supervisor is needed"
        assert not play.stage.gateway.deaths
        await play.wait_until_ready()

        again = await play.retailer.promise()
        await play.wait_until_ready()
        play.watch.mark_seen()
        await play.deliver(again)
        phases = [body["phase"] for body in play.watch.events("phase")]
        assert Phase.LOCKED_AGAIN in phases
        proofs = sorted((box.storage.folder / "visits").iterdir())
        manifests = [json.loads((proof / "manifest.json").read_bytes()) for proof in proofs]
        assert len({one["key"] for one in manifests}) == 2, "the second visit was sealed under the new key"
        line, new = read_key_history(box.storage.folder / "key"), public(box)
        assert [verify_proof(proof, public_key=key, line=line).ok for proof in proofs for key in (old, new)] == [
            True
        ] * 4
        # A busy machine may starve the cameras; an ended video process and a cut connection have other reasons.
        reasons = {gap["why"] for one in manifests for gap in one["gaps"]}
        assert reasons <= {"stall", "unreachable"}, "no film has a gap by the reload"
        receipts = {json.loads((proof / "receipt.json").read_bytes())["entrance"] for proof in proofs}
        assert "La porte verte" in receipts, "the second visit was at the door of the new name"
        assert len(receipts) == 2
