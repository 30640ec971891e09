"""docs/operator/hub-day.md is what it says: its commands are run as printed, beside a hub that runs."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.hubs import RetailerAccess, RunningHub, hub_file, run_hub

PAGE = (Path(__file__).parent.parent / "docs" / "operator" / "hub-day.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (.+?)\n\n```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
ELSEWHERE = ("systemctl ", "git ", "/opt/perron/")  # the test starts and stops the hub itself


async def run(folder: Path, block: str, **written: str) -> str:
    """What a block prints; it has gone well. `written`: what the operator writes in the place of `ret-...`."""
    places = {"/media/stick": str(folder / "stick"), "/var/lib/perron-hub": str(folder / "hub")}
    for name, value in {**places, **{f"{kind}-...": value for kind, value in written.items()}}.items():
        block = block.replace(name, value)
    lines = [line for line in block.splitlines() if not line.startswith(ELSEWHERE)]
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", "\n".join(lines), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, out.decode()
    return out.decode()


async def status(hub: RunningHub, token: str) -> int:
    async with hub.http.get("/v1/brands", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status


async def connection_of(hub: RunningHub, shop: RetailerAccess) -> str:
    """The id of a connection that a retailer has asked for."""
    made = {}
    brand, asked = {"id": "lune", "name": "Lune"}, {"carriers": ["DHL"], "hub_signed": True}
    connection = {"brand": "lune", "reference": "customer-7", "asked": asked}
    for path, body in (("/v1/brands", brand), ("/v1/connections", connection)):
        async with hub.http.post(path, json=body, headers=shop.headers) as answer:
            made = await answer.json()
            assert answer.status == 201, made
    return str(made["id"])


@pytest.mark.slow
async def test_the_commands_of_the_page_lead_through_a_day(tmp_path: Path) -> None:
    file = hub_file(tmp_path)
    (tmp_path / "stick").mkdir()
    text = f"url: {file.url}\nfolder: {file.folder}\nlisten: {{port: {file.listen.port}}}\n"
    (tmp_path / "hub.yaml").write_text(text, encoding="utf-8")
    async with run_hub(file) as hub:
        shop = await hub.retailer()
        said = await run(tmp_path, BLOCKS["A retailer sends too much, or does not pay"], ret=shop.id)
        assert "is suspended" in said
        assert "no longer suspended" in said
        assert await status(hub, shop.token) == 200
        asked = await connection_of(hub, shop)
        assert "Erased: " in await run(tmp_path, BLOCKS["A customer's data must be erased"], ret=shop.id, con=asked)
        assert "Whole: " in await run(tmp_path, BLOCKS["Back up"])
        assert (tmp_path / "stick" / "revocations.jsonl").exists()
        leaked = BLOCKS["An API key has leaked"]
        (new,) = re.findall(r"key-\w+_\w+", await run(tmp_path, leaked, ret=shop.id, key=shop.token))
        await asyncio.sleep(1.1)  # a running hub forgets a key within a second
        assert [await status(hub, token) for token in (shop.token, new)] == [401, 200]
    said = await run(tmp_path, BLOCKS["Restore"])
    assert "Revoked again: " in said
    async with run_hub(file) as hub:
        assert [await status(hub, token) for token in (shop.token, new)] == [401, 401], (
            "the new one is not in the backup"
        )
        assert "is ended" in await run(tmp_path, BLOCKS["A retailer leaves"], ret=shop.id)
        said = await run(tmp_path, BLOCKS["Upgrade"].replace("https://hub.example", hub.url))
        assert said.endswith('{"store":true}')
