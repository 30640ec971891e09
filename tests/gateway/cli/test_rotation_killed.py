"""`perron rotate-key` is killed before each of its writes: the key is the old one or the new one, and proofs verify."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.cli.reloading import change_key
from gateway.evidence.succession import NEXT_KEY_FILE, NEXT_MARKER_FILE, copy_key_history, read_key_history
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PUBLIC_KEY_FILE, BoxKey
from tests.gateway.evidence.visits import SCAN, SealingBox
from tests.shell.house import make_home

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.cli.reloading import change_key
where = Path(sys.argv[1])
left = None
def watch(event, said):
    global left
    writes = event == "open" and isinstance(said[2], int) and said[2] & (os.O_WRONLY | os.O_RDWR)
    ours = said and str(said[0]).startswith(str(where))
    if left is not None and ours and (event in ("os.remove", "os.rename", "os.mkdir") or writes):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
for steps in range(100):
    folder = where / f"at{steps}"
    if not folder.is_dir():
        sys.exit("fewer boxes than steps")
    child = os.fork()
    if not child:
        left = steps
        asyncio.run(change_key(folder / "home.yaml", output=lambda line: None))
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended == 0:
        print(steps)
        break
    if ended != -signal.SIGKILL:
        sys.exit(ended)
"""
BOXES = 40  # more than the command has writes


def a_box(folder: Path) -> SealingBox:
    """A box with its house file, its key and one visit that it has sealed."""
    house = make_home(folder / "box")
    folder.mkdir()
    (folder / "home.yaml").write_text(json.dumps(house.model_dump(mode="json")), encoding="utf-8")
    box = SealingBox(key=BoxKey.load_or_create(folder / "box" / "key"))
    box.visit(folder, visit="before")
    return box


@pytest.mark.slow
async def test_killed_at_any_write_the_old_key_or_the_new_one_is_whole_and_every_proof_verifies(tmp_path: Path) -> None:
    boxes = [a_box(tmp_path / f"at{number}") for number in range(BOXES)]
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: ASYNC221 - nothing else runs
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps > 8
    kept = 0
    for number, box in enumerate(boxes[: steps + 1]):
        folder, keys = tmp_path / f"at{number}", tmp_path / f"at{number}" / "box" / "key"
        old, cut = box.key.public, BoxKey.load_or_create(keys).public
        assert cut in read_key_history(keys).keys_of_same_box(old), (
            "whoever knows the old key follows, whatever was cut short"
        )
        assert verify_proof(folder / "before", public_key=old, line=read_key_history(keys)).ok
        kept += cut == old
        said: list[str] = []
        await change_key(folder / "home.yaml", output=said.append)  # said again, as whoever was cut off does
        line, present = read_key_history(keys), BoxKey.load_or_create(keys)
        assert present.public in line.keys_of_same_box(old)
        assert present.public != old
        assert PublicKey.from_pem((keys / PUBLIC_KEY_FILE).read_bytes()) == present.public
        assert not (keys / NEXT_MARKER_FILE).exists()
        assert not (keys / NEXT_KEY_FILE).exists()
        box.key = present
        after, _ = box.visit(folder, visit="after", at=SCAN + timedelta(days=400))
        copy_key_history(keys, after)
        for known in (old, present.public):
            for visit in ("before", "after"):
                verdict = verify_proof(folder / visit, public_key=known, line=line)
                assert verdict.ok, (number, visit, verdict.problem, verdict.where)
    assert 2 < kept < steps, "both ends were met"
