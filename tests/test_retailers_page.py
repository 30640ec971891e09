"""docs/retailer/guide.md is what it says: its blocks are run as they stand, in their order, against a real hub."""

import asyncio
import json
import os
import re
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.domain.delivery.barcodes import (
    BarcodeKind,
    ParcelCode,
    courier_token_digest,
    courier_token_value,
    new_courier_token,
    normalise,
)
from gateway.hub.config import HubFile, Webhooks
from gateway.hub.sandbox.home import CARRIERS, SANDBOX_ENTRANCES
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.protocol.delivery_state import PUBLIC_REASONS
from gateway.system.located_yaml import parse_yaml
from tests.hubs import hub_file, run_hub
from tests.retailers_python import retailers_python

PAGE = (Path(__file__).parent.parent / "docs" / "retailer" / "guide.md").read_text(encoding="utf-8")
HERE = "export HUB=http://127.0.0.1:8643\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


async def ran(hub: str, folder: Path, *command: str) -> str:
    """What a program says; it has gone well."""
    perron = Path(sys.executable).parent
    environment = {**os.environ, "HUB": hub, "PORT": str(free_port()), "PATH": f"{perron}:{os.environ['PATH']}"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.slow
async def test_the_shell_s_blocks_lead_to_the_first_deliveries(tmp_path: Path) -> None:
    first, *rest = blocks("sh")
    assert first == HERE
    script = "set -euo pipefail\n" + "\n".join(rest)
    (file,) = blocks("yaml")
    file_here = hub_file(tmp_path).model_copy(
        update={"webhooks": HubFile.model_validate(parse_yaml(file), strict=False).webhooks}
    )
    async with run_hub(file_here) as hub:
        said = await ran(hub.url, tmp_path, "bash", "-c", script)
    heard = (tmp_path / "heard.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("  ")[3] for line in heard] == [
        "awaiting_permission", "scheduled", "window_open", "visiting", "delivered",
    ]  # fmt: skip
    assert '"state":"delivered"' in said
    assert said.splitlines()[-1].split("  ")[1] == "delivery.changed"
    assert [line.split("  ")[3] for line in said.splitlines()[-4:]] == [
        "scheduled", "window_open", "visiting", "delivered",
    ]  # fmt: skip


@pytest.mark.slow
async def test_python_s_blocks_print_what_the_page_says(tmp_path: Path) -> None:
    first, webhook = blocks("python")
    here = hub_file(tmp_path, webhooks=Webhooks(private=True, plain=True))
    async with run_hub(here) as hub:
        said = await ran(hub.url, tmp_path, str(retailers_python()), "-I", "-c", first)
        states = await ran(hub.url, tmp_path, str(retailers_python()), "-I", "-c", webhook)
    assert said == "partly_delivered missing ['SANDBOX-MISSING']\n"
    assert f"`{said.strip()}`" in PAGE
    assert states.split() == ["awaiting_permission", "scheduled", "window_open", "visiting", "delivered"]


@pytest.mark.slow
async def test_the_courier_s_code_of_the_page_is_taken_by_the_front_door(tmp_path: Path) -> None:
    account = next(block for block in blocks("sh") if "/v1/sandbox" in block)
    asked = next(block for block in blocks("sh") if '"asked"' in block)  # it narrows what the home permits the brand
    (courier,) = blocks("bash")
    async with run_hub(hub_file(tmp_path)) as hub:
        await ran(hub.url, tmp_path, "bash", "-c", f"set -euo pipefail\n{account}\n{asked}\n{courier}")
    made = json.loads((tmp_path / "courier.json").read_text(encoding="utf-8"))
    assert normalise(made["qr"]) == ParcelCode(BarcodeKind.COURIER, courier_token_value(made["courier_sha256"]))
    now = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))
    assert (now["entrance"], now["state"]) == ("front", "delivered")


def test_the_worked_example_of_the_courier_s_code_is_what_the_door_reads() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| `(.+?)` \|$", PAGE.partition("| worked example |")[2], re.MULTILINE)[:3])
    secret, text, digest = bytes.fromhex(rows["16 bytes (never use these)"]), *list(rows.values())[1:]
    assert new_courier_token(secret) == text
    assert courier_token_digest(secret) == sha256(secret).hexdigest() == digest
    for shown in (text, text.upper(), f"perron:{secret.hex()}"):
        assert normalise(shown) == ParcelCode(BarcodeKind.COURIER, courier_token_value(digest))


def test_the_hub_s_file_is_one() -> None:
    (block,) = blocks("yaml")
    assert HubFile.model_validate(parse_yaml(block), strict=False).sandbox


def test_the_simulated_home_is_the_one_that_the_page_tells_of() -> None:
    for entrance in SANDBOX_ENTRANCES:
        assert f"`{entrance.id}`" in PAGE
        assert all(f"`{place}`" in PAGE for place in entrance.places)
    assert f"carriers {', '.join(CARRIERS)}" in re.sub(r"\s+", " ", PAGE)
    assert "outside_window" in PUBLIC_REASONS
