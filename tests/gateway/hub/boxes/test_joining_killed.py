"""A box that is killed (SIGKILL) before each change of its disk while it joins and renews."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.config.loader import load_home_file
from gateway.integrations.hub_client import enrolment
from tests.hubs import run_hub
from tests.joins import JoiningBox, create_claim, with_boxes

ROOT = Path(__file__).parents[4]
FILES = {"identity.pem", "authority.pem", "support-code"}
KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from gateway.integrations.hub_client import enrolment
from gateway.protocol.enrolment import ClaimCode
from gateway.integrations.hub_client.enrolment import text_with_membership
from gateway.config.editor import read_home_text, write_home
from gateway.protocol.ed25519 import PublicKey

what, folder, url, box, until, code = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:7]

def step():
    if what == "join":
        file = folder.parent / "home.yaml"
        claim = ClaimCode.of(code)
        member = enrolment.join_hub(claim, PublicKey.from_text(box), folder, enrolment.http_request)
        write_home(file, text_with_membership(read_home_text(file), file, folder.parent, claim.url, member))
        enrolment.finish_join(folder)
    else:
        enrolment.renew_certificate(url, folder, enrolment.http_request, now=datetime.fromisoformat(until))

deaths = 0
while True:
    child = os.fork()
    if child == 0:
        left = deaths
        def watch(event, said):
            global left
            ours = str(folder.parent)
            inside = said and isinstance(said[0], (str, os.PathLike)) and os.fspath(said[0]).startswith(ours)
            if inside and (event in ("os.rename", "os.remove") or (event == "open" and said[2] & os.O_CREAT)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        step()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(deaths, status, enrolment.read_identity(folder) is not None, flush=True)
    if status == 0:
        break
    deaths += 1
print("deaths", deaths)
"""


async def killed(
    what: str, box: JoiningBox, url: str, code: str = "", until: datetime | None = None
) -> tuple[int, list[str]]:
    """Do it in processes that are killed one change later each time, until one comes to its end."""
    until = until or datetime.now(UTC)
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, what, str(box.folder), url, box.key.public.text, until.isoformat(), code],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=120, env=dict(os.environ),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    return int(lines[-1].split()[1]), lines[:-1]


@pytest.mark.slow
async def test_killed_before_any_change_of_its_disk_a_box_joins_and_renews_all_the_same(tmp_path: Path) -> None:
    file, box = with_boxes(tmp_path / "its"), JoiningBox.new(tmp_path / "var" / "hub")
    box.folder.mkdir(parents=True)
    house = tmp_path / "var" / "home.yaml"
    house.write_text("box: b\nname: A house\nstorage: {folder: .}\ndevices: {}\nentrances: {}\n")
    async with run_hub(file) as hub:
        code = await create_claim(hub, file)
        deaths, _ = await killed("join", box, file.url, code.text)
        assert deaths >= 9, "each file is written beside, renamed, the house file too, and the key asked for goes"
        first, joined = box.identity, load_home_file(house).hub
        assert joined is not None
        assert joined.home == first.home
        assert {path.name for path in box.folder.iterdir()} == FILES

        deaths, seen = await killed("renew", box, file.url, until=datetime.now(UTC) + timedelta(days=61))
        assert deaths >= 4
        assert all(line.split()[2] == "True" for line in seen), "at each moment there is an identity that is whole"
        assert box.identity.certificate != first.certificate
        assert {path.name for path in box.folder.iterdir()} == FILES
        again = await box.renew(file, datetime.now(UTC) + timedelta(days=122))
        assert again is not None, "and the hub knows it by what it has"
        assert enrolment.read_identity(box.folder) is not None
